package birnnlib_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
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
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// allCells are the cells with every option that changes what they compute.
var allCells = map[string]birnnlib.Cell{
	"RNN sigmoid":          birnnlib.RNN{Activation: activation.TypeSigmoid},
	"RNN tanh":             birnnlib.RNN{},
	"RNN relu, no bias":    birnnlib.RNN{Activation: activation.TypeRelu, NoBias: true},
	"RNN gelu":             birnnlib.RNN{Activation: activation.TypeGelu},
	"RNN softsign":         birnnlib.RNN{Function: softsign},
	"LSTM":                 birnnlib.LSTM{ForgetBias: 1},
	"LSTM peepholes":       birnnlib.LSTM{Peepholes: true},
	"LSTM projection":      birnnlib.LSTM{Projection: 2, NoBias: true},
	"LSTM peepholes, proj": birnnlib.LSTM{Peepholes: true, Projection: 2},
	"LSTM activations":     birnnlib.LSTM{Gate: activation.HardSigmoid, Candidate: activation.Relu, Output: softsign, Peepholes: true},
	"GRU":                  birnnlib.GRU{},
	"GRU no bias":          birnnlib.GRU{NoBias: true},
	"GRU reset before":     birnnlib.GRU{ResetBefore: true},
	"GRU activations":      birnnlib.GRU{Gate: activation.HardSigmoid, Candidate: softsign},
	"MinGRU":               birnnlib.MinGRU{},
	"MinGRU positive":      birnnlib.MinGRU{Positive: true},
	"MinLSTM":              birnnlib.MinLSTM{},
	"MinLSTM positive":     birnnlib.MinLSTM{Positive: true},
}

// everywhere draws all parameters, including vectors, large enough for each to matter.
func everywhere(w birnnlib.Weight) []float64 {
	values := birnnlib.TorchUniform().Seed(5)(w)
	for i := range values {
		values[i] *= 1.5
	}
	return values
}

// network is a network that uses all paths through a recurrence: initial states, and outputs and final states in the
// loss.
type network struct {
	cell    birnnlib.Cell
	change  func(*birnnlib.BiRNN) *birnnlib.BiRNN // further options
	lengths []int32
	indices bool // x is [T, n] of indices
	T, n    int
	seed    uint64
}

const networkInputs = 3

func (net network) sizes() []birnnlib.Sizes {
	return []birnnlib.Sizes{{Forward: 3, Backward: 2}}
}

// build returns the loss, the outputs, the final states and the gradient with respect to every parameter and to x.
func (net network) build(scope *model.Scope, x *Node) []*Node {
	g := x.Graph()
	var initial []birnnlib.State
	for l, s := range net.sizes() {
		states := func(direction, h int) (nodes []*Node) {
			for i, size := range net.cell.Layout(h).States {
				nodes = append(nodes, Const(g, random(uint64(100*l+10*direction+i), net.n, size)))
			}
			return nodes
		}
		initial = append(initial, birnnlib.State{Forward: states(0, s.Forward), Backward: states(1, s.Backward)})
	}
	b := birnnlib.New(scope, x, net.sizes()...).Cell(net.cell).InitialStates(initial...).Initializer(everywhere)
	if net.indices {
		b.OneHot(networkInputs).DType(dtypes.Float64)
	}
	if net.lengths != nil {
		b.Lengths(Const(g, net.lengths))
	}
	if net.change != nil {
		b = net.change(b)
	}
	h, final := b.Done()
	loss := ReduceAllSum(Sin(MulScalar(h, 2)))
	outputs := []*Node{h}
	var wrt []*Node
	for l, s := range final {
		for i, states := range [][]*Node{s.Forward, s.Backward, initial[l].Forward, initial[l].Backward} {
			if i >= 2 {
				wrt = append(wrt, states...)
				continue
			}
			outputs = append(outputs, states...)
			for _, s := range states {
				loss = Add(loss, ReduceAllSum(Mul(s, Cos(s))))
			}
		}
	}
	for v := range scope.IterVariables() {
		wrt = append(wrt, v.NodeValue(g))
	}
	if !net.indices {
		wrt = append(wrt, x)
	}
	return append(append([]*Node{loss}, outputs...), Gradient(loss, wrt...)...)
}

