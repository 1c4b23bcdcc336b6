package birnnlib_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// random returns a tensor of N(0, 1) numbers.
func random(seed uint64, dims ...int) *tensors.Tensor {
	rng := rand.New(rand.NewPCG(seed, 0))
	values := make([]float64, shapes.Make(dtypes.Float64, dims...).Size())
	for i := range values {
		values[i] = rng.NormFloat64()
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

// wide draws weights large enough for every influence to be seen.
var wide = birnnlib.Normal(0.7).Seed(1)

// TestInfluence checks both readings of the backward direction completely: for every pair of time steps (t, s), the
// gradient shows whether the input X_s changes the state H_t of each direction.
func TestInfluence(t *testing.T) {
	t.Parallel()
	const T, n, d = 6, 2, 3
	past := func(t, s int) bool { return s <= t }
	future := func(t, s int) bool { return s >= t }
	all := func(t, s int) bool { return true }
	one, two := []birnnlib.Sizes{{Forward: 4, Backward: 3}}, []birnnlib.Sizes{{Forward: 4, Backward: 3}, {Forward: 2, Backward: 5}}
	for _, test := range []struct {
		name              string
		sizes             []birnnlib.Sizes
		bothForward       bool
		forward, backward func(t, s int) bool
	}{
		{"one layer, by the formulas", one, false, past, future},
		{"one layer, both forward", one, true, past, past},
		{"two layers, by the formulas", two, false, all, all},
		{"two layers, both forward", two, true, past, past},
	} {
		t.Run(test.name, func(t *testing.T) {
			backendtest.Each(t, func(t *testing.T, b compute.Backend) {
				// The gradient of the sum of the chosen states, its largest magnitude for each X_s.
				exec, err := model.NewExec(b, model.NewStore(), func(scope *model.Scope, x, chosen *Node) *Node {
					h, _ := birnnlib.New(scope, x, test.sizes...).Activation(activation.TypeTanh).
						BothForward(test.bothForward).Initializer(wide).Done()
					return ReduceMax(Abs(Gradient(ReduceAllSum(Mul(h, chosen)), x)[0]), 1, 2)
				})
				if err != nil {
					t.Fatal(err)
				}
				x, last := random(1, T, n, d), test.sizes[len(test.sizes)-1]
				h := last.Forward + last.Backward
				for step := range T {
					for _, direction := range []string{"forward", "backward"} {
						want, from, to := test.forward, 0, last.Forward
						if direction == "backward" {
							want, from, to = test.backward, last.Forward, h
						}
						chosen := make([]float64, T*n*h)
						for i := range n {
							for k := from; k < to; k++ {
								chosen[(step*n+i)*h+k] = 1 + float64(k)
							}
						}
						outputs, err := exec.Call(x, tensors.FromFlatDataAndDimensions(chosen, T, n, h))
						if err != nil {
							t.Fatal(err)
						}
						for s, influence := range tensors.MustCopyFlatData[float64](outputs[0]) {
							if got := influence > 1e-9; got != want(step, s) || !got && influence != 0 {
								t.Errorf("input %d on the %s state %d: gradient %g, want an influence: %t", s, direction, step, influence, want(step, s))
							}
						}
					}
				}
			})
		})
	}
}

// TestFiniteDifferences compares the gradients in float64 with central differences of the loss itself.
func TestFiniteDifferences(t *testing.T) {
	t.Parallel()
	const T, n, d, ε = 4, 2, 3, 1e-6
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, bothForward := range []bool{false, true} {
			if compiles(b) && bothForward {
				continue // TestAgainstJAX covers it
			}
			store := model.NewStore()
			var paths []string
			exec, err := model.NewExec(b, store, func(scope *model.Scope, x *Node) []*Node {
				h, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 3, Backward: 2}, birnnlib.Sizes{Forward: 2, Backward: 2}).
					Activation(activation.TypeTanh).BothForward(bothForward).Initializer(wide).Done()
				o := birnnlib.Output(scope, h, 2, wide)
				// Through the outputs and through the final states.
				loss := Add(ReduceAllSum(Mul(o, o)), ReduceAllSum(Sin(final[0].Concat())))
				paths = paths[:0]
				var wrt []*Node
				for v := range scope.IterVariables() {
					paths, wrt = append(paths, v.Path()), append(wrt, v.NodeValue(x.Graph()))
				}
				return append([]*Node{loss}, Gradient(loss, append(wrt, x)...)...)
			})
			if err != nil {
				t.Fatal(err)
			}
			x := random(2, T, n, d)
			run := func() []*tensors.Tensor {
				outputs, err := exec.Call(x)
				if err != nil {
					t.Fatal(err)
				}
				return outputs
			}
			outputs := run()
			check := func(name string, value, gradient *tensors.Tensor, set func(*tensors.Tensor)) {
				flat, dims := tensors.MustCopyFlatData[float64](value), value.Shape().Dimensions
				moved := func(i int, δ float64) float64 {
					values := append([]float64(nil), flat...)
					values[i] += δ
					set(tensors.FromFlatDataAndDimensions(values, dims...))
					return tensors.ToScalar[float64](run()[0])
				}
				for i, got := range tensors.MustCopyFlatData[float64](gradient) {
					want := (moved(i, ε) - moved(i, -ε)) / (2 * ε)
					if math.Abs(got-want) > 1e-7*max(1, math.Abs(want)) {
						t.Errorf("both forward %t: gradient of %s[%d] is %g, finite differences say %g", bothForward, name, i, got, want)
					}
				}
				set(tensors.FromFlatDataAndDimensions(flat, dims...))
			}
			for i, path := range append([]string(nil), paths...) {
				v := store.GetVariable(path)
				check(path, v.MustValue(), outputs[1+i], func(value *tensors.Tensor) {
					if err := v.SetValue(value); err != nil {
						t.Fatal(err)
					}
				})
			}
			if len(paths) != 14 {
				t.Errorf("%d parameters, want 14: %v", len(paths), paths)
			}
			check("x", x, outputs[len(outputs)-1], func(v *tensors.Tensor) { x = v })
		}
	})
}

