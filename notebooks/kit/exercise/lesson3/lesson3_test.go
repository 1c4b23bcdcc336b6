package lesson3_test

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"
	"birnn/internal/testall"
	"birnn/notebooks/kit/exercise/exercisetest"
	"birnn/notebooks/kit/exercise/lesson3"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "03-several-hidden-layers") }

func TestSizesOf(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, lesson3.SizesOf(b, sizesOf))
	for answer, test := range map[string]struct {
		sizesOf func(shapes map[string][]int) []birnnlib.Sizes
		hint    string
	}{
		"nothing": {func(shapes map[string][]int) []birnnlib.Sizes { return nil }, "there are 3 layers, you say 0"},
		"both directions are always there": {func(shapes map[string][]int) (sizes []birnnlib.Sizes) {
			for l := 1; shapes[fmt.Sprintf("layer_%d/W_hh^f", l)] != nil; l++ {
				sizes = append(sizes, birnnlib.Sizes{
					Forward:  shapes[fmt.Sprintf("layer_%d/W_hh^f", l)][0],
					Backward: shapes[fmt.Sprintf("layer_%d/W_hh^b", l)][0],
				})
			}
			return sizes
		}, "there are 3 layers, you say 1"},
		"a direction is as large as the other": {func(shapes map[string][]int) []birnnlib.Sizes {
			sizes := sizesOf(shapes)
			for l, s := range sizes {
				sizes[l] = birnnlib.Sizes{Forward: max(s.Forward, s.Backward), Backward: max(s.Forward, s.Backward)}
			}
			return sizes
		}, "which parameter has h in both of its dimensions"},
		"only what is there": {func(shapes map[string][]int) []birnnlib.Sizes {
			sizes := sizesOf(shapes)
			for l, s := range sizes {
				if s.Backward == 0 {
					sizes[l].Backward = s.Forward
				}
			}
			return sizes
		}, "the missing one has size 0"},
		"what a layer reads": {func(shapes map[string][]int) (sizes []birnnlib.Sizes) {
			for l := range sizesOf(shapes) {
				sizes = append(sizes, birnnlib.Sizes{
					Forward:  append(shapes[fmt.Sprintf("layer_%d/W_xh^f", l+1)], 0)[0],
					Backward: append(shapes[fmt.Sprintf("layer_%d/W_xh^b", l+1)], 0)[0],
				})
			}
			return sizes
		}, "which parameter has h in both of its dimensions"},
		"directions exchanged": {func(shapes map[string][]int) []birnnlib.Sizes {
			sizes := sizesOf(shapes)
			for l, s := range sizes {
				sizes[l] = birnnlib.Sizes{Forward: s.Backward, Backward: s.Forward}
			}
			return sizes
		}, "layer 1: the directions are exchanged"},
		"layers in the order of their names": {func(shapes map[string][]int) (sizes []birnnlib.Sizes) {
			var layers []string
			for name := range shapes {
				if layer, _, ok := strings.Cut(name, "/"); ok && !slices.Contains(layers, layer) {
					layers = append(layers, layer)
				}
			}
			sort.Strings(layers)
			for _, layer := range layers {
				var s birnnlib.Sizes
				if f, ok := shapes[layer+"/b_h^f"]; ok {
					s.Forward = f[0]
				}
				if b, ok := shapes[layer+"/b_h^b"]; ok {
					s.Backward = b[0]
				}
				sizes = append(sizes, s)
			}
			return sizes
		}, "layer 2 of 11"},
		"six parameters a layer": {func(shapes map[string][]int) []birnnlib.Sizes {
			return sizesOf(shapes)[:len(shapes)/6]
		}, "there are 3 layers, you say 2"},
		"a panic": {func(shapes map[string][]int) []birnnlib.Sizes {
			return []birnnlib.Sizes{{Forward: shapes["W_hh^f"][0]}}
		}, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson3.SizesOf(b, test.sizesOf), test.hint)
	}
}

func TestThreeOfFour(t *testing.T) {
	exercisetest.Right(t, lesson3.ThreeOfFour(ofPast, ofFuture))
	for answer, test := range map[string]struct {
		ofPast, ofFuture [2]float64
		hint             string
	}{
		"nothing":             {[2]float64{0, 0}, [2]float64{0, 0}, "three of four are possible"},
		"two of four":         {[2]float64{0.1, 0.1}, [2]float64{0, 0}, "which of the four cases would you give up"},
		"u v":                 {[2]float64{-1, 1}, [2]float64{1, -1}, "o(-1,-1)=0.00 ✗"},
		"a case at 0":         {[2]float64{0.05, -0.05}, [2]float64{0.05, -0.05}, "three of four are possible"},
		"too large":           {[2]float64{5, -3}, [2]float64{5, -3}, "how large must the numbers be"},
		"infinite":            {[2]float64{math.Inf(1), -3}, [2]float64{5, -3}, "how large must the numbers be"},
		"a number that isn't": {[2]float64{math.NaN(), -3}, [2]float64{5, -3}, "three of four are possible"},
	} {
		exercisetest.Wrong(t, answer, lesson3.ThreeOfFour(test.ofPast, test.ofFuture), test.hint)
	}
}

