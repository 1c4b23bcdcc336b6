package birnnlib_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// crossEntropy is the definition, with the weights of a mean.
func crossEntropy(o [][]float64, y []int, w []float64) (loss float64, gradient [][]float64) {
	total := 0.0
	for _, weight := range w {
		total += weight
	}
	for i, row := range o {
		sum := 0.0
		for _, v := range row {
			sum += math.Exp(v - row[y[i]])
		}
		loss += w[i] / total * math.Log(sum)
		gradient = append(gradient, make([]float64, len(row)))
		for k, v := range row {
			gradient[i][k] = w[i] / total * math.Exp(v-row[y[i]]) / sum
		}
		gradient[i][y[i]] -= w[i] / total
	}
	return loss, gradient
}

// TestCrossEntropyWeights compares weights, masks and an ignored label with the definition.
func TestCrossEntropyWeights(t *testing.T) {
	o := [][]float64{{1, 2, -1}, {0.5, 0, 3}, {-2, 1, 1}, {4, 4, 0}}
	for name, test := range map[string]struct {
		y       []int32
		options func(g *Graph) []birnnlib.LossOption
		weights []float64
	}{
		"plain": {[]int32{0, 1, 2, 1}, func(*Graph) []birnnlib.LossOption { return nil }, []float64{1, 1, 1, 1}},
		"weights": {[]int32{0, 1, 2, 1}, func(g *Graph) []birnnlib.LossOption {
			return []birnnlib.LossOption{birnnlib.Weights(Const(g, []float64{1, 0, 2, 0.5}))}
		}, []float64{1, 0, 2, 0.5}},
		"mask": {[]int32{0, 1, 2, 1}, func(g *Graph) []birnnlib.LossOption {
			return []birnnlib.LossOption{birnnlib.Weights(Const(g, []bool{true, false, true, true}))}
		}, []float64{1, 0, 1, 1}},
		"ignore": {[]int32{0, -100, 2, 1}, func(*Graph) []birnnlib.LossOption { return []birnnlib.LossOption{birnnlib.Ignore(-100)} }, []float64{1, 0, 1, 1}},
		"both": {[]int32{0, 1, 2, 1}, func(g *Graph) []birnnlib.LossOption {
			return []birnnlib.LossOption{birnnlib.Ignore(2), birnnlib.Weights(Const(g, []float64{1, 0, 2, 0.5}))}
		}, []float64{1, 0, 0, 0.5}},
	} {
		y := make([]int, len(test.y))
		for i, label := range test.y {
			y[i] = max(int(label), 0)
		}
		loss, gradient := crossEntropy(o, y, test.weights)
		backendtest.Each(t, func(t *testing.T, b compute.Backend) {
			outputs, err := CallOnceN(b, func(o, y *Node) []*Node {
				l := birnnlib.CrossEntropy(o, y, test.options(o.Graph())...)
				return []*Node{l, Gradient(l, o)[0]}
			}, o, test.y)
			if err != nil {
				t.Fatal(name, err)
			}
			if got := tensors.ToScalar[float64](outputs[0]); math.Abs(got-loss) > 1e-14 {
				t.Errorf("%s: the loss is %g, want %g", name, got, loss)
			}
			for i, row := range outputs[1].Value().([][]float64) {
				if d := distance(row, gradient[i]); d > 1e-14 {
					t.Errorf("%s: the gradient of row %d is %v, want %v", name, i, row, gradient[i])
				}
			}
		})
	}
}