// TestLengths runs sequences of different lengths in one padded batch, and each one alone without padding: outputs and
// final states are the same, and outputs at padding are zero.
func TestLengths(t *testing.T) {
	t.Parallel()
	const T, d = 5, 3
	lengths := []int32{5, 3, 0, 1}
	n := len(lengths)
	sizes := []birnnlib.Sizes{{Forward: 4, Backward: 3}, {Forward: 2, Backward: 3}}
	h := sizes[1].Forward + sizes[1].Backward
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		x := random(3, T, n, d)
		store := model.NewStore()
		padded, err := model.CallOnceN(b, store, func(scope *model.Scope, x, lengths *Node) []*Node {
			h, final := birnnlib.New(scope, x, sizes...).Initializer(wide).Lengths(lengths).Done()
			return []*Node{h, final[1].Concat()}
		}, x, lengths)
		if err != nil {
			t.Fatal(err)
		}
		hs, final := tensors.MustCopyFlatData[float64](padded[0]), tensors.MustCopyFlatData[float64](padded[1])
		values := tensors.MustCopyFlatData[float64](x)
		for i, length := range lengths {
			for t_ := int(length); t_ < T; t_++ {
				for k := range h {
					if v := hs[(t_*n+i)*h+k]; v != 0 {
						t.Errorf("output at padding [%d, %d, %d] is %g, want 0", t_, i, k, v)
					}
				}
			}
			if length == 0 {
				for k := range h {
					if v := final[i*h+k]; v != 0 {
						t.Errorf("final state of the empty sequence is %g, want 0, its initial state", v)
					}
				}
				continue
			}
			var own []float64
			for t_ := range int(length) {
				own = append(own, values[(t_*n+i)*d:(t_*n+i+1)*d]...)
			}
			alone, err := model.CallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
				h, final := birnnlib.New(scope, x, sizes...).Done()
				return []*Node{h, final[1].Concat()}
			}, tensors.FromFlatDataAndDimensions(own, int(length), 1, d))
			if err != nil {
				t.Fatal(err)
			}
			for k, want := range tensors.MustCopyFlatData[float64](alone[0]) {
				if got := hs[(k/h*n+i)*h+k%h]; math.Abs(got-want) > 1e-12 {
					t.Errorf("sequence %d, output %d: %g in the batch, %g alone", i, k, got, want)
				}
			}
			for k, want := range tensors.MustCopyFlatData[float64](alone[1]) {
				if got := final[i*h+k]; math.Abs(got-want) > 1e-12 {
					t.Errorf("sequence %d, final state %d: %g in the batch, %g alone", i, k, got, want)
				}
			}
		}
	})
}

