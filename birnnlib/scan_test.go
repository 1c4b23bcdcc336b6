package birnnlib_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// sines draws the numbers of testdata/jax_scan.py.
func sines(stream int, dims ...int) *tensors.Tensor {
	x := tensors.FromShape(shapes.Make(dtypes.Float64, dims...))
	tensors.MustMutableFlatData(x, func(flat []float64) {
		for i := range flat {
			flat[i] = math.Sin(12.9898*float64(i+1) + 78.233*float64(stream+1))
		}
	})
	return x
}

// A recurrence is a step that is no cell, and the shapes of what it reads, by the stream of sines.
type recurrence struct {
	step                        func(w, before, at []*Node) (after, results []*Node)
	weights, initial, sequences []*tensors.Tensor
}

// recurrences are those of testdata/jax_scan.py.
func recurrences(T, n, d int) map[string]recurrence {
	positive := sines(3, n) // 1 + 0.5 sines
	tensors.MustMutableFlatData(positive, func(flat []float64) {
		for i := range flat {
			flat[i] = 1 + 0.5*flat[i]
		}
	})
	return map[string]recurrence{
		"ema": {func(w, before, at []*Node) (after, results []*Node) {
			s := Add(before[0], Mul(InsertAxes(Sigmoid(w[0]), 0), Sub(at[0], before[0])))
			return []*Node{s}, []*Node{s}
		}, []*tensors.Tensor{sines(0, d)}, []*tensors.Tensor{sines(1, n, d)}, []*tensors.Tensor{sines(2, T, n, d)}},

		"kalman": {func(w, before, at []*Node) (after, results []*Node) {
			q, r := Exp(w[0]), Exp(w[1])
			m, p := before[0], Add(before[1], q)
			k := Div(p, Add(p, r))
			innovation := Sub(at[0], m)
			m = Add(m, Mul(k, innovation))
			loss := MulScalar(Add(Log(Add(p, r)), Div(Square(innovation), Add(p, r))), 0.5)
			return []*Node{m, Mul(OneMinus(k), p)}, []*Node{m, loss}
		}, []*tensors.Tensor{sines(0), sines(1)}, []*tensors.Tensor{sines(2, n), positive}, []*tensors.Tensor{sines(4, T, n)}},

		"pointer": {func(w, before, at []*Node) (after, results []*Node) {
			memory, wq, wr := w[0], w[1], w[2]
			h := before[0]
			weights := Softmax(Einsum("nd,mnd->nm", Dot(h, wq).Product(), memory), -1)
			read := Einsum("nm,mnd->nd", weights, memory)
			h = Tanh(Sub(Add(Dot(read, wr).Product(), at[0]), ReduceAndKeep(h, ReduceMax, -1)))
			return []*Node{h}, []*Node{weights, read}
		}, []*tensors.Tensor{sines(0, 5, n, d), sines(1, d, d), sines(2, d, d)}, []*tensors.Tensor{sines(3, n, d)}, []*tensors.Tensor{sines(4, T, n, d)}},
	}
}

