package closures_test

import (
	"testing"

	"birnn/birnnlib/internal/closures"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestFresh reduces in the main function, in a loop, and in the main function again, on XLA. It fails when go-xla renames
// its caches, and TestNeeded when it no longer needs Fresh.
func TestFresh(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		if b.Name() == "Go Backend" {
			if _, ok := closures.Fresh(NewGraph(b, "")); ok {
				t.Error("pure Go has caches")
			}
			return
		}
		if got := sumInLoop(t, b, closures.Fresh); got != 4+4+4+4 {
			t.Errorf("the sums are %g, want 16", got)
		}
	})
}

// TestNeeded fails when go-xla can reduce in a closure by itself: then this package can be deleted.
func TestNeeded(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		if b.Name() == "Go Backend" {
			return
		}
		defer func() {
			if recover() == nil {
				t.Error("go-xla reduces in closures now: delete this package")
			}
		}()
		sumInLoop(t, b, func(*Graph) (func(), bool) { return func() {}, true })
	})
}

// sumInLoop sums four ones before a loop, in each of its two rounds, and after it. It panics where it cannot.
func sumInLoop(t *testing.T, b compute.Backend, fresh func(g *Graph) (restore func(), ok bool)) float32 {
	t.Helper()
	exec := MustNewExec(b, func(x *Node) *Node {
		g := x.Graph()
		first := ReduceAllSum(x)
		closure := func(f func(i, sum, x *Node) []*Node) *Function {
			restore, ok := fresh(g)
			if !ok {
				t.Fatal("go-xla's Builder has changed: look at its caches, and at caches in closures.go")
			}
			defer restore()
			return NewClosure(g, func(g *Graph) []*Node {
				return f(Parameter(g, "i", shapes.Make(dtypes.Int32)), Parameter(g, "sum", first.Shape()), Parameter(g, "x", x.Shape()))
			})
		}
		condition := closure(func(i, _, _ *Node) []*Node { return []*Node{LessThan(i, Const(g, int32(2)))} })
		body := closure(func(i, sum, x *Node) []*Node {
			return []*Node{Add(i, Const(g, int32(1))), Add(sum, ReduceAllSum(x)), x}
		})
		sum := While(condition, body, Const(g, int32(0)), first, x)[1]
		return Add(sum, ReduceAllSum(x))
	})
	return tensors.ToScalar[float32](exec.MustCall1([]float32{1, 1, 1, 1}))
}