// TestFinalStates checks which output holds the last state of each direction.
func TestFinalStates(t *testing.T) {
	const T, n, d = 4, 2, 3
	b := backendtest.One(t)
	for _, bothForward := range []bool{false, true} {
		outputs, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
			h, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 3, Backward: 2}).BothForward(bothForward).Initializer(wide).Done()
			backwardEnd := 0
			if bothForward {
				backwardEnd = T - 1
			}
			return []*Node{
				ReduceAllMax(Abs(Sub(final[0].Forward[0], Slice(Squeeze(Slice(h, AxisElem(T-1)), 0), AxisRange(), AxisRange(0, 3))))),
				ReduceAllMax(Abs(Sub(final[0].Backward[0], Slice(Squeeze(Slice(h, AxisElem(backwardEnd)), 0), AxisRange(), AxisRangeToEnd(3))))),
			}
		}, random(4, T, n, d))
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range outputs {
			if off := tensors.ToScalar[float64](o); off != 0 {
				t.Errorf("both forward %t, direction %d: the final state is off by %g", bothForward, i, off)
			}
		}
	}
}

// TestNormal checks the distribution, and that the numbers depend only on the seed and the path.
func TestNormal(t *testing.T) {
	draw := func(seed uint64, path string) []float64 {
		return birnnlib.Normal(0.01).Seed(seed)(birnnlib.Weight{Path: path, Dims: []int{100, 300}})
	}
	values := draw(7, "/a")
	var mean, variance float64
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean) / float64(len(values))
	}
	// Four standard errors: 0.01/√30000 for the mean, 0.01/√60000 for the deviation.
	if math.Abs(mean) > 4*5.8e-5 || math.Abs(math.Sqrt(variance)-0.01) > 4*4.1e-5 {
		t.Errorf("mean %g, standard deviation %g; want 0 and 0.01", mean, math.Sqrt(variance))
	}
	same, other, elsewhere := draw(7, "/a"), draw(8, "/a"), draw(7, "/b")
	if values[0] != same[0] || values[0] == other[0] || values[0] == elsewhere[0] {
		t.Errorf("first numbers: seed 7 %g and %g, seed 8 %g, another path %g", values[0], same[0], other[0], elsewhere[0])
	}
}

// TestSeed: a seed is that of all random numbers inside that have none.
func TestSeed(t *testing.T) {
	input := birnnlib.Weight{Path: "/W_x", Dims: []int{5, 7}}
	recurrent := birnnlib.Weight{Path: "/W_h", Dims: []int{7, 7}, Recurrent: true, Hidden: 7}
	nested := birnnlib.Orthogonal(birnnlib.Glorot().Seed(2)).Seed(1)
	for _, test := range []struct {
		name      string
		got, want birnnlib.Initializer
		w         birnnlib.Weight
		same      bool
	}{
		{"0 is the default", birnnlib.TorchUniform(), birnnlib.TorchUniform().Seed(0), input, true},
		{"another seed", birnnlib.TorchUniform().Seed(1), birnnlib.TorchUniform(), input, false},
		{"the seed outside", nested, birnnlib.Orthogonal(birnnlib.Normal(1)).Seed(1), recurrent, true},
		{"the seed inside", nested, birnnlib.Glorot().Seed(2), input, true},
		{"the seed outside, inside", birnnlib.Orthogonal(birnnlib.Glorot()).Seed(1), birnnlib.Glorot().Seed(1), input, true},
	} {
		if got, want := test.got(test.w), test.want(test.w); slices.Equal(got, want) != test.same {
			t.Errorf("%s: %g and %g, the same: %t", test.name, got[0], want[0], !test.same)
		}
	}
}

