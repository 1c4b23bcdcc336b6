package birnnlib_test

import (
	"fmt"
	"math"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// linearForms are the forms of a LinearScan.
var linearForms = map[string]birnnlib.LinearForm{
	"default": birnnlib.LinearDefault, "sequential": birnnlib.LinearSequential, "associative": birnnlib.LinearAssociative,
}

// linearOutputs returns what testdata/jax_scan.py computes of h: the loss, the last state, h and the gradients.
func linearOutputs(a, b, initial, h, last *Node) []*Node {
	loss := Add(ReduceAllMean(Square(h)), ReduceAllSum(last))
	return append([]*Node{loss, last, h}, Gradient(loss, a, b, initial)...)
}

// TestLinearScan compares all forms and their gradients with JAX's lax.associative_scan.
func TestLinearScan(t *testing.T) {
	fixture := jaxScan(t)
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for name, reversed := range map[string]bool{"linear": false, "linear_reversed": true} {
			want, ok := fixture.Cases[name]
			if !ok {
				t.Fatalf("the fixture has no case %s", name)
			}
			for form, value := range linearForms {
				a := sines(0, fixture.T, fixture.N, fixture.D)
				tensors.MustMutableFlatData(a, func(flat []float64) {
					for i, v := range flat {
						flat[i] = 1 / (1 + math.Exp(-v))
					}
				})
				got, err := CallOnceN(b, func(a, b, initial *Node) []*Node {
					h, last := birnnlib.LinearScan(a, b, initial).Reversed(reversed).Form(value).Done()
					return linearOutputs(a, b, initial, h, last)
				}, a, sines(1, fixture.T, fixture.N, fixture.D), sines(2, fixture.N, fixture.D))
				if err != nil {
					t.Fatal(name, form, err)
				}
				all := append(append(append([][]float64{{want.Loss}}, want.Last...), want.Results...), want.Gradients...)
				if len(got) != len(all) {
					t.Fatalf("%d outputs, want %d", len(got), len(all))
				}
				for i, w := range all {
					if d := distance(tensors.MustCopyFlatData[float64](got[i]), w); d > 1e-12 {
						t.Errorf("%s %s: output %d is off by %g", name, form, i, d)
					}
				}
			}
		}
	})
}

// TestLinearScanLengths: T that are powers of two and not, from 1 on, in float32 by both forms.
func TestLinearScanLengths(t *testing.T) {
	for _, T := range []int{1, 2, 3, 8, 13} {
		for _, reversed := range []bool{false, true} {
			run := func(form birnnlib.LinearForm) []*tensors.Tensor {
				outputs, err := CallOnceN(backendtest.Go(t), func(a, b, initial *Node) []*Node {
					h, last := birnnlib.LinearScan(a, b, initial).Reversed(reversed).Form(form).Done()
					outputs := linearOutputs(a, b, initial, h, last)
					for i, y := range outputs {
						outputs[i] = ConvertDType(y, dtypes.Float64)
					}
					return outputs
				}, sines(0, T, 2, 3), sines(1, T, 2, 3), sines(2, 2, 3))
				if err != nil {
					t.Fatal(err)
				}
				return outputs
			}
			same(t, fmt.Sprintf("T=%d reversed=%t", T, reversed), run(birnnlib.LinearAssociative), run(birnnlib.LinearSequential), 1e-12)
		}
	}
}

// TestMinClosed: where both gates of MinLSTM are closed to the last digit, they still share what there is.
func TestMinClosed(t *testing.T) {
	h, err := model.CallOnce(backendtest.Go(t), model.NewStore(), func(scope *model.Scope, x *Node) *Node {
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 1}).Cell(birnnlib.MinLSTM{}).
			Initializer(func(birnnlib.Weight) []float64 { return []float64{-1, -1, 1} }).Done()
		return h
	}, [][][]float32{{{1000}}})
	if err != nil {
		t.Fatal(err)
	}
	// W = [-1, -1, 1] and b the same: the gates are σ(-1001), and H̃ is 1001, of which I' = 1/2 is taken.
	if got := h.Value().([][][]float32)[0][0][0]; got != 500.5 {
		t.Errorf("H is %g, want 500.5", got)
	}
}
