package torch_test

import (
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"birnn/birnnlib"
	"birnn/birnnlib/torch"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
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

// A tagger comes out of a file: Embedding, bidirectional LSTM and Linear. The file also holds the indices x and what PyTorch
// computed from them, o.
func ExampleImportLinear() {
	store := model.NewStore()
	scope := store.RootScope()
	weights, err := torch.Load("testdata/torch_tagger.safetensors")
	table, err1 := torch.ImportEmbedding(scope, weights, torch.Options{Prefix: "embedding."})
	sizes, err2 := torch.Import(scope, weights, torch.Options{Prefix: "lstm.", Cell: birnnlib.LSTM{}})
	q, err3 := torch.ImportLinear(scope, weights, torch.Options{Prefix: "linear."})
	if err := errors.Join(err, err1, err2, err3); err != nil {
		log.Fatal(err)
	}
	tagger := model.MustNewExec(gobackend.GetBackend(), store, func(scope *model.Scope, x *Node) *Node {
		X := birnnlib.Embedding(scope, x, table, nil) // nil: all parameters must be there
		h, _ := birnnlib.New(scope, X, sizes...).Cell(birnnlib.LSTM{}).Initializer(nil).Done()
		return birnnlib.Output(scope, h, q, nil)
	})

	o := tagger.MustCall1(weights["x"])
	fmt.Println("table", table, "layers", sizes, "classes", q)
	fmt.Println("agrees with PyTorch:", o.InDelta(weights["o"], 1e-6))
	// Output:
	// table (Float32)[7, 3] layers [4] classes 6
	// agrees with PyTorch: true
}

// The final states of one call are PyTorch's h_n and c_n, and the initial states of the next.
func ExampleSplitStates() {
	store := model.NewStore()
	weights, err := torch.Load("testdata/torch_lstm.safetensors")
	if err != nil {
		log.Fatal(err)
	}
	sizes, err := torch.Import(store.RootScope(), weights, torch.Options{Prefix: "encoder.rnn.", Cell: birnnlib.LSTM{}})
	if err != nil {
		log.Fatal(err)
	}
	lstm := model.MustNewExec(gobackend.GetBackend(), store, func(scope *model.Scope, x, h0, c0 *Node) []*Node {
		h, final := birnnlib.New(scope, x, sizes...).Cell(birnnlib.LSTM{}).InitialStates(torch.SplitStates(sizes, h0, c0)...).Done()
		hn, cn := torch.StackStates(final)
		return []*Node{h, hn, cn}
	})
	zeros := tensors.FromShape(shapes.Make(dtypes.Float32, 4, 2, 3)) // [layers·directions, n, h]
	h, hn, cn := lstm.MustCall3(weights["x"], zeros, zeros)
	fmt.Println("h and h_n agree with PyTorch:", h.InDelta(weights["h"], 1e-6), hn.InDelta(weights["final"], 1e-6))
	h, _, _ = lstm.MustCall3(weights["x"], hn, cn)
	fmt.Println("h is the same from these states:", h.InDelta(weights["h"], 1e-6))
	// Output:
	// h and h_n agree with PyTorch: true true
	// h is the same from these states: false
}
