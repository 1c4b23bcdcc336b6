package birnnlib_test

import (
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
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
				a := sigmoid(sines(0, fixture.T, fixture.N, fixture.D))
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

// TestLinearScanLengths: T that are powers of two and not, from 1 on, by both forms.
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

// TestLinearScanPadding compares sequences of different lengths in one batch, padded with NaN, and a mask with holes, with each
// sequence alone without its padding.
func TestLinearScanPadding(t *testing.T) {
	const T, n, d = 7, 3, 2
	flat := tensors.MustCopyFlatData[float64]
	lengths := []int32{7, 4, 0}
	holes := func(t, i int) bool { return t%3 != i%3 }
	short := func(t, i int) bool { return t < int(lengths[i]) }
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		for name, valid := range map[string]func(t, i int) bool{"lengths": short, "mask": holes} {
			mask := make([][]bool, T)
			a, b, initial := flat(sigmoid(sines(0, T, n, d))), flat(sines(1, T, n, d)), flat(sines(2, n, d))
			for s := range T {
				for i := range n {
					if mask[s] = append(mask[s], valid(s, i)); !valid(s, i) {
						for k := range d {
							a[(s*n+i)*d+k], b[(s*n+i)*d+k] = math.NaN(), math.NaN()
						}
					}
				}
			}
			for _, reversed := range []bool{false, true} {
				for form, value := range linearForms {
					if form == "default" {
						continue // one of the others
					}
					outputs, err := CallOnceN(backend, func(a, b, initial *Node) []*Node {
						scan := birnnlib.LinearScan(a, b, initial).Reversed(reversed).Form(value)
						if name == "lengths" {
							scan.Lengths(Const(a.Graph(), lengths))
						} else {
							scan.Mask(Const(a.Graph(), mask))
						}
						h, last := scan.Done()
						return append([]*Node{h, last}, Gradient(Add(ReduceAllSum(Square(h)), ReduceAllSum(last)), a, b, initial)...)
					}, tensors.FromFlatDataAndDimensions(a, T, n, d), tensors.FromFlatDataAndDimensions(b, T, n, d), tensors.FromFlatDataAndDimensions(initial, n, d))
					if err != nil {
						t.Fatal(err)
					}
					for i := range n {
						for k := range d {
							var at []int // the valid entries of this unit, in the direction of the walk
							for s := range T {
								if valid(s, i) {
									at = append(at, (s*n+i)*d+k)
								}
							}
							if reversed {
								slices.Reverse(at)
							}
							want := initial[i*d+k]
							h := make([]float64, T*n*d)
							for _, p := range at {
								want = a[p]*want + b[p]
								h[p] = want
							}
							dh := 1.0
							da, db := make([]float64, T*n*d), make([]float64, T*n*d)
							for q := len(at) - 1; q >= 0; q-- {
								p, before := at[q], initial[i*d+k]
								if q > 0 {
									before = h[at[q-1]]
								}
								dh += 2 * h[p]
								da[p], db[p] = dh*before, dh
								dh *= a[p]
							}
							check := func(what string, got, want float64) {
								if !(math.Abs(got-want) <= 1e-12) {
									t.Errorf("%s reversed=%t %s: %s of sequence %d is %g, want %g", name, reversed, form, what, i, got, want)
								}
							}
							check("the last state", flat(outputs[1])[i*d+k], want)
							check("the gradient of the initial state", flat(outputs[4])[i*d+k], dh)
							for s := range T {
								p := (s*n+i)*d + k
								check("h", flat(outputs[0])[p], h[p])
								check("the gradient of a", flat(outputs[2])[p], da[p])
								check("the gradient of b", flat(outputs[3])[p], db[p])
							}
						}
					}
				}
			}
		}
	})
}

// TestLinearScanFloat32: T above a thousand in float32, against the recurrence and the formulas of its gradient in float64.
func TestLinearScanFloat32(t *testing.T) {
	const T, n, tolerance = 1500, 5, 1e-5
	flat := tensors.MustCopyFlatData[float64]
	backendtest.Each(t, func(t *testing.T, backend compute.Backend) {
		a, b, initial := sigmoid(sines(0, T, n)), sines(1, T, n), sines(2, n)
		for _, reversed := range []bool{false, true} {
			want := linearByFormulas(flat(a), flat(b), flat(initial), reversed)
			for form, value := range linearForms {
				if value == birnnlib.LinearDefault || value == birnnlib.LinearSequential && !hasLoops(backend) {
					continue // one of the others; 1500 time steps unrolled
				}
				got, err := CallOnceN(backend, func(a, b, initial *Node) []*Node {
					single := []*Node{a, b, initial}
					for i, x := range single {
						single[i] = ConvertDType(x, dtypes.Float32)
					}
					h, last := birnnlib.LinearScan(single[0], single[1], single[2]).Reversed(reversed).Form(value).Done()
					outputs := linearOutputs(single[0], single[1], single[2], h, last)[1:]
					for i, y := range outputs {
						outputs[i] = ConvertDType(y, dtypes.Float64)
					}
					return outputs
				}, a, b, initial)
				if err != nil {
					t.Fatal(form, err)
				}
				for i, what := range []string{"the last state", "h", "the gradient of a", "of b", "of the initial state"} {
					if d := distance(flat(got[i]), want[i]); d > tolerance {
						t.Errorf("reversed=%t, %s: %s is off by %g", reversed, form, what, d)
					}
				}
			}
		}
	})
}