// run returns the loss of testdata/jax_scan.py, the last states, the results, and the gradients with respect to weights,
// initial states and sequences.
func (r recurrence) run(t *testing.T, b compute.Backend, configure func(*birnnlib.Loop) *birnnlib.Loop) []*tensors.Tensor {
	t.Helper()
	var inputs []any
	for _, group := range [][]*tensors.Tensor{r.weights, r.initial, r.sequences} {
		for _, x := range group {
			inputs = append(inputs, x)
		}
	}
	outputs, err := CallOnceN(b, func(in []*Node) []*Node {
		w, initial, sequences := in[:len(r.weights)], in[len(r.weights):len(r.weights)+len(r.initial)], in[len(r.weights)+len(r.initial):]
		last, results := configure(birnnlib.Scan(func(before, at []*Node) (after, results []*Node) { return r.step(w, before, at) }, initial, sequences...)).Done()
		loss := ScalarZero(in[0].Graph(), dtypes.Float64)
		for _, y := range results {
			loss = Add(loss, ReduceAllMean(Square(y)))
		}
		for _, s := range last {
			loss = Add(loss, ReduceAllSum(s))
		}
		outputs := append(append([]*Node{loss}, last...), results...)
		return append(outputs, Gradient(loss, in...)...)
	}, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// forms are the ways to run a recurrence of T steps.
func forms(T int) map[string]func(*birnnlib.Loop) *birnnlib.Loop {
	return map[string]func(*birnnlib.Loop) *birnnlib.Loop{
		"":          func(l *birnnlib.Loop) *birnnlib.Loop { return l },
		"recompute": func(l *birnnlib.Loop) *birnnlib.Loop { return l.Recompute(true) },
		"by five":   func(l *birnnlib.Loop) *birnnlib.Loop { return l.Unroll(5) }, // with a rest
		"unrolled":  func(l *birnnlib.Loop) *birnnlib.Loop { return l.Unroll(T) },
	}
}

// scanFixture is testdata/jax_scan.json.
type scanFixture struct {
	T, N, D int
	Cases   map[string]struct {
		Loss                     float64
		Last, Results, Gradients [][]float64
	}
}

func jaxScan(t *testing.T) (fixture scanFixture) {
	t.Helper()
	data, err := os.ReadFile("testdata/jax_scan.json")
	if err == nil {
		err = json.Unmarshal(data, &fixture)
	}
	if err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) != 8 {
		t.Fatalf("%d cases in the fixture, want 8", len(fixture.Cases))
	}
	return fixture
}

// TestScanJAX compares recurrences that are no cells, and their gradients, with JAX's lax.scan; on XLA, which compiles for
// long, the loops only, one direction each.
func TestScanJAX(t *testing.T) {
	testScanJAX(t, func(b compute.Backend, name, form string) bool {
		return b.Name() == "Go Backend" || strings.HasSuffix(name, "_reversed") == (form == "recompute") && form != "unrolled" && form != "by five"
	})
}

func TestLongScanJAX(t *testing.T) {
	testall.Long(t)
	testScanJAX(t, func(compute.Backend, string, string) bool { return true })
}

func testScanJAX(t *testing.T, wanted func(b compute.Backend, name, form string) bool) {
	fixture := jaxScan(t)
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for name, want := range fixture.Cases {
			r, ok := recurrences(fixture.T, fixture.N, fixture.D)[strings.TrimSuffix(name, "_reversed")]
			if !ok {
				continue // TestLinearScan's
			}
			for form, configure := range forms(fixture.T) {
				if !wanted(b, name, form) {
					continue
				}
				got := r.run(t, b, func(l *birnnlib.Loop) *birnnlib.Loop {
					return configure(l.Reversed(strings.HasSuffix(name, "_reversed")))
				})
				all := append(append(append([][]float64{{want.Loss}}, want.Last...), want.Results...), want.Gradients...)
				if len(got) != len(all) {
					t.Fatalf("%s %s: %d outputs, want %d", name, form, len(got), len(all))
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

// distance is the largest difference, relative to the largest magnitude where that is above 1.
func distance(got, want []float64) (worst float64) {
	if len(got) != len(want) {
		return math.Inf(1)
	}
	largest := 1.0
	for i := range want {
		largest = max(largest, math.Abs(want[i]))
		if d := math.Abs(got[i] - want[i]); !(d <= worst) {
			worst = d
		}
	}
	return worst / largest
}

// TestScanForms compares all forms with the unrolled one: T from 1 on, lengths, masks with holes, a state and a sequence of integers,
// results of other dtypes, and weights that depend on each other.
func TestScanForms(t *testing.T) { testScanForms(t, 9) }

func TestLongScanForms(t *testing.T) {
	testall.Long(t)
	testScanForms(t, 1, 2, 10)
}

func testScanForms(t *testing.T, lengths ...int) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		const n, h = 3, 4
		for _, T := range lengths {
			mask := make([][]bool, T)
			for i := range mask {
				mask[i] = []bool{true, i%3 != 1, i < T/2}
			}
			pad := []int32{int32(T), int32(T / 2), 0}
			for _, padding := range []string{"none", "lengths", "mask"} {
				for _, reversed := range []bool{false, true} {
					if !testall.On() && b.Name() != "Go Backend" && !(reversed && padding == "lengths") {
						continue // the others run with TestLongScanForms
					}
					run := func(b compute.Backend, configure func(*birnnlib.Loop) *birnnlib.Loop) []*tensors.Tensor {
						outputs, err := CallOnceN(b, func(in []*Node) []*Node {
							x, state, w, v, indices := in[0], in[1], in[2], in[3], in[4]
							count := Iota(x.Graph(), shapes.Make(dtypes.Int32, n), 0)
							both := Mul(w, w) // depends on w, which the step reads too
							loop := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
								s := Tanh(Add(Dot(before[0], w).Product(), Add(at[0], Gather(both, InsertAxes(at[1], -1)))))
								s = Sub(s, MulScalar(ReduceAndKeep(s, ReduceMean, -1), 0.5))
								count := AddScalar(before[1], 1)
								return []*Node{s, count}, []*Node{s, ConvertDType(ReduceMax(s, -1), dtypes.Float32), count, GreaterThan(s, ScalarZero(s.Graph(), s.DType()))}
							}, []*Node{state, count}, x, indices).Reversed(reversed)
							switch padding {
							case "lengths":
								loop.Lengths(Const(x.Graph(), pad))
							case "mask":
								loop.Mask(Const(x.Graph(), mask))
							}
							last, results := configure(loop).Done()
							loss := Add(ReduceAllSum(Mul(results[0], v)), Add(ReduceAllSum(Sin(last[0])), ReduceAllSum(Square(ConvertDType(results[1], dtypes.Float64)))))
							outputs := append([]*Node{loss, last[0], ConvertDType(last[1], dtypes.Float64), ConvertDType(results[2], dtypes.Float64), ConvertDType(results[3], dtypes.Float64)},
								Gradient(loss, x, state, w)...)
							return outputs
						}, sines(0, T, n, h), sines(1, n, h), sines(2, h, h), sines(3, T, n, h), indices(T, n, h))
						if err != nil {
							t.Fatal(err)
						}
						return outputs
					}
					want := run(gobackend.GetBackend(), forms(T)["unrolled"])
					for form, configure := range forms(T) {
						if form == "unrolled" {
							continue // the same graph
						}
						same(t, fmt.Sprintf("T=%d %s reversed=%t %s", T, padding, reversed, form), run(b, configure), want, 1e-12)
					}
				}
			}
		}
	})
}