func (net network) input() *tensors.Tensor {
	if !net.indices {
		return random(net.seed, net.T, net.n, networkInputs)
	}
	rng := rand.New(rand.NewPCG(net.seed, 1))
	values := make([]int32, net.T*net.n)
	for i := range values {
		values[i] = rng.Int32N(networkInputs)
	}
	return tensors.FromFlatDataAndDimensions(values, net.T, net.n)
}

func (net network) run(t *testing.T, b compute.Backend, store *model.Store) []*tensors.Tensor {
	t.Helper()
	outputs, err := model.CallOnceN(b, store, net.build, net.input())
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// same fails if two results differ by more than δ of the largest magnitude.
func same(t *testing.T, what string, got, want []*tensors.Tensor, δ float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d results, want %d", what, len(got), len(want))
	}
	for i := range want {
		g, w := tensors.MustCopyFlatData[float64](got[i]), tensors.MustCopyFlatData[float64](want[i])
		var largest, worst float64
		for k := range w {
			largest = max(largest, math.Abs(w[k]))
			worst = max(worst, math.Abs(g[k]-w[k]))
			if math.IsNaN(g[k]) {
				worst = math.Inf(1)
			}
		}
		if worst > δ*max(largest, 1) {
			t.Errorf("%s: result %d, %s, is off by %g, where the largest is %g", what, i, want[i].Shape(), worst, largest)
		}
	}
}

// TestGradientsOfCells compares the hand-written gradient of every cell, in every form of the recurrence, with the one
// that GoMLX derives in pure Go for the unrolled cell.
func TestGradientsOfCells(t *testing.T) { gradientsOfCells(t) }

func TestLongGradientsOfCells(t *testing.T) {
	testall.Long(t)
	gradientsOfCells(t)
}

func gradientsOfCells(t *testing.T) {
	type gradientCase struct {
		cell   birnnlib.Cell
		change func(*birnnlib.BiRNN) *birnnlib.BiRNN
	}
	cases := map[string]gradientCase{}
	for name, cell := range allCells {
		cases[name+", default"] = gradientCase{cell, nil}
		cases[name+", unroll 2"] = gradientCase{cell, func(b *birnnlib.BiRNN) *birnnlib.BiRNN { return b.Unroll(2) }}
		cases[name+", derived"] = gradientCase{plain{cell}, nil}
		cases[name+", recompute"] = gradientCase{cell, func(b *birnnlib.BiRNN) *birnnlib.BiRNN { return b.Recompute(true) }}
	}
	// TestAgainstTorch and TestAgainstONNX cover the other cells.
	onXLA := []string{"LSTM peepholes, proj, default", "GRU, recompute", "LSTM, derived", "MinLSTM, default", "RNN relu, no bias, unroll 2"}
	matrix(t, slices.Sorted(maps.Keys(cases)), onXLA, func(t *testing.T, b compute.Backend, name string) {
		// A chunk of two time steps, and a remainder.
		net := network{cell: plain{cases[name].cell}, lengths: []int32{3, 0, 2}, T: 3, n: 3, seed: 7}
		want := net.run(t, gobackend.GetBackend(), model.NewStore())
		net.cell = cases[name].cell
		if compiles(b) { // pure Go has no loops: all forms are the same there
			net.change = cases[name].change
		}
		same(t, name, net.run(t, b, model.NewStore()), want, 1e-12)
	})
}

