package birnnlib_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/torch"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// torchCase is one case of testdata/torch_rnn.json; testdata/torch_rnn.py writes it and explains it.
type torchCase struct {
	Number           int                  `json:"number"`
	Kind             string               `json:"kind"`
	Layers           int                  `json:"layers"`
	Bidirectional    bool                 `json:"bidirectional"`
	T                int                  `json:"T"`
	Lengths          []int32              `json:"lengths"`
	N                int                  `json:"n"`
	D                int                  `json:"d"`
	H                int                  `json:"h"`
	R                int                  `json:"r"`
	WithInitial      bool                 `json:"with_initial"`
	Outputs          []float64            `json:"outputs"`
	Final            [][]float64          `json:"final"`
	Loss             float64              `json:"loss"`
	LossTerms        float64              `json:"loss_terms"`
	Gradients        map[string][]float64 `json:"gradients"`
	XGradient        []float64            `json:"x_gradient"`
	InitialGradients [][]float64          `json:"initial_gradients"`

	// Drawn by the rule of the script, in [torchCase.draw].
	x       []float64   // [T, n, d]
	initial [][]float64 // of each state [layers and directions, n, its size]
	weights map[string]array
}

// array is the values of a tensor, row by row.
type array struct {
	values []float64
	dims   []int
}