// TestCrossEntropyExtremes has what once gave a wrong loss: labels of 8 bits for more rows or classes than 8 bits hold, logits
// that share a large part, and labels that are out of range.
func TestCrossEntropyExtremes(t *testing.T) {
	many := make([][]float32, 129)
	for i := range many {
		many[i] = make([]float32, 2)
	}
	many[128][0] = 100
	wideRow := make([]float32, 300)
	wideRow[255] = 1
	for name, test := range map[string]struct {
		o     any
		y     any
		dtype dtypes.DType
		want  float64
		δ     float64
	}{
		"129 labels of int8":    {many, make([]int8, 129), dtypes.Float32, 128. / 129 * math.Ln2, 1e-6},
		"300 classes, uint8":    {[][]float32{wideRow}, []uint8{255}, dtypes.Float32, math.Log(299+math.E) - 1, 1e-5},
		"a large common part":   {[][]float32{{1000, 1004, 996}}, []int32{0}, dtypes.BFloat16, math.Log(1 + math.Exp(4) + math.Exp(-4)), 0.02},
		"the largest numbers":   {[][]float32{{3e38, 3e38, -3e38}}, []int32{0}, dtypes.Float32, math.Ln2, 1e-6},
		"a label above":         {[][]float32{{0, 0, 1}}, []int32{7}, dtypes.Float32, math.Log(2+math.E) - 1, 1e-6},
		"a label below":         {[][]float32{{1, 0, 0}}, []int32{-7}, dtypes.Float32, math.Log(2+math.E) - 1, 1e-6},
		"everything is ignored": {[][]float32{{1, 0, 0}}, []int32{-1}, dtypes.Float32, 0, 0},
	} {
		backendtest.Each(t, func(t *testing.T, b compute.Backend) {
			outputs, err := CallOnceN(b, func(o, y *Node) []*Node {
				o = ConvertDType(o, test.dtype)
				l := birnnlib.CrossEntropy(o, y, birnnlib.Ignore(-1))
				return []*Node{ConvertDType(l, dtypes.Float64), ConvertDType(ReduceAllSum(Gradient(l, o)[0]), dtypes.Float64)}
			}, test.o, test.y)
			if err != nil {
				t.Fatal(name, err)
			}
			if got := tensors.ToScalar[float64](outputs[0]); !(math.Abs(got-test.want) <= test.δ) {
				t.Errorf("%s: the loss is %g, want %g", name, got, test.want)
			}
			if sum := tensors.ToScalar[float64](outputs[1]); !(math.Abs(sum) < 0.02) {
				t.Errorf("%s: the gradient sums to %g, want 0", name, sum)
			}
		})
	}
}

func TestCheckIndices(t *testing.T) {
	if err := birnnlib.CheckIndices([]int32{0, 2}, 3); err != nil {
		t.Error(err)
	}
	for index, want := range map[int32]string{3: "index 1 is 3", -1: "index 1 is -1"} {
		if err := birnnlib.CheckIndices([]int32{0, index}, 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("index %d: the error is %v", index, err)
		}
	}
}

// TestSmallLengths: lengths of 8 bits for more time steps than 8 bits hold.
func TestSmallLengths(t *testing.T) {
	const T = 300
	ones := make([]float32, T)
	for i := range ones {
		ones[i] = 1
	}
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		outputs, err := CallOnceN(b, func(x, lengths *Node) []*Node {
			last, _ := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
				return []*Node{Add(before[0], at[0])}, nil
			}, []*Node{Zeros(x.Graph(), shapes.Make(dtypes.Float32, 1))}, x).Lengths(lengths).Done()
			return last
		}, tensors.FromFlatDataAndDimensions(ones, T, 1), []uint8{100})
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.MustCopyFlatData[float32](outputs[0])[0]; got != 100 {
			t.Errorf("100 ones of 300 add up to %g", got)
		}
	})
}

// TestIndicesOutOfRange: an index below 0 counts as 0, one above the last as the last, and no process ends.
func TestIndicesOutOfRange(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		run := func(x [][]int32) *tensors.Tensor {
			h, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
				h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2}).OneHot(3).Initializer(birnnlib.Glorot().Seed(1)).Done()
				return h
			}, x)
			if err != nil {
				t.Fatal(err)
			}
			return h
		}
		if got, want := run([][]int32{{-5}, {3}, {1 << 30}}), run([][]int32{{0}, {2}, {2}}); !got.Equal(want) {
			t.Errorf("outputs %v, want %v", got, want)
		}
	})
}

// TestResetStates leaves variables alone that only have a similar name.
func TestResetStates(t *testing.T) {
	store := model.NewStore()
	exec := model.MustNewExec(backendtest.Go(t), store, func(scope *model.Scope, x *Node) *Node {
		scope.VariableWithValue("state_of_mind", float32(7))
		scope.VariableWithValue("state_vector", float32(7)).SetTrainable(false)
		h, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2}).Stateful().Done()
		if final[0].Concat().Shape().Dim(-1) != 2 {
			t.Errorf("the state of a forward network is %s", final[0].Concat().Shape())
		}
		return h
	})
	exec.MustCall([][][]float32{{{1}}})
	if err := birnnlib.ResetStates(store.Scope("/")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]float32{"/state_of_mind": 7, "/state_vector": 7, "/layer_1/state_1^f": 0} {
		if got := tensors.MustCopyFlatData[float32](store.GetVariable(path).MustValue())[0]; got != want {
			t.Errorf("%s is %g, want %g", path, got, want)
		}
	}
}