// indices are T·n numbers from 0 to d-1.
func indices(T, n, d int) *tensors.Tensor {
	values := make([]int32, T*n)
	for i := range values {
		values[i] = int32(i * i % d)
	}
	return tensors.FromFlatDataAndDimensions(values, T, n)
}

// TestScanPlaces has Scans where they are used: two in one graph, of which one reads the other's results, inside the
// gradient of another loss, with dropout, with products of all kinds, in a layer with lengths, without a sequence, and inside the step of another.
func TestScanPlaces(t *testing.T) {
	const T, n, h = 6, 2, 3
	rnn := func(w *Node) birnnlib.StepFunction {
		return func(before, at []*Node) (after, results []*Node) {
			s := Tanh(Add(at[0], Dot(before[0], w).Product()))
			return []*Node{s}, []*Node{s}
		}
	}
	for name, build := range map[string]func(scope *model.Scope, unroll int, x, state, w *Node) (loss *Node){
		"one reads the other": func(_ *model.Scope, unroll int, x, state, w *Node) *Node {
			last, below := birnnlib.Scan(rnn(w), []*Node{state}, x).Unroll(unroll).Done()
			_, above := birnnlib.Scan(rnn(Transpose(w, 0, 1)), last, below[0]).Reversed(true).Unroll(unroll).Done()
			return ReduceAllSum(Square(above[0]))
		},
		"a gradient in the loss": func(_ *model.Scope, unroll int, x, state, w *Node) *Node {
			inner := Gradient(ReduceAllSum(Exp(w)), w)[0]
			_, results := birnnlib.Scan(rnn(Mul(w, inner)), []*Node{state}, x).Unroll(unroll).Done()
			return ReduceAllSum(Square(results[0]))
		},
		"dropout": func(scope *model.Scope, unroll int, x, state, w *Node) *Node {
			g := x.Graph()
			// A mask for each time step, as a sequence.
			keep := ConvertDType(LessThan(Const(g, sines(9, T, n, h)), ScalarZero(g, x.DType())), x.DType())
			_, results := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
				s := Tanh(Add(at[0], Dot(Mul(before[0], at[1]), w).Product()))
				return []*Node{s}, []*Node{s}
			}, []*Node{state}, x, keep).Unroll(unroll).Done()
			return ReduceAllSum(Square(results[0]))
		},
		"products": func(_ *model.Scope, unroll int, x, state, w *Node) *Node {
			// Of a sequence, of a state and of what was computed from it, with one weight and with its transpose; with a weight
			// that is used elsewhere too; and over the batch.
			both, pair := MulScalar(w, 0.5), Slice(w, AxisRange(0, 2), AxisRange(0, 2))
			last, results := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
				gate := Sigmoid(Add(Dot(at[0], w).Product(), Dot(before[0], w).Product()))
				s := Tanh(Add(Dot(Mul(gate, before[0]), Transpose(w, 0, 1)).Product(), at[0]))
				s = Add(s, Mul(Dot(s, both).Product(), BroadcastToDims(ReduceAllSum(both), 2, 3)))
				y := Dot(s, pair).General([]int{0}, nil, []int{0}, nil) // [h, 2]
				return []*Node{s}, []*Node{Dot(at[0], w).Product(), y}
			}, []*Node{state}, x).Unroll(unroll).Done()
			return Add(ReduceAllSum(Square(last[0])), Add(ReduceAllSum(Sin(results[0])), ReduceAllSum(Square(results[1]))))
		},
		"no sequence": func(_ *model.Scope, unroll int, _, state, w *Node) *Node {
			last, results := birnnlib.Scan(func(before, _ []*Node) (after, results []*Node) {
				s := Tanh(Dot(before[0], w).Product())
				return []*Node{s}, []*Node{s}
			}, []*Node{state}).Steps(T).Unroll(unroll).Done()
			return Add(ReduceAllSum(Square(results[0])), ReduceAllSum(last[0]))
		},
		"a Scan in the step": func(_ *model.Scope, unroll int, x, state, w *Node) *Node {
			_, results := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
				last, _ := birnnlib.Scan(rnn(w), before, Stack([]*Node{at[0], Neg(at[0])}, 0)).Unroll(unroll).Done()
				return last, last
			}, []*Node{state}, x).Unroll(unroll).Done()
			return ReduceAllSum(Square(results[0]))
		},
	} {
		t.Run(name, func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b compute.Backend) {
				run := func(unroll int) []*tensors.Tensor {
					outputs, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, in []*Node) []*Node {
						loss := build(scope, unroll, in[0], in[1], in[2])
						return append([]*Node{loss}, Gradient(loss, in...)...)
					}, sines(0, T, n, h), sines(1, n, h), sines(2, h, h))
					if err != nil {
						t.Fatal(err)
					}
					return outputs
				}
				same(t, name, run(0), run(T), 1e-12)
			})
		})
	}
}

