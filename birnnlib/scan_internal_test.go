package birnnlib

import (
	"testing"

	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
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