// TestActivations: an RNN with every activation of GoMLX, and its gradient, against the formula written out.
func TestActivations(t *testing.T) {
	t.Parallel()
	const T, n, d, h = 3, 2, 4, 5
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		types := []activation.Type{activation.TypeGelu, activation.TypeHardSigmoid}
		if !compiles(b) { // XLA takes a second for each
			types = slices.DeleteFunc(slices.Clone(activation.TypeValues()), func(φ activation.Type) bool {
				return φ == activation.TypeNone || φ == activation.TypeSwiGLU
			})
		}
		outputs, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, x *Node) (outputs []*Node) {
			for _, φ := range types {
				in := scope.In("%s", φ)
				got, _ := birnnlib.New(in, x, birnnlib.Sizes{Forward: h}).Cell(birnnlib.RNN{Activation: φ}).Initializer(everywhere).Done()
				parameter := func(name string) *Node { return in.At("layer_1").GetVariable(name).NodeValue(x.Graph()) }
				wxh, whh, bh := parameter("W_xh^f"), parameter("W_hh^f"), parameter("b_h^f")
				var each []*Node
				H := Zeros(x.Graph(), shapes.Make(x.DType(), n, h))
				for t := range T {
					Xt := Squeeze(Slice(x, AxisElem(t)), 0)
					H = activation.Apply(φ, Add(Add(MatMul(Xt, wxh), MatMul(H, whh)), InsertAxes(bh, 0)))
					each = append(each, H)
				}
				want := Stack(each, 0)
				outputs = append(outputs, got, want)
				gradient := func(y *Node) []*Node { return Gradient(ReduceAllSum(Mul(y, Sin(y))), wxh, whh, bh, x) }
				gradients := gradient(want)
				for i, g := range gradient(got) {
					outputs = append(outputs, g, gradients[i])
				}
			}
			return outputs
		}, random(3, T, n, d))
		if err != nil {
			t.Fatal(err)
		}
		each := len(outputs) / len(types)
		for i, φ := range types {
			for j := 0; j < each; j += 2 {
				same(t, fmt.Sprintf("%s, result %d", φ, j/2), outputs[each*i+j:each*i+j+1], outputs[each*i+j+1:each*i+j+2], 1e-12)
			}
		}
	})
}

// plain hides the gradient of a cell.
type plain struct{ birnnlib.Cell }

// TestRecomputeIndices tests Recompute on one-hot inputs, whose weights have a different gradient there.
func TestRecomputeIndices(t *testing.T) { recomputeIndices(t) }

func TestLongRecomputeIndices(t *testing.T) {
	testall.Long(t)
	recomputeIndices(t)
}

func recomputeIndices(t *testing.T) {
	steps := map[string]int{"T=1, a single chunk": 1, "T=4, chunks that fit": 4, "T=5, chunks with a rest": 5}
	matrix(t, slices.Sorted(maps.Keys(steps)), []string{"T=5, chunks with a rest"}, func(t *testing.T, b compute.Backend, name string) {
		T := steps[name]
		net := network{cell: birnnlib.LSTM{}, lengths: []int32{int32(T), int32(T / 2)}, indices: true, T: T, n: 2, seed: 3}
		want := net.run(t, gobackend.GetBackend(), model.NewStore())
		net.change = func(b *birnnlib.BiRNN) *birnnlib.BiRNN { return b.Recompute(true) }
		same(t, name, net.run(t, b, model.NewStore()), want, 1e-12)
	})
}

// TestCellGradientsByDifferences checks the reference of TestGradientsOfCells itself: central differences of the loss.
func TestCellGradientsByDifferences(t *testing.T) {
	const T, n, ε = 3, 2, 1e-6
	b := gobackend.GetBackend() // it compiles fastest
	for name, cell := range allCells {
		t.Run(name, func(t *testing.T) {
			store := model.NewStore()
			net := network{cell: cell, T: T, n: n, seed: 9}
			exec, err := model.NewExec(b, store, net.build)
			if err != nil {
				t.Fatal(err)
			}
			run := func() []*tensors.Tensor {
				outputs, err := exec.Call(net.input())
				if err != nil {
					t.Fatal(err)
				}
				return outputs
			}
			outputs := run()
			var variables []*model.Variable
			for v := range store.Scope("/").IterVariables() {
				variables = append(variables, v)
			}
			gradients := outputs[len(outputs)-1-len(variables) : len(outputs)-1]
			for i, v := range variables {
				values, dims := tensors.MustCopyFlatData[float64](v.MustValue()), v.Shape().Dimensions
				gradient := tensors.MustCopyFlatData[float64](gradients[i])
				k := len(values) / 2 // one entry is enough: all gradients of a parameter are computed together
				moved := func(δ float64) float64 {
					changed := append([]float64(nil), values...)
					changed[k] += δ
					if err := v.SetValue(tensors.FromFlatDataAndDimensions(changed, dims...)); err != nil {
						t.Fatal(err)
					}
					return tensors.ToScalar[float64](run()[0])
				}
				want := (moved(ε) - moved(-ε)) / (2 * ε)
				moved(0)
				if math.Abs(gradient[k]-want) > 1e-6*max(1, math.Abs(want)) {
					t.Errorf("gradient of %s[%d] is %g, finite differences say %g", v.Path(), k, gradient[k], want)
				}
			}
		})
	}
}