// TestDefaults checks a network without options; the weights are the same on every backend.
func TestDefaults(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
			h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 5, Backward: 7}).OneHot(11).Done()
			tanh, _ := birnnlib.New(scope.ResetVisited(), x, birnnlib.Sizes{Forward: 5, Backward: 7}).OneHot(11).Activation(activation.TypeTanh).Done()
			return []*Node{h, tanh, birnnlib.Output(scope, h, 3)}
		}, [][]int32{{0, 3}, {10, 2}, {1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := outputs[0].Shape().String(), "(Float32)[3, 2, 12]"; got != want {
			t.Errorf("H is %s, want %s", got, want)
		}
		if !outputs[0].Equal(outputs[1]) {
			t.Errorf("H is %v, with tanh it is %v", outputs[0], outputs[1])
		}
		for path, w := range map[string]birnnlib.Weight{
			"/layer_1/W_xh^f": {Dims: []int{11, 5}, Hidden: 5},
			"/layer_1/W_hh^b": {Dims: []int{7, 7}, Hidden: 7, Recurrent: true},
			"/layer_1/b_h^f":  {Dims: []int{5}, Hidden: 5},
			"/W_hq":           {Dims: []int{12, 3}},
		} {
			w.Path = path
			want := birnnlib.Orthogonal(birnnlib.Glorot())(w)
			for i, got := range tensors.MustCopyFlatData[float32](store.GetVariable(path).MustValue()) {
				if got != float32(want[i]) {
					t.Errorf("%s[%d] = %g, want %g", path, i, got, want[i])
				}
			}
		}
	})
}

// TestScopeInitializer: parameters start as the scope's initializer says, unless the network has one.
func TestScopeInitializer(t *testing.T) {
	half := initializer.BroadcastTensorToShape(tensors.FromScalar(0.5))
	constant := func(v float64) birnnlib.Initializer {
		return func(w birnnlib.Weight) []float64 {
			return slices.Repeat([]float64{v}, shapes.Make(dtypes.Float64, w.Dims...).Size())
		}
	}
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		store := model.NewStore()
		_, err := model.CallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
			network := func(scope *model.Scope) *birnnlib.BiRNN {
				return birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2}).Cell(birnnlib.LSTM{ForgetBias: 3})
			}
			own := scope.WithInitializer(half)
			h, _ := network(own.In("scope")).Done()
			network(own.In("network")).Initializer(constant(7)).Done()
			network(scope.WithInitializer(initializer.HeFn(scope)).In("he")).Done()
			network(scope.In("none")).Done()
			birnnlib.Output(own.In("output"), h, 1, constant(8))
			return birnnlib.Output(own, h, 1)
		}, random(1, 3, 2, 4))
		if err != nil {
			t.Fatal(err)
		}
		values := func(path string) []float64 {
			return tensors.MustCopyFlatData[float64](store.GetVariable(path).MustValue())
		}
		for path, want := range map[string][]float64{
			"/scope/layer_1/W_h^f": slices.Repeat([]float64{0.5}, 16),
			"/scope/layer_1/b^f":   {0.5, 0.5, 3.5, 3.5, 0.5, 0.5, 0.5, 0.5}, // with the bias of the forget gate
			"/network/layer_1/b^f": {7, 7, 10, 10, 7, 7, 7, 7},
			"/none/layer_1/W_h^f": birnnlib.Orthogonal(birnnlib.Glorot())(
				birnnlib.Weight{Path: "/none/layer_1/W_h^f", Dims: []int{2, 8}, Recurrent: true, Hidden: 2}),
			"/none/layer_1/b^f": {0, 0, 3, 3, 0, 0, 0, 0},
			"/he/layer_1/b^f":   {0, 0, 3, 3, 0, 0, 0, 0},
			"/W_hq":             {0.5, 0.5},
			"/output/W_hq":      {8, 8},
		} {
			if got := values(path); !slices.Equal(got, want) {
				t.Errorf("%s is %g, want %g", path, got, want)
			}
		}
		of := birnnlib.Orthogonal(birnnlib.Glorot())(birnnlib.Weight{Path: "/he/layer_1/W_h^f", Dims: []int{2, 8}, Recurrent: true, Hidden: 2})
		if got := values("/he/layer_1/W_h^f"); slices.Equal(got, of) || got[0] == 0 {
			t.Errorf("W_h^f by He's initializer is %g", got)
		}
	})
}

