package purego_test

import (
	"runtime"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/internal/purego"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	_ "github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// TestLimit: a layer lifts the default limit of its backend, and leaves one that the user set alone.
func TestLimit(t *testing.T) {
	for config, want := range map[string]string{
		"go":                "parallelism=-1",
		"go:parallelism=0":  "parallelism=0",
		"go:parallelism=99": "parallelism=99",
	} {
		b, err := compute.NewWithConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		defer b.Finalize()
		if _, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
			h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 3, Backward: 2}).Done()
			return h
		}, [][][]float32{{{1}}}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(b.Description(), want) {
			t.Errorf("%s: the backend says %q after a layer, want %s", config, b.Description(), want)
		}
	}
}

// TestUnbound computes many large products that are ready at the same time. Without Unbound it hangs.
func TestUnbound(t *testing.T) {
	b, err := compute.NewWithConfig("go")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Finalize()
	purego.Unbound(b)
	if b.Description() != "Go Portable Compute Backend (parallelism=-1)" {
		t.Fatalf("the backend says %q", b.Description())
	}
	exec, err := NewExec(b, func(x *Node) *Node {
		var sum *Node
		for i := range 8 * runtime.GOMAXPROCS(0) {
			product := ReduceAllSum(Dot(AddScalar(x, float64(i)), x).Product())
			if sum == nil {
				sum = product
			} else {
				sum = Add(sum, product)
			}
		}
		return sum
	})
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromShape(shapes.Make(dtypes.Float32, 300, 300))
	for range 20 {
		if _, err := exec.Call(x); err != nil {
			t.Fatal(err)
		}
	}
}