// torchCases reads the fixture.
func torchCases(t *testing.T) (names []string, cases map[string]*torchCase) {
	t.Helper()
	blob, err := os.ReadFile("testdata/torch_rnn.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct{ Cases []*torchCase }
	if err := json.Unmarshal(blob, &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) != 65 {
		t.Fatalf("%d cases in the fixture, want 65", len(fixture.Cases))
	}
	cases = map[string]*torchCase{}
	for _, c := range fixture.Cases {
		c.draw()
		names, cases[c.String()] = append(names, c.String()), c
	}
	return names, cases
}

// String names the case.
func (c *torchCase) String() string {
	name := fmt.Sprintf("%s, layers %d", c.Kind, c.Layers)
	for _, part := range []struct {
		is   bool
		name string
	}{{c.Bidirectional, "bidirectional"}, {len(c.Lengths) > 0, "lengths"}, {c.WithInitial, "initial states"}, {c.T == 1, "one time step"}} {
		if part.is {
			name += ", " + part.name
		}
	}
	return name
}

func (c *torchCase) directions() int {
	if c.Bidirectional {
		return 2
	}
	return 1
}

func (c *torchCase) cell() birnnlib.Cell {
	switch c.Kind {
	case "RNN tanh":
		return birnnlib.RNN{Activation: activation.TypeTanh}
	case "RNN relu":
		return birnnlib.RNN{Activation: activation.TypeRelu}
	case "LSTM":
		return birnnlib.LSTM{}
	case "LSTM projection":
		return birnnlib.LSTM{Projection: c.R}
	}
	return birnnlib.GRU{}
}

// stateSizes are r and, for an LSTM, h.
func (c *torchCase) stateSizes() []int {
	if strings.HasPrefix(c.Kind, "LSTM") {
		return []int{c.R, c.H}
	}
	return []int{c.R}
}

// draw draws inputs, initial states and weights as the script does, each from a separate stream.
func (c *torchCase) draw() {
	stream := 100 * uint64(c.Number)
	next := func(scale float64, dims ...int) array {
		size := 1
		for _, dim := range dims {
			size *= dim
		}
		values := rule(stream, size)
		stream++
		for i := range values {
			values[i] *= scale
		}
		return array{values, dims}
	}
	c.x = next(1, c.T, c.N, c.D).values
	for _, size := range c.stateSizes() {
		c.initial = append(c.initial, next(0.5, c.Layers*c.directions(), c.N, size).values)
	}
	k := map[string]int{"RNN tanh": 1, "RNN relu": 1, "LSTM": 4, "LSTM projection": 4, "GRU": 3}[c.Kind] * c.H
	c.weights = map[string]array{}
	d := c.D
	for l := range c.Layers {
		for _, suffix := range []string{"", "_reverse"}[:c.directions()] {
			suffix = fmt.Sprintf("_l%d%s", l, suffix)
			c.weights["weight_ih"+suffix] = next(0.5, k, d)
			c.weights["weight_hh"+suffix] = next(0.5, k, c.R)
			c.weights["bias_ih"+suffix] = next(0.5, k)
			c.weights["bias_hh"+suffix] = next(0.5, k)
			if c.R < c.H {
				c.weights["weight_hr"+suffix] = next(0.5, c.R, c.H)
			}
		}
		d = c.directions() * c.R
	}
}

// inType returns the values as a tensor of Float32 or Float64.
func inType(dtype dtypes.DType, values []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	rounded := make([]float32, len(values))
	for i, v := range values {
		rounded[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(rounded, dims...)
}

func inFloat64(t *tensors.Tensor) (values []float64) {
	if t.DType() == dtypes.Float64 {
		return tensors.MustCopyFlatData[float64](t)
	}
	for _, v := range tensors.MustCopyFlatData[float32](t) {
		values = append(values, float64(v))
	}
	return values
}

// torchResult is the result of a case, in the shapes of the fixture.
type torchResult struct {
	outputs, x, loss []float64
	final, initial   [][]float64
	gradients        map[string][]float64
}

// run builds the network with PyTorch's weights and computes the values in the fixture.
func (c *torchCase) run(t *testing.T, b compute.Backend, dtype dtypes.DType, change func(*birnnlib.BiRNN)) torchResult {
	t.Helper()
	weights := map[string]*tensors.Tensor{}
	for name, w := range c.weights {
		weights[name] = inType(dtype, w.values, w.dims...)
	}
	store, options := model.NewStore(), torch.Options{Cell: c.cell()}
	sizes, err := torch.Import(store.RootScope(), weights, options)
	if err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]birnnlib.Sizes{{Forward: c.H, Backward: c.H * (c.directions() - 1)}}, c.Layers); !slices.Equal(sizes, want) {
		t.Fatalf("imported are the sizes %+v, want %+v", sizes, want)
	}

	stateSizes, L := c.stateSizes(), c.Layers*c.directions()
	inputs := []any{inType(dtype, c.x, c.T, c.N, c.D)}
	for i, size := range stateSizes {
		inputs = append(inputs, inType(dtype, c.initial[i], L, c.N, size))
	}
	var paths []string
	outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, in []*Node) []*Node {
		g, x, initial := in[0].Graph(), in[0], in[1:]
		builder := birnnlib.New(scope, x, sizes...).Cell(options.Cell).Initializer(nil) // nil: all parameters must be there
		if c.WithInitial {
			h0, c0 := initial[0], (*Node)(nil)
			if len(initial) > 1 {
				c0 = initial[1]
			}
			builder.InitialStates(torch.SplitStates(sizes, h0, c0)...)
		}
		if len(c.Lengths) > 0 {
			builder.Lengths(Const(g, c.Lengths))
		}
		if change != nil {
			change(builder)
		}
		h, last := builder.Done()

		loss := ReduceAllSum(Sin(MulScalar(h, 2)))
		hn, cn := torch.StackStates(last)
		final := []*Node{hn}
		if cn != nil {
			final = append(final, cn)
		}
		for _, s := range final {
			loss = Add(loss, ReduceAllSum(Mul(s, Cos(s))))
		}
		wrt := []*Node{x}
		if c.WithInitial {
			wrt = append(wrt, initial...)
		}
		paths = paths[:0]
		for v := range scope.IterVariables() {
			paths, wrt = append(paths, v.Path()), append(wrt, v.NodeValue(g))
		}
		return slices.Concat([]*Node{h, loss}, final, Gradient(loss, wrt...))
	}, inputs...)
	if err != nil {
		t.Fatal(err)
	}

	take := func(n int) (values [][]float64) {
		for _, o := range outputs[:n] {
			values = append(values, inFloat64(o))
		}
		outputs = outputs[n:]
		return values
	}
	var r torchResult
	r.outputs, r.loss = take(1)[0], take(1)[0]
	r.final = take(len(stateSizes))
	r.x = take(1)[0]
	if c.WithInitial {
		r.initial = take(len(stateSizes))
	}
	// The gradients have the layout of the parameters, so Export converts them, too.
	gradients := model.NewStore()
	for i, path := range paths {
		if _, err := gradients.CreateVariable(path, outputs[i]); err != nil {
			t.Fatal(err)
		}
	}
	exported, err := torch.Export(gradients.RootScope(), options)
	if err != nil {
		t.Fatal(err)
	}
	r.gradients = map[string][]float64{}
	for name, gradient := range exported {
		values := inFloat64(gradient)
		if strings.HasPrefix(name, "bias_hh") {
			if c.Kind != "GRU" {
				continue // the gradient is that of bias_ih
			}
			values = values[2*c.H:]
		}
		r.gradients[name] = values
	}
	return r
}