// TestLimits: one time step, one sequence, one unit, and lengths of 0 and T.
func TestLimits(t *testing.T) {
	t.Parallel()
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, recompute := range []bool{false, true} {
			for _, length := range []int32{0, 1} {
				outputs, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, x, lengths *Node) []*Node {
					h, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 1, Backward: 1}).Cell(birnnlib.LSTM{}).
						Initializer(everywhere).Lengths(lengths).Recompute(recompute).Done()
					gradient := Gradient(ReduceAllSum(h), x)[0]
					return []*Node{h, final[0].Concat(), gradient}
				}, random(1, 1, 1, 1), []int32{length})
				if err != nil {
					t.Fatal(err)
				}
				for i, o := range outputs {
					for _, v := range tensors.MustCopyFlatData[float64](o) {
						if (v != 0) != (length == 1) || math.IsNaN(v) {
							t.Errorf("recompute %t, length %d: output %d has %g", recompute, length, i, v)
						}
					}
				}
			}
		}
	})
}

// TestPermutation is a property of random networks: permuting the sequences of a batch permutes the results.
func TestPermutation(t *testing.T) {
	b := gobackend.GetBackend()
	rng := rand.New(rand.NewPCG(3, 4))
	for name, cell := range allCells {
		T, n, d := 1+rng.IntN(5), 2+rng.IntN(4), 1+rng.IntN(4)
		lengths, order := make([]int32, n), rng.Perm(n)
		for i := range lengths {
			lengths[i] = rng.Int32N(int32(T + 1))
		}
		difference, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x, lengths, order *Node) *Node {
			read := func(x, lengths *Node) *Node {
				h, _ := birnnlib.New(scope.ResetVisited(), x, birnnlib.Sizes{Forward: 3, Backward: 2}).Cell(cell).
					Initializer(everywhere).Lengths(lengths).BatchMajor(true).Done()
				return h
			}
			pick := func(x *Node) *Node { return Gather(x, InsertAxes(order, -1)) }
			return ReduceAllMax(Abs(Sub(read(pick(x), pick(lengths)), pick(read(x, lengths)))))
		}, random(rng.Uint64(), n, T, d), lengths, int32s(order))
		if err != nil {
			t.Fatalf("%s, T=%d n=%d d=%d: %v", name, T, n, d, err)
		}
		if off := tensors.ToScalar[float64](difference); !(off <= 1e-12) {
			t.Errorf("%s, T=%d n=%d: the permuted batch is off by %g", name, T, n, off)
		}
	}
}

func int32s(values []int) (converted []int32) {
	for _, v := range values {
		converted = append(converted, int32(v))
	}
	return converted
}

// TestPadding fills padding with values that must not matter, even infinities: outputs, final states and gradients are
// the same to the last bit, and zero at padding. The same holds for more padding in pure Go; XLA compiles a different
// program for it, which adds in another order.
func TestPadding(t *testing.T) { padding(t) }

func TestLongPadding(t *testing.T) {
	testall.Long(t)
	padding(t)
}