func TestWrongArguments(t *testing.T) {
	b := backendtest.One(t)
	sizes := birnnlib.Sizes{Forward: 2, Backward: 3}
	features, indices := random(5, 4, 2, 3), [][]int32{{1, 2}, {0, 1}}
	for _, test := range []struct {
		name  string
		x     any
		build func(scope *model.Scope, x *Node)
		want  []string // all must be in the error
	}{
		{"no sizes", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x) }, []string{"no hidden sizes"}},
		{"size 0", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, birnnlib.Sizes{}) }, []string{"layer 1", "at least one"}},
		{"negative size", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes, birnnlib.Sizes{Forward: 2, Backward: -1}) }, []string{"layer 2", "none negative"}},
		{"one-hot features", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).OneHot(3).Done() }, []string{"OneHot(3)", "[4, 2, 3]"}},
		{"rank", random(1, 4, 2), func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Done() }, []string{"[4, 2]", "[time step, batch, feature]"}},
		{"no one-hot", indices, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Done() }, []string{"[2, 2]", "OneHot(d)"}},
		{"rank of indices", [][][]int32{{{1}}}, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).OneHot(3).Done() }, []string{"[1, 1, 1]", "[time step, batch]"}},
		{"bool", []bool{true}, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Done() }, []string{"Bool"}},
		{"dtype", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).DType(dtypes.Float32).Done() }, []string{"Float32", "Float64"}},
		{"number of states", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes, sizes).InitialStates(birnnlib.State{}).Done()
		}, []string{"1 states for 2 layers"}},
		{"shape of a state", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).InitialStates(birnnlib.State{Backward: []*Node{Zeros(x.Graph(), shapes.Make(dtypes.Float64, 2, 2))}}).Done()
		}, []string{"backward state of layer 1", "[2, 2]", "[2, 3]"}},
		{"lengths", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Lengths(Iota(x.Graph(), shapes.Make(dtypes.Int32, 3), 0)).Done()
		}, []string{"Lengths", "[3]", "[2]"}},
		{"parts of a state", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Cell(birnnlib.LSTM{}).InitialStates(birnnlib.State{Forward: make([]*Node, 1)}).Done()
		}, []string{"forward state of layer 1 has 1 parts", "its cell has 2"}},
		{"state of no units", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, birnnlib.Sizes{Forward: 2}).InitialStates(birnnlib.State{Backward: make([]*Node, 1)}).Done()
		}, []string{"layer 1", "no backward units"}},
		{"mask", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Mask(Iota(x.Graph(), shapes.Make(dtypes.Int32, 4, 2), 0)).Done()
		}, []string{"Mask got (Int32)[4, 2]", "Bool, [time step, batch]"}},
		{"mask, batch-major", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).BatchMajor(true).Mask(Const(x.Graph(), [][]bool{{true}})).Done()
		}, []string{"[4, 2, 3]", "Bool, [batch, time step]"}},
		{"lengths and mask", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Lengths(Const(x.Graph(), []int32{1, 2})).Mask(Const(x.Graph(), [][]bool{{true}})).Done()
		}, []string{"both Lengths and Mask"}},
		{"merge", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Merge(7).Done() }, []string{"Merge(7)", "MergeConcat"}},
		{"merge of sizes that differ", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Merge(birnnlib.MergeSum).Done()
		}, []string{"MergeSum in layer 1", "[4, 2, 2]", "[4, 2, 3]"}},
		{"residual", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes, birnnlib.Sizes{Forward: 1, Backward: 1}).Residual(true).Done()
		}, []string{"Residual in layer 2", "[4, 2, 5]", "[4, 2, 2]"}},
		{"dropout", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Dropout(1).Done() }, []string{"Dropout got the rate 1"}},
		{"unroll", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Unroll(-1).Done() }, []string{"Unroll got -1"}},
		{"no cell", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Cells(birnnlib.RNN{}, nil).Done() }, []string{"nil cell"}},
		{"activation", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Activation(activation.TypeSwiGLU).Done()
		}, []string{"SwiGLU", "entry by entry"}},
		{"no activation", features, func(s *model.Scope, x *Node) { birnnlib.New(s, x, sizes).Activation(99).Done() }, []string{"99", "Tanh"}},
		{"activation and function", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Cell(birnnlib.RNN{Activation: activation.TypeRelu, Function: Sin}).Done()
		}, []string{"both Activation, Relu, and Function"}},
		{"activation of another shape", features, func(s *model.Scope, x *Node) {
			birnnlib.New(s, x, sizes).Cell(birnnlib.GRU{Gate: func(z *Node) *Node { return ReduceAllSum(z) }}).Done()
		}, []string{"[2, 2]", "entry by entry"}},
		{"labels", features, func(s *model.Scope, x *Node) {
			birnnlib.CrossEntropy(x, Iota(x.Graph(), shapes.Make(dtypes.Int32, 4), 0))
		}, []string{"CrossEntropy", "[4, 2, 3]", "(Int32)[4]"}},
		{"two initializers", features, func(s *model.Scope, x *Node) { birnnlib.Output(s, x, 1, wide, wide) }, []string{"2 initializers"}},
		{"orthogonal without others", features, func(*model.Scope, *Node) { birnnlib.Orthogonal(nil) }, []string{"others is nil", "Glorot()"}},
		{"outputs", features, func(s *model.Scope, x *Node) { birnnlib.Output(s, x, 0, nil) }, []string{"q is 0"}},
		{"a parameter of another shape", features, func(s *model.Scope, x *Node) {
			s.At("layer_1").VariableWithValue("W_xh^f", [][]float64{{1}})
			birnnlib.New(s, x, sizes).Done()
		}, []string{"W_xh^f", "[1, 1]", "[3, 2]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
				test.build(scope, x)
				return x
			}, test.x)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error does not say %q: %v", want, err)
				}
			}
		})
	}
}