func TestFar(t *testing.T) {
	b := backendtest.Go(t)
	two := []birnnlib.Sizes{{Forward: 2, Backward: 2}, {Forward: 2, Backward: 2}}
	for answer, test := range map[string]struct {
		w     network
		steps int
		hint  string
	}{
		"nothing":        {network{}, 0, "sizes, a cell and a number of steps"},
		"no steps":       {network{sizes: two, cell: tanh}, 0, "sizes, a cell and a number of steps"},
		"one layer":      {network{sizes: []birnnlib.Sizes{{Forward: 64, Backward: 64}}, cell: tanh}, 1000, "with one layer it cannot be done"},
		"too many steps": {network{sizes: two, cell: tanh}, 1001, "1,000 are enough"},
		"hardly trained": {network{sizes: two, cell: tanh}, 10, "has it left ln 2"},
		"no cell":        {network{sizes: two}, 10, "nil cell"},
	} {
		exercisetest.Wrong(t, answer, lesson3.Far(b, test.w.sizes, test.steps, test.w.loss(4)), test.hint)
	}
}

func TestLongFar(t *testing.T) {
	testall.Long(t)
	w, steps := far()
	exercisetest.Right(t, lesson3.Far(backendtest.One(t), w.sizes, steps, w.loss(4)))
}

// with returns the layer of exercise 4 on other inputs.
func with(input func(x *Node) *Node) func(scope *model.Scope, x *Node) *Node {
	return func(scope *model.Scope, x *Node) *Node {
		H, _ := birnnlib.New(scope, input(x), birnnlib.Sizes{Forward: 8, Backward: 8}).Cell(tanh).
			Initializer(birnnlib.Glorot().Seed(1)).Done()
		return H
	}
}

// before and after return x at the step before and after, and 0 beyond the ends.
func before(x *Node) *Node {
	T := x.Shape().Dim(0)
	return Concatenate([]*Node{ZerosLike(Slice(x, AxisElem(0))), Slice(x, AxisRange(0, T-1))}, 0)
}

func after(x *Node) *Node {
	T := x.Shape().Dim(0)
	return Concatenate([]*Node{Slice(x, AxisRange(1, T)), ZerosLike(Slice(x, AxisElem(0)))}, 0)
}

func TestSingle(t *testing.T) {
	b := backendtest.Go(t)
	for answer, test := range map[string]struct {
		single func(scope *model.Scope, x *Node) *Node
		hint   string
	}{
		"inputs shifted": {with(func(x *Node) *Node { return Concatenate([]*Node{before(x), x, after(x)}, -1) }),
			"the layer has to read x as it is"},
		"the product of the neighbours as input": {with(func(x *Node) *Node { return Mul(before(x), after(x)) }),
			"the layer has to read x as it is"},
		"two layers": {func(scope *model.Scope, x *Node) *Node {
			H, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 8, Backward: 8}, birnnlib.Sizes{Forward: 8, Backward: 8}).Done()
			return H
		}, "there are 2 hidden layers"},
		"a second layer in another scope": {func(scope *model.Scope, x *Node) *Node {
			H, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 8, Backward: 8}).Done()
			H, _ = birnnlib.New(scope.In("second"), H, birnnlib.Sizes{Forward: 8, Backward: 8}).Done()
			return H
		}, "there are 2 hidden layers"},
		"no layer": {func(scope *model.Scope, x *Node) *Node { return Mul(before(x), after(x)) }, "there are 0 hidden layers"},
		"a wrong shape": {func(scope *model.Scope, x *Node) *Node {
			H, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 8, Backward: 8}).Done()
			return Reshape(H, -1, 16)
		}, "the output has the shape [5 16]"},
		"a graph that cannot be": {func(scope *model.Scope, x *Node) *Node {
			return Concatenate([]*Node{x, before(x)}, 3)
		}, "invalid axis 3"},
		"a panic": {func(scope *model.Scope, x *Node) *Node { var H []*Node; return H[x.Shape().Dim(0)] }, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson3.Single(b, test.single), test.hint)
	}
}

func TestSingleTrained(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, lesson3.Single(b, single))
	exercisetest.Wrong(t, "unchanged", lesson3.Single(b, with(func(x *Node) *Node { return x })), "the two directions are still only added")
}

func TestLongSingleTrained(t *testing.T) {
	testall.Long(t)
	b := backendtest.One(t)
	// "A hidden layer without recurrence between H_t and O_t would do it too", say the solutions.
	exercisetest.Right(t, lesson3.Single(b, func(scope *model.Scope, x *Node) *Node {
		H := with(func(x *Node) *Node { return x })(scope, x)
		return Tanh(birnnlib.Output(scope.In("between"), H, 8, birnnlib.Glorot().Seed(1)))
	}))
	exercisetest.Wrong(t, "the sum", lesson3.Single(b, func(scope *model.Scope, x *Node) *Node {
		H, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 8, Backward: 8}).Cell(tanh).Merge(birnnlib.MergeSum).
			Initializer(birnnlib.Glorot().Seed(1)).Done()
		return H
	}), "the two directions are still only added")
}