func padding(t *testing.T) {
	const T, n, d = 4, 3, 2
	names := []string{"RNN tanh", "LSTM peepholes, proj", "GRU", "GRU reset before"}
	matrix(t, names, []string{"RNN tanh"}, func(t *testing.T, b compute.Backend, name string) {
		exec, err := model.NewExec(b, model.NewStore(), func(scope *model.Scope, x, lengths *Node) []*Node {
			h, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 3, Backward: 2}).Cell(allCells[name]).
				Initializer(everywhere).Lengths(lengths).Done()
			loss := Add(ReduceAllSum(Mul(h, h)), ReduceAllSum(final[0].Concat()))
			return []*Node{h, final[0].Concat(), Gradient(loss, x)[0]}
		})
		if err != nil {
			t.Fatal(err)
		}
		x := tensors.MustCopyFlatData[float64](random(11, T, n, d))
		run := func(T int, padding float64) (h, final, dx []float64) {
			padded := append([]float64(nil), x...)
			for len(padded) < T*n*d {
				padded = append(padded, padding)
			}
			lengths := []int32{4, 1, 3}
			for t_ := range T {
				for i, length := range lengths {
					if t_ >= int(length) {
						for k := range d {
							padded[(t_*n+i)*d+k] = padding
						}
					}
				}
			}
			outputs, err := exec.Call(tensors.FromFlatDataAndDimensions(padded, T, n, d), lengths)
			if err != nil {
				t.Fatal(err)
			}
			flat := tensors.MustCopyFlatData[float64]
			return flat(outputs[0]), flat(outputs[1]), flat(outputs[2])
		}
		h, final, dx := run(T, 0)
		check := func(T int, padding, δ float64) {
			h2, final2, dx2 := run(T, padding)
			for what, pair := range map[string][2][]float64{"outputs": {h, h2}, "final states": {final, final2}, "gradient of x": {dx, dx2}} {
				for i, v := range pair[1] {
					want := 0.0
					if i < len(pair[0]) {
						want = pair[0][i]
					}
					if !(math.Abs(v-want) <= δ) || want == 0 && v != 0 {
						t.Errorf("%s, T=%d, padding %g: %s[%d] is %g, want %g", name, T, padding, what, i, v, want)
						break
					}
				}
			}
		}
		check(T, 1, 0)
		check(T, math.Inf(1), 0)
		check(T, math.NaN(), 0)
		if compiles(b) {
			check(T+3, math.NaN(), 1e-14)
		} else {
			check(T+3, math.NaN(), 0)
		}
	})
}

// TestPrecision compares outputs and gradients in 16 and 32 bits with those in 64 bits, to the precision of the type.
func TestPrecision(t *testing.T) { precision(t) }

func TestLongPrecision(t *testing.T) {
	testall.Long(t)
	precision(t)
}

func precision(t *testing.T) {
	names := []string{"RNN tanh", "LSTM peepholes", "GRU"}
	matrix(t, names, []string{"LSTM peepholes"}, func(t *testing.T, b compute.Backend, name string) {
		run := func(b compute.Backend, dtype dtypes.DType) []*tensors.Tensor {
			outputs, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
				h, _ := birnnlib.New(scope, ConvertDType(x, dtype), birnnlib.Sizes{Forward: 8, Backward: 8}).Cell(allCells[name]).
					Initializer(birnnlib.Glorot().Seed(3)).Done()
				loss := ReduceAllSum(Mul(ConvertDType(h, dtypes.Float64), ConvertDType(h, dtypes.Float64)))
				return []*Node{ConvertDType(h, dtypes.Float64), ConvertDType(Gradient(loss, x)[0], dtypes.Float64)}
			}, random(2, 12, 4, 8))
			if err != nil {
				t.Fatalf("%s, %s: %v", name, dtype, err)
			}
			return outputs
		}
		want := run(gobackend.GetBackend(), dtypes.Float64)
		for dtype, tolerance := range map[dtypes.DType]float64{dtypes.Float32: 1e-5, dtypes.BFloat16: 0.05, dtypes.Float16: 0.01} {
			if !b.Capabilities().DTypes[dtype] {
				t.Logf("%s has no %s", b.Name(), dtype)
				continue
			}
			if compiles(b) && dtype == dtypes.Float32 {
				continue // TestAgainstTorch covers it
			}
			same(t, dtype.String(), run(b, dtype), want, tolerance)
		}
	})
}