// TestScanLong runs an exponential moving average over many time steps against the plain computation.
func TestScanLong(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		T := 10_000
		if b.Name() == "Go Backend" {
			T = 200
		}
		x, sum, gradient := sines(0, T), 0.0, make([]float64, T)
		values := tensors.MustCopyFlatData[float64](x)
		for _, v := range values {
			sum = 0.9*sum + 0.1*v
		}
		for i := range gradient {
			gradient[i] = 0.1 * math.Pow(0.9, float64(T-1-i))
		}
		for _, recompute := range []bool{false, true} {
			outputs, err := CallOnceN(b, func(x *Node) []*Node {
				last, _ := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
					return []*Node{Add(MulScalar(before[0], 0.9), MulScalar(at[0], 0.1))}, nil
				}, []*Node{ScalarZero(x.Graph(), x.DType())}, x).Recompute(recompute).Done()
				return append(last, Gradient(last[0], x)...)
			}, x)
			if err != nil {
				t.Fatal(err)
			}
			if got := tensors.ToScalar[float64](outputs[0]); math.Abs(got-sum) > 1e-13 {
				t.Errorf("recompute %t: the average is %g, want %g", recompute, got, sum)
			}
			if d := distance(tensors.MustCopyFlatData[float64](outputs[1]), gradient); d > 1e-13 {
				t.Errorf("recompute %t: the gradient is off by %g", recompute, d)
			}
		}
	})
}

