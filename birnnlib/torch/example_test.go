package torch_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"birnn/birnnlib"
	"birnn/birnnlib/torch"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// A bidirectional nn.LSTM with two layers, which is model.encoder["rnn"] in PyTorch, comes out of the file of the whole
// model and runs here. The file also holds inputs x and what PyTorch computed from them, h.
func Example() {
	weights, err := torch.Load("testdata/torch_lstm.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	store := model.NewStore()
	options := torch.Options{Cell: birnnlib.LSTM{}, Prefix: "encoder.rnn."}
	sizes, err := torch.Import(store.RootScope(), weights, options)
	if err != nil {
		log.Fatal(err)
	}
	difference, err := model.CallOnce(gobackend.GetBackend(), store, func(scope *model.Scope, x, want *Node) *Node {
		h, _ := birnnlib.New(scope, x, sizes...).Cell(options.Cell).Done()
		return ReduceAllMax(Abs(Sub(h, want)))
	}, weights["x"], weights["h"])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("layers:", sizes)
	fmt.Println("agrees with PyTorch:", difference.Value().(float32) < 1e-6)

	// And back, perhaps after training.
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exported, err := torch.Export(store.RootScope(), options)
	if err != nil {
		log.Fatal(err)
	}
	if err := torch.Save(filepath.Join(dir, "trained.safetensors"), exported); err != nil {
		log.Fatal(err)
	}
	fmt.Println("exported:", len(exported), "weights")
	// Output:
	// layers: [3 3]
	// agrees with PyTorch: true
	// exported: 16 weights
}