// compare fails if a result is farther from PyTorch's than δ of the largest magnitude of its array.
func (c *torchCase) compare(t *testing.T, r torchResult, δ float64) {
	t.Helper()
	near(t, "outputs", r.outputs, c.Outputs, δ)
	if off := math.Abs(r.loss[0] - c.Loss); !(off <= δ*c.LossTerms) { // its terms nearly cancel in some cases
		t.Errorf("loss %.15g, want %.15g: off by %.2g of its terms' magnitudes, %g", r.loss[0], c.Loss, off/c.LossTerms, c.LossTerms)
	}
	near(t, "gradient of x", r.x, c.XGradient, δ)
	for i := range c.stateSizes() {
		near(t, fmt.Sprintf("final state %d", i), r.final[i], c.Final[i], δ)
		if c.WithInitial {
			near(t, fmt.Sprintf("gradient of initial state %d", i), r.initial[i], c.InitialGradients[i], δ)
		}
	}
	if len(r.gradients) != len(c.Gradients) {
		t.Errorf("%d gradients, want %d", len(r.gradients), len(c.Gradients))
	}
	for name, want := range c.Gradients {
		near(t, "gradient of "+name, r.gradients[name], want, δ)
	}
}

// near is closeTo in float64 with a given tolerance.
func near(t *testing.T, what string, got, want []float64, δ float64) {
	t.Helper()
	if len(got) != len(want) || len(want) == 0 {
		t.Errorf("%s has %d entries, want %d", what, len(got), len(want))
		return
	}
	var largest, worst float64
	at := 0
	for i := range want {
		largest = max(largest, math.Abs(want[i]))
		if d := math.Abs(got[i] - want[i]); d > worst || math.IsNaN(d) {
			worst, at = d, i
		}
	}
	if !(worst <= δ*largest) {
		t.Errorf("%s[%d] = %.15g, want %.15g: off by %.2g of the largest magnitude %g", what, at, got[at], want[at], worst/largest, largest)
	}
}

// TestAgainstTorch compares all values in the fixture, in float32 to 1e-5 and in float64 to 1e-10 of the largest
// magnitude in each array. Pure Go unrolls both; XLA unrolls in float32 and loops in float64.
func TestAgainstTorch(t *testing.T) { againstTorch(t) }

func TestLongAgainstTorch(t *testing.T) {
	testall.Long(t)
	againstTorch(t)
}

