package birnnlib_test

import (
	"testing"

	"birnn/birnnlib"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// TestMask uses a mask with holes inside the sequences: the results equal those of the sequences without the holes, and
// are zero in the holes.
func TestMask(t *testing.T) { testMask(t) }

func TestLongMask(t *testing.T) {
	testall.Long(t)
	testMask(t)
}

func testMask(t *testing.T) {
	const T, n = 5, 3
	mask := [][]bool{{true, false, true}, {false, true, true}, {true, false, true}, {true, false, true}, {false, true, true}}
	lengths := []int32{3, 2, 5}
	// together moves the valid steps of each sequence of x [T, n, k] to its start, and leaves zeros behind.
	together := func(x *tensors.Tensor) *tensors.Tensor {
		k := x.Shape().Dim(2)
		from, to := tensors.MustCopyFlatData[float64](x), make([]float64, T*n*k)
		var filled [n]int
		for at, valid := range mask {
			for i := range n {
				if valid[i] {
					copy(to[(filled[i]*n+i)*k:][:k], from[(at*n+i)*k:])
					filled[i]++
				}
			}
		}
		return tensors.FromFlatDataAndDimensions(to, T, n, k)
	}
	names := []string{"RNN tanh", "LSTM peepholes, proj", "GRU"}
	matrix(t, names, []string{"GRU"}, func(t *testing.T, b compute.Backend, name string) {
		x := random(5, T, n, networkInputs)
		run := func(b compute.Backend, change func(x *Node, b *birnnlib.BiRNN) *birnnlib.BiRNN, x *tensors.Tensor) []*tensors.Tensor {
			outputs, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
				net := network{cell: allCells[name], T: T, n: n}
				net.change = func(b *birnnlib.BiRNN) *birnnlib.BiRNN { return change(x, b) }
				return net.build(scope, x)
			}, x)
			if err != nil {
				t.Fatal(err)
			}
			return outputs
		}
		got := run(b, func(x *Node, b *birnnlib.BiRNN) *birnnlib.BiRNN { return b.Mask(Const(x.Graph(), mask)) }, x)
		want := run(gobackend.GetBackend(), func(x *Node, b *birnnlib.BiRNN) *birnnlib.BiRNN { return b.Lengths(Const(x.Graph(), lengths)) }, together(x))
		for _, sequence := range []int{1, len(got) - 1} { // the outputs, and the gradient of x
			for at, values := range got[sequence].Value().([][][]float64) {
				for i, valid := range mask[at] {
					for _, v := range values[i] {
						if !valid && v != 0 {
							t.Errorf("%s: result %d is %g in a hole", name, sequence, v)
						}
					}
				}
			}
			got[sequence] = together(got[sequence])
		}
		same(t, name, got, want, 1e-12)
	})
}