// TestMerge compares each merge with the separate outputs.
func TestMerge(t *testing.T) {
	b := gobackend.GetBackend()
	sizes := birnnlib.Sizes{Forward: 3, Backward: 3}
	for merge, want := range map[birnnlib.Merge]func(hf, hb *Node) *Node{
		birnnlib.MergeConcat:  func(hf, hb *Node) *Node { return Concatenate([]*Node{hf, hb}, -1) },
		birnnlib.MergeSum:     Add,
		birnnlib.MergeProduct: Mul,
		birnnlib.MergeMean:    func(hf, hb *Node) *Node { return DivScalar(Add(hf, hb), 2) },
	} {
		difference, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
			h, _ := birnnlib.New(scope, x, sizes).Initializer(everywhere).Merge(merge).Done()
			hf, hb, _ := birnnlib.New(scope.ResetVisited(), x, sizes).DoneApart()
			return ReduceAllMax(Abs(Sub(h, want(hf, hb))))
		}, random(1, 4, 2, 3))
		if err != nil {
			t.Fatal(err)
		}
		if off := tensors.ToScalar[float64](difference); off > 1e-15 {
			t.Errorf("%s is off by %g", merge, off)
		}
	}
}

// TestResidual checks that the input of the second layer is added to its output.
func TestResidual(t *testing.T) {
	b := gobackend.GetBackend()
	one, two := birnnlib.Sizes{Forward: 3, Backward: 2}, birnnlib.Sizes{Forward: 1, Backward: 4}
	difference, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
		both, _ := birnnlib.New(scope, x, one, two).Initializer(everywhere).Residual(true).Done()
		second, _ := birnnlib.New(scope.ResetVisited(), x, one, two).Done()
		first, _ := birnnlib.New(scope.ResetVisited(), x, one).Done()
		return ReduceAllMax(Abs(Sub(both, Add(first, second))))
	}, random(1, 4, 2, 3))
	if err != nil {
		t.Fatal(err)
	}
	if off := tensors.ToScalar[float64](difference); off > 1e-15 {
		t.Errorf("off by %g", off)
	}
}

// TestDropout checks that dropout acts only in training, that dropout between layers drops no output of the last layer,
// and that recurrent dropout does not change the first time step.
func TestDropout(t *testing.T) {
	b := gobackend.GetBackend()
	const h = 40
	run := func(training bool, change func(b *birnnlib.BiRNN)) []float64 {
		out, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
			scope.Store().SetTraining(x.Graph(), training)
			b := birnnlib.New(scope, x, birnnlib.Sizes{Forward: h}, birnnlib.Sizes{Forward: h}).Initializer(everywhere)
			change(b)
			h, _ := b.Done()
			return h
		}, random(1, 3, 2, 4))
		if err != nil {
			t.Fatal(err)
		}
		return tensors.MustCopyFlatData[float64](out)
	}
	differs := func(a, b []float64) (n int) {
		for i := range a {
			if a[i] != b[i] {
				n++
			}
		}
		return n
	}
	between := func(b *birnnlib.BiRNN) { b.Dropout(0.5) }
	recurrent := func(b *birnnlib.BiRNN) { b.RecurrentDropout(0.5) }
	none := run(true, func(*birnnlib.BiRNN) {})
	first := 2 * h // the entries of the first time step
	if n := differs(none, run(false, between)) + differs(none, run(false, recurrent)); n > 0 {
		t.Errorf("outside training %d outputs change", n)
	}
	dropped := run(true, between)
	if n := differs(none[:first], dropped[:first]); n < first/2 {
		t.Errorf("dropout between layers changes %d outputs of %d", n, first)
	}
	for i, v := range dropped {
		if v == 0 {
			t.Fatalf("output %d of the last layer is dropped", i)
		}
	}
	dropped = run(true, recurrent)
	if n := differs(none[:first], dropped[:first]); n > 0 {
		t.Errorf("recurrent dropout changes %d outputs of the first time step, whose state is zero", n)
	}
	if n := differs(none[first:], dropped[first:]); n < first {
		t.Errorf("recurrent dropout changes %d outputs of %d", n, 2*first)
	}
}