func againstTorch(t *testing.T) {
	names, cases := torchCases(t)
	onXLA := []string{
		"RNN relu, layers 1, bidirectional, initial states",
		"LSTM projection, layers 2, initial states",
		"GRU, layers 1, bidirectional, lengths",
	}
	matrix(t, names, onXLA, func(t *testing.T, b compute.Backend, name string) {
		c := cases[name]
		c.compare(t, c.run(t, b, dtypes.Float32, func(b *birnnlib.BiRNN) { b.Unroll(c.T) }), 1e-5)
		c.compare(t, c.run(t, b, dtypes.Float64, func(builder *birnnlib.BiRNN) {
			if compiles(b) {
				builder.Unroll(1)
			}
		}), 1e-10)
	})
}

// TestTorchEmptySequence adds a sequence of length 0, which PyTorch refuses, with NaN as inputs. Nothing changes for
// the other sequences and the weights. The empty one has zero outputs, and its final states are its initial ones, which
// add s cos s to the loss.
func TestTorchEmptySequence(t *testing.T) { torchEmptySequence(t) }

func TestLongTorchEmptySequence(t *testing.T) {
	testall.Long(t)
	torchEmptySequence(t)
}

func torchEmptySequence(t *testing.T) {
	const at = 1 // the place of the empty sequence in the batch
	names, cases := torchCases(t)
	names = slices.DeleteFunc(names, func(name string) bool {
		c := cases[name]
		return len(c.Lengths) == 0 || !c.WithInitial || !c.Bidirectional
	})
	onXLA := []string{"LSTM, layers 2, bidirectional, lengths, initial states"}
	matrix(t, names, onXLA, func(t *testing.T, b compute.Backend, name string) {
		c := cases[name]
		more := *c
		more.N = c.N + 1
		more.Lengths = slices.Insert(slices.Clone(c.Lengths), at, 0)
		more.x = withSequence(c.x, c.T, c.N, at, math.NaN())
		more.initial = nil
		loss := c.Loss
		L := c.Layers * c.directions()
		for i, initial := range c.initial {
			v := 0.3 + float64(i)
			more.initial = append(more.initial, withSequence(initial, L, c.N, at, v))
			loss += float64(L*c.stateSizes()[i]) * v * math.Cos(v)
		}
		r := more.run(t, b, dtypes.Float64, nil)

		// out removes the empty sequence, whose values must be want, from an array.
		out := func(what string, values []float64, outer int, want float64) []float64 {
			rest, empty := withoutSequence(values, outer, more.N, at)
			for _, v := range empty {
				if !(math.Abs(v-want) <= 1e-15) {
					t.Errorf("%s of the empty sequence: %g, want %g", what, v, want)
				}
			}
			return rest
		}
		r.outputs = out("outputs", r.outputs, c.T, 0)
		r.x = out("gradient of x", r.x, c.T, 0)
		for i := range c.initial {
			v := 0.3 + float64(i)
			r.final[i] = out("final states", r.final[i], L, v)
			r.initial[i] = out("gradient of initial states", r.initial[i], L, math.Cos(v)-v*math.Sin(v))
		}
		changed := *c
		changed.Loss = loss
		changed.compare(t, r, 1e-10)
	})
}

// withSequence returns values [outer, n, …] with a sequence of values v inserted at that index of the batch.
func withSequence(values []float64, outer, n, at int, v float64) (more []float64) {
	inner := len(values) / outer / n
	for i := range outer {
		for j := range n + 1 {
			switch {
			case j == at:
				more = append(more, slices.Repeat([]float64{v}, inner)...)
			case j > at:
				more = append(more, values[(i*n+j-1)*inner:(i*n+j)*inner]...)
			default:
				more = append(more, values[(i*n+j)*inner:(i*n+j+1)*inner]...)
			}
		}
	}
	return more
}

// withoutSequence reverses withSequence.
func withoutSequence(values []float64, outer, n, at int) (rest, removed []float64) {
	inner := len(values) / outer / n
	for i := range outer * n {
		if part := values[i*inner : (i+1)*inner]; i%n == at {
			removed = append(removed, part...)
		} else {
			rest = append(rest, part...)
		}
	}
	return rest, removed
}