// TestLinearDefault counts nodes: on pure Go, the sequential form has several for each time step, the associative one for
// each level.
func TestLinearDefault(t *testing.T) {
	b := backendtest.Go(t)
	for _, test := range []struct {
		T, entry   int
		sequential bool
	}{{200, 8, true}, {201, 8, false}, {201, 1024, false}, {201, 1025, true}, {1000, 1025, true}, {1001, 1025, false}} {
		g := NewGraph(b, "default")
		x := Parameter(g, "x", shapes.Make(dtypes.Float32, test.T, test.entry))
		birnnlib.LinearScan(x, x, nil).Done()
		if nodes := len(g.Nodes()); (nodes > test.T) != test.sequential {
			t.Errorf("[%d, %d]: %d nodes; is it to be sequential? %t", test.T, test.entry, nodes, test.sequential)
		}
		g.Finalize()
	}
}

// linearByFormulas returns the last state of h_t = a_t h_{t-1} + b_t, h, and the gradient of the mean of h² plus the sum of
// the last states with respect to a, b and the initial state.
func linearByFormulas(a, b, initial []float64, reversed bool) [][]float64 {
	n := len(initial)
	h, da, db := make([]float64, len(a)), make([]float64, len(a)), make([]float64, len(a))
	order := make([]int, 0, len(a)/n) // where the entries of each time step begin
	for i := 0; i < len(a); i += n {
		order = append(order, i)
	}
	if reversed {
		slices.Reverse(order)
	}
	state, d := slices.Clone(initial), slices.Repeat([]float64{1}, n)
	for _, at := range order {
		for k := range n {
			da[at+k] = state[k] // h_{t-1}
			state[k] = a[at+k]*state[k] + b[at+k]
			h[at+k] = state[k]
		}
	}
	slices.Reverse(order)
	for _, at := range order {
		for k := range n {
			d[k] += 2 * h[at+k] / float64(len(h))
			db[at+k] = d[k]
			da[at+k] *= d[k]
			d[k] *= a[at+k]
		}
	}
	return [][]float64{state, h, da, db, d}
}

// sigmoid applies σ to x, in place.
func sigmoid(x *tensors.Tensor) *tensors.Tensor {
	tensors.MustMutableFlatData(x, func(flat []float64) {
		for i, v := range flat {
			flat[i] = 1 / (1 + math.Exp(-v))
		}
	})
	return x
}

func hasLoops(b compute.Backend) bool { return b.Capabilities().Operations[compute.OpTypeDynamicSlice] }

// BenchmarkLinearForms times both forms of a LinearScan of n sequences of 256 units, alone and with its gradient; s/first is
// the first call, which compiles.
// LinearDefault is chosen by it:
//
//	GOMLX_BACKEND=xla:cpu go test -run - -bench LinearForms ./birnnlib
//	GOMLX_BACKEND=go CGO_ENABLED=0 GOEXPERIMENT=simd GODEBUG=asyncpreemptoff=1 go test -run - -bench LinearForms ./birnnlib
func BenchmarkLinearForms(b *testing.B) {
	backend := backendtest.One(b)
	for _, T := range []int{4, 35, 140, 280, 1000, 4000} {
		for _, n := range []int{1, 4, 32} {
			if T*n > 32_000 {
				continue // x alone would take 131 MB
			}
			for _, gradient := range []bool{false, true} {
				for _, form := range []string{"sequential", "associative"} {
					b.Run(fmt.Sprintf("T=%d/n=%d/gradient=%t/%s", T, n, gradient, form), func(b *testing.B) {
						exec := MustNewExec(backend, func(x *Node) []*Node {
							a, b := Sigmoid(x), Neg(x)
							h, last := birnnlib.LinearScan(a, b, nil).Form(linearForms[form]).Done()
							if !gradient {
								return []*Node{h, last}
							}
							return Gradient(Add(ReduceAllMean(Square(h)), ReduceAllSum(last)), a, b)
						})
						defer exec.Finalize()
						values := make([]float32, T*n*256)
						for i := range values {
							values[i] = float32(math.Sin(12.9898 * float64(i+1)))
						}
						x := tensors.FromFlatDataAndDimensions(values, T, n, 256)
						if err := x.ToDevice(backend, 0); err != nil {
							b.Fatal(err)
						}
						step := func() {
							for _, y := range exec.MustCall(x) {
								y.MustFinalizeAll()
							}
						}
						started := time.Now()
						step()
						first := time.Since(started)
						for b.Loop() {
							step()
						}
						b.ReportMetric(first.Seconds(), "s/first")
					})
				}
			}
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