// TestOrthogonal checks that the columns of each gate are orthonormal.
func TestOrthogonal(t *testing.T) {
	const h = 6
	w := birnnlib.Weight{Path: "/W_h", Dims: []int{h, 3 * h}, Recurrent: true, Hidden: h}
	values := birnnlib.Orthogonal(birnnlib.Normal(1)).Seed(1)(w)
	for gate := range 3 {
		for i := range h {
			for j := range h {
				var dot, want float64
				for r := range h {
					dot += values[r*3*h+gate*h+i] * values[r*3*h+gate*h+j]
				}
				if i == j {
					want = 1
				}
				if math.Abs(dot-want) > 1e-12 {
					t.Errorf("gate %d: columns %d and %d have the product %g", gate, i, j, dot)
				}
			}
		}
	}
	other := birnnlib.Orthogonal(birnnlib.Glorot()).Seed(1)(birnnlib.Weight{Path: "/W_x", Dims: []int{5, 7}})
	bound := math.Sqrt(6.0 / 12)
	for _, v := range other {
		if math.Abs(v) > bound {
			t.Errorf("an input weight is %g, beyond ±%g", v, bound)
		}
	}
}

// TestShapes checks the shapes of the results of a batch-major network with different cells.
func TestShapes(t *testing.T) {
	t.Parallel()
	b := backendtest.One(t)
	out, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
		hf, hb, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 5, Backward: 3}).
			Cells(birnnlib.LSTM{Projection: 2}, birnnlib.GRU{}).BatchMajor(true).DoneApart()
		return []*Node{hf, hb, final[0].Forward[0], final[0].Forward[1], final[0].Backward[0]}
	}, tensors.FromShape(shapes.Make(dtypes.Float32, 4, 7, 3)))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"[4, 7, 2]", "[4, 7, 3]", "[4, 2]", "[4, 5]", "[4, 3]"} {
		if got := out[i].Shape().String(); got != "(Float32)"+want {
			t.Errorf("result %d is %s, want %s", i, got, want)
		}
	}
}

// TestRecurrentDropoutGradients compares the hand-written gradients under recurrent dropout with the derived ones of the
// unrolled cell, with the same mask; T differs from n, so that no axis can take the place of another.
func TestRecurrentDropoutGradients(t *testing.T) {
	const T, n = 5, 3
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, cell := range []birnnlib.Cell{birnnlib.RNN{}, birnnlib.LSTM{Projection: 2}, birnnlib.GRU{}, birnnlib.GRU{ResetBefore: true}} {
			run := func(b compute.Backend, cell birnnlib.Cell, change func(*birnnlib.BiRNN)) []*tensors.Tensor {
				store := model.NewStore()
				if err := store.SetRNGStateFromSeed(1); err != nil {
					t.Fatal(err)
				}
				outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
					store.SetTraining(x.Graph(), true)
					network := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 4, Backward: 4}).Cell(cell).Initializer(everywhere).RecurrentDropout(0.5)
					change(network)
					h, _ := network.Done()
					wrt := []*Node{x}
					for v := range scope.IterVariables() {
						if v.Shape().DType.IsFloat() {
							wrt = append(wrt, v.NodeValue(x.Graph()))
						}
					}
					return append([]*Node{h}, Gradient(ReduceAllSum(Sin(h)), wrt...)...)
				}, random(1, T, n, 3))
				if err != nil {
					t.Fatal(err)
				}
				return outputs
			}
			want := run(b, plain{cell}, func(network *birnnlib.BiRNN) { network.Unroll(T) })
			same(t, fmt.Sprintf("%T", cell), run(b, cell, func(*birnnlib.BiRNN) {}), want, 1e-12)
			same(t, fmt.Sprintf("%T, recomputed", cell), run(b, cell, func(network *birnnlib.BiRNN) { network.Recompute(true) }), want, 1e-12)
			if compiles(b) {
				break // one cell will do: XLA compiles for long
			}
		}
	})
}
