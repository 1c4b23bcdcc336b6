package birnnlib

import (
	"testing"

	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// TestRunWithoutLoop: a step that cannot loop, since it contains a loop, is unrolled, with padding and without a gradient.
func TestRunWithoutLoop(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		outputs, err := CallOnceN(b, func(x *Node) []*Node {
			w := &walk{T: 3, valid: Const(x.Graph(), [][]bool{{true, true}, {true, false}, {true, true}}), step: func(before, at []*Node) (after, results []*Node) {
				if len(at) != 1 {
					t.Errorf("the step got the entries of %d sequences, want 1", len(at))
				}
				last, _ := Scan(func(before, at []*Node) (after, results []*Node) {
					return []*Node{Add(before[0], at[0])}, nil
				}, before, Stack([]*Node{at[0], at[0]}, 0)).Done()
				return last, last
			}}
			last, results := w.run([]*Node{ZerosLike(Squeeze(Slice(x, AxisElem(0)), 0))}, []*Node{x})
			return append(last, results...)
		}, [][]float32{{1, 1}, {1, 1}, {1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		if got := outputs[0].Value().([]float32); got[0] != 6 || got[1] != 4 {
			t.Errorf("the last state is %v, want [6 4]", got)
		}
		if got := outputs[1].Value().([][]float32); got[1][0] != 4 || got[1][1] != 0 {
			t.Errorf("the results at time step 1 are %v, want [4 0]", got[1])
		}
	})
}

// TestProducts checks which products leave the loop: those whose rows are those of the first factor, with a captured node; and
// for which of these nodes they are the only use.
func TestProducts(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		const n, h, q = 3, 3, 5 // n = h: a sum over the wrong axis would have the right shape
		for name, test := range map[string]struct {
			f    func(x, w *Node) []*Node
			want int
			only bool
		}{
			"x W":         {func(x, w *Node) []*Node { return []*Node{Dot(x, w).Product()} }, 1, true},
			"g(x) W":      {func(x, w *Node) []*Node { return []*Node{Dot(Tanh(x), w).Product()} }, 1, true},
			"twice":       {func(x, w *Node) []*Node { return []*Node{Dot(x, w).Product(), Dot(Tanh(x), w).Product()} }, 2, true},
			"W elsewhere": {func(x, w *Node) []*Node { return []*Node{Dot(x, w).Product(), Add(x, ReduceAllSum(w))} }, 1, true}, // the sum is captured
			"W elsewhere, with x": {func(x, w *Node) []*Node {
				return []*Node{Dot(x, w).Product(), Mul(Squeeze(Slice(x, AxisElem(0))), ReduceSum(Add(w, ReduceAllSum(x)), 1))}
			}, 1, false},
			"W among the results": {func(x, w *Node) []*Node { return []*Node{Dot(x, w).Product(), w} }, 1, false},
			"over the rows":       {func(x, w *Node) []*Node { return []*Node{Dot(x, w).General([]int{0}, nil, []int{0}, nil)} }, 0, false},
			"row by row":          {func(x, w *Node) []*Node { return []*Node{Dot(x, w).General(nil, []int{0}, nil, []int{0})} }, 0, false},
			"W x":                 {func(x, w *Node) []*Node { return []*Node{Dot(Transpose(w, 0, 1), x).Product()} }, 0, false},
			"W that depends on x": {func(x, w *Node) []*Node { return []*Node{Dot(x, Mul(w, ReduceAllSum(x))).Product()} }, 0, false},
			"x that does not":     {func(x, w *Node) []*Node { return []*Node{Add(ReduceAllSum(x), Dot(OnesLike(x), w).Product())} }, 0, false},
		} {
			_, err := CallOnce(b, func(w *Node) *Node {
				x := Zeros(w.Graph(), shapes.Make(dtypes.Float64, n, h))
				step := trace([]*Node{x}, func(p []*Node) []*Node { return test.f(p[0], w) })
				products, only := step.products()
				if len(products) != test.want {
					t.Errorf("%s: %d products, want %d", name, len(products), test.want)
				}
				for _, p := range products {
					if only[p.w] != test.only {
						t.Errorf("%s: products are the only use of W: %t, want %t", name, only[p.w], test.only)
					}
				}
				return x
			}, tensors.FromShape(shapes.Make(dtypes.Float64, h, q)))
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