// TestUnusedParameters: a scope with the parameters of another cell is an error, and not a network with random ones.
func TestUnusedParameters(t *testing.T) {
	store := model.NewStore()
	for i, cell := range []birnnlib.Cell{birnnlib.LSTM{}, birnnlib.GRU{}, birnnlib.RNN{}, birnnlib.LSTM{Peepholes: true}} {
		_, err := model.CallOnce(backendtest.Go(t), store, func(scope *model.Scope, x *Node) *Node {
			h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2, Backward: 2}).Cell(cell).Done()
			return h
		}, [][][]float32{{{1}}})
		switch i {
		case 0:
			if err != nil {
				t.Fatal(err)
			}
		case 1: // GRU's matrices have the same names and other shapes
			if err == nil {
				t.Errorf("%T with the parameters of LSTM: no error", cell)
			}
		case 2:
			if err == nil || !strings.Contains(err.Error(), "/layer_1/") || !strings.Contains(err.Error(), "birnnlib.RNN has no") {
				t.Errorf("%T with the parameters of LSTM: %v", cell, err)
			}
		}
	}
}

// TestWhole: a scope with layers or directions that the network does not build is an error that names them, unless the whole
// network is in the graph, too. The states of a stateful network do not count.
func TestWhole(t *testing.T) {
	both, forward := birnnlib.Sizes{Forward: 2, Backward: 3}, birnnlib.Sizes{Forward: 2}
	for name, test := range map[string]struct {
		had, sizes []birnnlib.Sizes
		want       []string // nil: no error
	}{
		"the same":          {[]birnnlib.Sizes{both, both}, []birnnlib.Sizes{both, both}, nil},
		"more layers":       {[]birnnlib.Sizes{both}, []birnnlib.Sizes{both, both}, nil},
		"another direction": {[]birnnlib.Sizes{forward}, []birnnlib.Sizes{both}, nil},
		"fewer layers":      {[]birnnlib.Sizes{both, both, forward}, []birnnlib.Sizes{both, both}, []string{"the scope /net has /net/layer_3/W_h^f, /net/layer_3/W_x^f, which", "2 layers", "[2+3 2+3]"}},
		"a direction less":  {[]birnnlib.Sizes{both}, []birnnlib.Sizes{forward}, []string{"/net/layer_1/W_h^b, /net/layer_1/W_x^b, which", "[2+0]"}},
		"ten layers fewer":  {slices.Repeat([]birnnlib.Sizes{forward}, 11), []birnnlib.Sizes{forward}, []string{"/net/layer_10/W_h^f", "/net/layer_11/W_x^f"}},
	} {
		backend, store := backendtest.Go(t), model.NewStore()
		build := func(stateful bool, networks ...[]birnnlib.Sizes) error {
			_, err := model.CallOnce(backend, store, func(scope *model.Scope, x *Node) (h *Node) {
				scope = scope.In("net")
				for _, sizes := range networks {
					network := birnnlib.New(scope.ResetVisited(), x, sizes...).Cell(birnnlib.LSTM{})
					if stateful {
						network.Stateful()
					}
					h, _ = network.Done()
				}
				return h
			}, [][][]float32{{{1}}})
			return err
		}
		if err := build(true, test.had); err != nil {
			t.Fatal(err)
		}
		err := build(false, test.sizes)
		if (err != nil) != (test.want != nil) {
			t.Errorf("%s: the error is %v", name, err)
		}
		for _, want := range test.want {
			if err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q: %v", name, want, err)
			}
		}
		if test.want != nil {
			if err := build(false, test.had, test.sizes); err != nil {
				t.Errorf("%s, after the whole network: %v", name, err)
			}
		}
	}
}

// TestTwice: a second Done computes the same, batch-major too, and a second network in one scope is an error
// that says what to do.
func TestTwice(t *testing.T) {
	x := [][][]float32{{{1}, {2}, {3}}, {{4}, {5}, {6}}} // [2, 3, 1], batch-major
	outputs, err := model.CallOnceN(backendtest.Go(t), model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
		network := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2, Backward: 1}).BatchMajor(true)
		first, _ := network.Done()
		second, _ := network.Done()
		return []*Node{first, second}
	}, x)
	if err != nil {
		t.Fatal(err)
	}
	if !outputs[0].Equal(outputs[1]) {
		t.Errorf("%v, then %v", outputs[0], outputs[1])
	}
	_, err = model.CallOnceN(backendtest.Go(t), model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
		birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2}).Done()
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2}).Done()
		return []*Node{h}
	}, x)
	if err == nil || !strings.Contains(err.Error(), "another scope") || !strings.Contains(err.Error(), "ResetVisited()") {
		t.Errorf("the error is %v", err)
	}
}