// TestReversal is a property of random networks: with the weights of the two directions exchanged, the reversed input
// gives the reversed states with their halves exchanged.
func TestReversal(t *testing.T) {
	b := gobackend.GetBackend()
	rng := rand.New(rand.NewPCG(1, 2))
	for range 5 {
		T, n, d := 1+rng.IntN(5), 1+rng.IntN(3), 1+rng.IntN(4)
		sizes := birnnlib.Sizes{Forward: 1 + rng.IntN(4), Backward: 1 + rng.IntN(4)}
		x := random(rng.Uint64(), T, n, d)
		store, exchanged := model.NewStore(), model.NewStore()
		want, err := model.CallOnce(b, store, func(scope *model.Scope, x *Node) *Node {
			h, _ := birnnlib.New(scope, x, sizes).Initializer(wide).Done()
			hf, hb := Slice(h, AxisRange(), AxisRange(), AxisRangeFromStart(sizes.Forward)), Slice(h, AxisRange(), AxisRange(), AxisRangeToEnd(sizes.Forward))
			return Reverse(Concatenate([]*Node{hb, hf}, -1), 0)
		}, x)
		if err != nil {
			t.Fatal(err)
		}
		for v := range store.IterVariables() {
			path := strings.NewReplacer("^f", "^b", "^b", "^f").Replace(v.Path())
			value, err := v.MustValue().LocalClone()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := exchanged.CreateVariable(path, value); err != nil {
				t.Fatal(err)
			}
		}
		got, err := model.CallOnce(b, exchanged, func(scope *model.Scope, x *Node) *Node {
			h, _ := birnnlib.New(scope, Reverse(x, 0), birnnlib.Sizes{Forward: sizes.Backward, Backward: sizes.Forward}).Done()
			return h
		}, x)
		if err != nil {
			t.Fatal(err)
		}
		if !got.InDelta(want, 1e-12) {
			t.Errorf("T=%d n=%d d=%d %+v: the reversed input does not give the reversed states", T, n, d, sizes)
		}
	}
}

func TestCheckLengths(t *testing.T) {
	if err := birnnlib.CheckLengths([]int32{0, 5, 3}, 5); err != nil {
		t.Errorf("lengths from 0 to T: error %v", err)
	}
	for _, wrong := range []int32{-1, 6} {
		err := birnnlib.CheckLengths([]int32{2, wrong}, 5)
		if want := fmt.Sprintf("sequence 1 is %d", wrong); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}