func TestAdded(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, lesson3.Added(b, added))
	// projected returns an answer that projects what is below with these entries, also where the sizes are equal if always.
	projected := func(always bool, entry float32) func(scope *model.Scope, H, below *Node) *Node {
		return func(scope *model.Scope, H, below *Node) *Node {
			d, h := below.Shape().Dim(2), H.Shape().Dim(2)
			if d == h && !always {
				return Add(H, below)
			}
			W := slices.Repeat([][]float32{slices.Repeat([]float32{entry}, h)}, d)
			return Add(H, Einsum("tnd,dh->tnh", below, scope.VariableWithValue("W_res", W).NodeValue(H.Graph())))
		}
	}
	for answer, test := range map[string]struct {
		added func(scope *model.Scope, H, below *Node) *Node
		hint  string
	}{
		"nothing":           {func(scope *model.Scope, H, below *Node) *Node { return H }, "the result should be H + below"},
		"always a matrix":   {projected(true, 1), "no parameter is needed"},
		"a matrix of zeros": {projected(false, 0), "W_res starts as zeros"},
		"no matrix": {func(scope *model.Scope, H, below *Node) *Node {
			if below.Shape().Dim(2) == H.Shape().Dim(2) {
				return Add(H, below)
			}
			return H
		}, "there is no parameter W_res"},
		"cut off instead of projected": {func(scope *model.Scope, H, below *Node) *Node {
			return Add(H, Slice(below, AxisRange(), AxisRange(), AxisRange(0, H.Shape().Dim(2))))
		}, "there is no parameter W_res"},
		"the matrix transposed": {func(scope *model.Scope, H, below *Node) *Node {
			d, h := below.Shape().Dim(2), H.Shape().Dim(2)
			if d == h {
				return Add(H, below)
			}
			W := slices.Repeat([][]float32{slices.Repeat([]float32{1}, d)}, h)
			return Add(H, Einsum("tnd,hd->tnh", below, scope.VariableWithValue("W_res", W).NodeValue(H.Graph())))
		}, "W_res is [3 5]"},
		"without H": {func(scope *model.Scope, H, below *Node) *Node {
			return Sub(added(scope, H, below), H)
		}, "the result should be H + below"},
		"only for 5 columns": {func(scope *model.Scope, H, below *Node) *Node {
			if below.Shape().Dim(2) == 2 {
				return added(scope, H, Concatenate([]*Node{below, below}, -1))
			}
			return added(scope, H, below)
		}, "W_res is [4 3]; from d = 2"},
		"not trained": {func(scope *model.Scope, H, below *Node) *Node {
			sum := added(scope, H, below)
			for v := range scope.IterVariables() {
				v.SetTrainable(false)
			}
			return sum
		}, "W_res is not trained"},
		"the projection instead of the sum": {func(scope *model.Scope, H, below *Node) *Node {
			if sum := added(scope, H, below); below.Shape().Dim(2) != H.Shape().Dim(2) {
				return Sub(sum, H)
			}
			return Add(H, below)
		}, "the result is not H + below W_res"},
		"a result of another shape": {func(scope *model.Scope, H, below *Node) *Node {
			return Reshape(added(scope, H, below), -1, H.Shape().Dim(2))
		}, "the result has the shape [8 3]"},
		"a sum that cannot be": {func(scope *model.Scope, H, below *Node) *Node { return Add(H, below) }, "stops with an error"},
	} {
		exercisetest.Wrong(t, answer, lesson3.Added(b, test.added), test.hint)
	}
}

func TestBest(t *testing.T) {
	b := backendtest.Go(t)
	for answer, test := range map[string]struct {
		w     network
		steps int
		hint  string
	}{
		"nothing":             {network{}, 0, "sizes, a cell and a number of steps"},
		"too many steps":      {network{sizes: within(4, 3000), cell: tanh}, 2500, "2500 steps; 2,000 are allowed"},
		"too many parameters": {network{sizes: within(4, 3500), cell: tanh}, 2000, "3,000 are allowed"},
		"LSTM of this size":   {network{sizes: within(2, 3000), cell: birnnlib.LSTM{}}, 2000, "3,000 are allowed"},
		"hardly trained":      {network{sizes: within(2, 100), cell: tanh}, 10, "below 0.15 is asked for"},
		"no cell":             {network{sizes: within(2, 100)}, 10, "nil cell"},
	} {
		_, err := lesson3.Best(b, test.w.sizes, test.steps, test.w.loss(6))
		exercisetest.Wrong(t, answer, err, test.hint)
	}
}

func TestLongBest(t *testing.T) {
	testall.Long(t)
	w, steps := best()
	loss, err := lesson3.Best(backendtest.One(t), w.sizes, steps, w.loss(6))
	exercisetest.Right(t, err)
	if loss <= 0 || loss > 0.15 {
		t.Errorf("the loss is %.3f", loss)
	}
}