func TestScanErrors(t *testing.T) {
	same := func(before, _ []*Node) (after, results []*Node) { return before, nil }
	for name, test := range map[string]struct {
		build func(x *Node) *birnnlib.Loop
		want  []string
	}{
		"no state": {func(x *Node) *birnnlib.Loop { return birnnlib.Scan(same, nil, x) }, []string{"no initial state"}},
		"no steps": {func(x *Node) *birnnlib.Loop { return birnnlib.Scan(same, []*Node{x}) }, []string{"0 time steps", "Steps(T)"}},
		"other T":  {func(x *Node) *birnnlib.Loop { return birnnlib.Scan(same, []*Node{x}, x).Steps(5) }, []string{"sequence 1", "[4, 2, 3]", "T = 5"}},
		"negative": {func(x *Node) *birnnlib.Loop { return birnnlib.Scan(same, []*Node{x}, x).Unroll(-1) }, []string{"Unroll got -1"}},
		"lengths":  {func(x *Node) *birnnlib.Loop { return birnnlib.Scan(same, []*Node{x}, x).Lengths(x) }, []string{"Lengths got (Float64)[4, 2, 3]"}},
		"mask":     {func(x *Node) *birnnlib.Loop { return birnnlib.Scan(same, []*Node{x}, x).Mask(x) }, []string{"Mask got (Float64)[4, 2, 3]"}},
		"state's batch": {func(x *Node) *birnnlib.Loop {
			return birnnlib.Scan(same, []*Node{x}, x).Lengths(Const(x.Graph(), []int32{1, 2}))
		}, []string{"state 1", "the batch, 2"}},
		"another shape": {func(x *Node) *birnnlib.Loop {
			return birnnlib.Scan(func(before, at []*Node) (after, results []*Node) { return at, nil }, []*Node{x}, x)
		}, []string{"got state 1 as (Float64)[4, 2, 3]", "(Float64)[2, 3]"}},
		"another number": {func(x *Node) *birnnlib.Loop {
			return birnnlib.Scan(func(before, at []*Node) (after, results []*Node) { return nil, nil }, []*Node{x}, x)
		}, []string{"got 1 states and returned 0"}},
	} {
		_, err := CallOnceN(gobackend.GetBackend(), func(x *Node) []*Node { last, _ := test.build(x).Done(); return last }, sines(0, 4, 2, 3))
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error is %q, want %q in it", name, err, want)
			}
		}
	}
}

// TestSecondDerivative: a loop has first derivatives only, and says so.
func TestSecondDerivative(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		if b.Name() == "Go Backend" {
			t.Skip("pure Go has no loops")
		}
		_, err := CallOnceN(b, func(x *Node) []*Node {
			last, _ := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
				return []*Node{Sin(Mul(before[0], at[0]))}, nil
			}, []*Node{ScalarOne(x.Graph(), x.DType())}, x).Done()
			return Gradient(ReduceAllSum(Gradient(last[0], x)[0]), x)
		}, sines(0, 5))
		if err == nil || !strings.Contains(err.Error(), "first derivatives only") {
			t.Errorf("the error is %v", err)
		}
	})
}
