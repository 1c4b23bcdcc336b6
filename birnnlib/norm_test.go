package birnnlib_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// normCells are the cells with layer normalisation.
var normCells = map[string]birnnlib.Cell{
	"RNN":  birnnlib.LayerNormRNN{Activation: activation.TypeTanh},
	"LSTM": birnnlib.LayerNormLSTM{ForgetBias: 1},
	"GRU":  birnnlib.LayerNormGRU{},
}

// torchNorm is testdata/torch_norm.json; testdata/torch_norm.py writes it and explains it.
type torchNorm struct {
	T     int                      `json:"T"`
	N     int                      `json:"n"`
	D     int                      `json:"d"`
	Sizes [][2]int                 `json:"sizes"`
	Cases map[string]torchNormCase `json:"cases"`
}

type torchNormCase struct {
	Cell       string               `json:"cell"`
	Activation string               `json:"activation"`
	ForgetBias float64              `json:"forget_bias"`
	X          []float64            `json:"x"`
	Weights    map[string][]float64 `json:"weights"`
	Initial    [][]float64          `json:"initial"`
	H          []float64            `json:"h"`
	Final      [][]float64          `json:"final"`
	Loss       float64              `json:"loss"`
	DX         []float64            `json:"dx"`
	Gradients  map[string][]float64 `json:"gradients"`
	DInitial   [][]float64          `json:"dinitial"`
}

func (c *torchNormCase) cell(t *testing.T) birnnlib.Cell {
	switch c.Cell {
	case "RNN":
		φ, err := activation.TypeString(c.Activation)
		if err != nil {
			t.Fatal(err)
		}
		return birnnlib.LayerNormRNN{Activation: φ}
	case "LSTM":
		return birnnlib.LayerNormLSTM{ForgetBias: c.ForgetBias}
	}
	return birnnlib.LayerNormGRU{}
}

// TestNormAgainstTorch compares outputs, final states, the loss and every gradient of two bidirectional layers with
// PyTorch's, within 1e-10 of the largest magnitude in each array in float64 and 1e-5 in float32.
func TestNormAgainstTorch(t *testing.T) { normAgainstTorch(t) }

func TestLongNormAgainstTorch(t *testing.T) {
	testall.Long(t)
	normAgainstTorch(t)
}

func normAgainstTorch(t *testing.T) {
	blob, err := os.ReadFile("testdata/torch_norm.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture torchNorm
	if err := json.Unmarshal(blob, &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) != 5 {
		t.Fatalf("%d cases in the fixture, want 5", len(fixture.Cases))
	}
	var names []string
	tests := map[string]func(t *testing.T, b compute.Backend){}
	for name, c := range fixture.Cases {
		for dtype, δ := range map[dtypes.DType]float64{dtypes.Float64: 1e-10, dtypes.Float32: 1e-5} {
			name := fmt.Sprintf("%s, %s", name, dtype)
			names = append(names, name)
			tests[name] = func(t *testing.T, b compute.Backend) { fixture.compare(t, b, c, dtype, δ) }
		}
	}
	slices.Sort(names)
	onXLA := []string{"RNN, tanh, Float32"} // TestNormForms covers the others
	matrix(t, names, onXLA, func(t *testing.T, b compute.Backend, name string) { tests[name](t, b) })
}

func (f *torchNorm) compare(t *testing.T, b compute.Backend, c torchNormCase, dtype dtypes.DType, δ float64) {
	cell := c.cell(t)
	var sizes []birnnlib.Sizes
	for _, s := range f.Sizes {
		sizes = append(sizes, birnnlib.Sizes{Forward: s[0], Backward: s[1]})
	}
	store := model.NewStore()
	var names []string
	width := f.D
	for l, s := range f.Sizes {
		for i, direction := range []string{"f", "b"} {
			layout := cell.Layout(s[i])
			for _, w := range append(layout.Weights, birnnlib.CellWeight{Name: layout.Wx, Dims: []int{width, layout.Columns}}) {
				name := fmt.Sprintf("layer_%d/%s^%s", l+1, w.Name, direction)
				if _, err := store.CreateVariable(name, tensorIn(dtype, c.Weights[name], w.Dims...)); err != nil {
					t.Fatal(err)
				}
				names = append(names, name)
			}
		}
		width = s[0] + s[1]
	}
	if len(names) != len(c.Weights) {
		t.Fatalf("%d parameters, the fixture has %d", len(names), len(c.Weights))
	}
	inputs := []any{tensorIn(dtype, c.X, f.T, f.N, f.D)}
	for _, s := range c.Initial {
		inputs = append(inputs, tensorIn(dtype, s, f.N, len(s)/f.N))
	}
	outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, in []*Node) []*Node {
		x, states := in[0], in[1:]
		count := len(cell.Layout(2).States)
		var initial []birnnlib.State
		for part := range slices.Chunk(states, 2*count) {
			initial = append(initial, birnnlib.State{Forward: part[:count], Backward: part[count:]})
		}
		h, last := birnnlib.New(scope, x, sizes...).Cell(cell).InitialStates(initial...).Initializer(nil).Done()
		var final []*Node
		for _, s := range last {
			final = slices.Concat(final, s.Forward, s.Backward)
		}
		loss := ReduceAllSum(Sin(MulScalar(h, 2)))
		for _, s := range final {
			loss = Add(loss, ReduceAllSum(Mul(s, s)))
		}
		wrt := slices.Clone(in)
		for _, name := range names {
			wrt = append(wrt, scope.Store().GetVariable("/"+name).NodeValue(x.Graph()))
		}
		outputs := slices.Concat([]*Node{h, loss}, final, Gradient(loss, wrt...))
		for i := range outputs {
			outputs[i] = ConvertDType(outputs[i], dtypes.Float64)
		}
		return outputs
	}, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, want []float64) {
		t.Helper()
		nearTo(t, what, tensors.MustCopyFlatData[float64](outputs[0]), want, δ)
		outputs = outputs[1:]
	}
	check("H", c.H)
	check("loss", []float64{c.Loss})
	for i, s := range c.Final {
		check(fmt.Sprintf("final state %d", i), s)
	}
	check("gradient of x", c.DX)
	for i, s := range c.DInitial {
		check(fmt.Sprintf("gradient of initial state %d", i), s)
	}
	for _, name := range names {
		check("gradient of "+name, c.Gradients[name])
	}
	if len(outputs) > 0 {
		t.Errorf("%d results are not in the fixture", len(outputs))
	}
}

// tensorIn returns the values in that dtype.
func tensorIn(dtype dtypes.DType, values []float64, dims ...int) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(values, dims...)
	}
	rounded := make([]float32, len(values))
	for i, v := range values {
		rounded[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(rounded, dims...)
}

// nearTo fails if an entry of got is farther from want than δ of the largest entry.
func nearTo(t *testing.T, what string, got, want []float64, δ float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d entries, want %d", what, len(got), len(want))
		return
	}
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	for i, v := range want {
		if off := math.Abs(got[i] - v); !(off <= δ*largest) {
			t.Errorf("%s[%d] = %g, want %g: off by %.2g of the largest magnitude %g", what, i, got[i], v, off/largest, largest)
			return
		}
	}
}

// runNorm returns the outputs and final states of one layer, and the gradient of x and of every parameter.
func runNorm(t *testing.T, b compute.Backend, cell birnnlib.Cell, x *tensors.Tensor, lengths []int32, sizes birnnlib.Sizes, change func(*birnnlib.BiRNN)) []*tensors.Tensor {
	t.Helper()
	x, err := x.LocalClone() // a tensor belongs to one backend
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, x, lengths *Node) []*Node {
		builder := birnnlib.New(scope, x, sizes).Cell(cell).Initializer(everywhere).Lengths(lengths)
		if change != nil {
			change(builder)
		}
		h, final := builder.Done()
		loss := ReduceAllSum(Sin(MulScalar(h, 2)))
		states := slices.Concat(final[0].Forward, final[0].Backward)
		for _, s := range states {
			loss = Add(loss, ReduceAllSum(Mul(s, s)))
		}
		wrt := []*Node{x}
		for v := range scope.IterVariables() {
			wrt = append(wrt, v.NodeValue(x.Graph()))
		}
		return slices.Concat([]*Node{h, Concatenate(states, 1)}, Gradient(loss, wrt...))
	}, x, lengths)
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// normInput returns random values [T, n, d], and the same with NaN at padding.
func normInput(T, d int, lengths []int32) (values []float64, padded *tensors.Tensor) {
	n := len(lengths)
	values = tensors.MustCopyFlatData[float64](random(3, T, n, d))
	with := slices.Clone(values)
	for i := range with {
		if t, sequence := i/d/n, i/d%n; t >= int(lengths[sequence]) {
			with[i] = math.NaN()
		}
	}
	return values, tensors.FromFlatDataAndDimensions(with, T, n, d)
}

// TestNormForms compares all forms in which the recurrence runs with the gradient that GoMLX derives for the unrolled
// one, in pure Go, which compiles fastest.
func TestNormForms(t *testing.T) { normForms(t) }

func TestLongNormForms(t *testing.T) {
	testall.Long(t)
	normForms(t)
}

func normForms(t *testing.T) {
	const T = 3
	lengths := []int32{T, 0, 2}
	_, x := normInput(T, 3, lengths)
	type form struct {
		name   string
		sizes  birnnlib.Sizes // one direction, to compile faster; TestNormAgainstTorch has loops in both
		change func(*birnnlib.BiRNN)
	}
	unrolled := form{"unrolled", birnnlib.Sizes{Forward: 4}, func(b *birnnlib.BiRNN) { b.Unroll(T) }}
	loop := form{"loop", birnnlib.Sizes{Forward: 4}, func(b *birnnlib.BiRNN) { b.Unroll(1) }}
	recompute := form{"recompute", birnnlib.Sizes{Backward: 3}, func(b *birnnlib.BiRNN) { b.Recompute(true) }}
	names := slices.Sorted(maps.Keys(normCells))
	matrix(t, names, []string{"GRU", "LSTM"}, func(t *testing.T, b compute.Backend, name string) {
		cell, forms := normCells[name], []form{unrolled}
		if compiles(b) {
			forms = []form{loop}
			if name == "GRU" { // the most intricate
				forms = append(forms, recompute)
			}
		}
		for _, form := range forms {
			want := runNorm(t, gobackend.GetBackend(), plain{cell}, x, lengths, form.sizes, nil)
			same(t, form.name, runNorm(t, b, cell, x, lengths, form.sizes, form.change), want, 1e-12)
		}
	})
}

// TestNormPadding runs sequences of different lengths in one batch, padded with NaN, and each one alone without
// padding: outputs, final states and (added up) gradients are the same. It runs in pure Go; TestNormForms shows that
// XLA computes the same for such a batch.
func TestNormPadding(t *testing.T) {
	const T, d = 5, 3
	lengths := []int32{3, 5, 1}
	n := len(lengths)
	sizes := birnnlib.Sizes{Forward: 4, Backward: 3}
	h := sizes.Forward + sizes.Backward
	values, padded := normInput(T, d, lengths)
	// of returns the part of x [T, n, k] at the valid time steps of sequence i.
	of := func(x []float64, i, k int) (own []float64) {
		for t := range int(lengths[i]) {
			own = append(own, x[(t*n+i)*k:(t*n+i+1)*k]...)
		}
		return own
	}
	for name, cell := range normCells {
		t.Run(name, func(t *testing.T) {
			run := func(x *tensors.Tensor, lengths []int32) (results [][]float64) {
				for _, o := range runNorm(t, gobackend.GetBackend(), cell, x, lengths, sizes, nil) {
					results = append(results, tensors.MustCopyFlatData[float64](o))
				}
				return results
			}
			batch := run(padded, lengths)
			for what, result := range map[string][]float64{"H": batch[0], "gradient of x": batch[2]} {
				k := len(result) / T / n
				for i, v := range result {
					if step, sequence := i/k/n, i/k%n; step >= int(lengths[sequence]) && v != 0 {
						t.Errorf("%s at padding, sequence %d, time step %d: %g, want 0", what, sequence, step, v)
					}
				}
			}
			sums := make([][]float64, len(batch)-3)
			for i := range lengths {
				alone := run(tensors.FromFlatDataAndDimensions(of(values, i, d), int(lengths[i]), 1, d), lengths[i:i+1])
				states := len(batch[1]) / n
				nearTo(t, fmt.Sprintf("H of sequence %d", i), of(batch[0], i, h), alone[0], 1e-12)
				nearTo(t, fmt.Sprintf("final states of sequence %d", i), batch[1][i*states:(i+1)*states], alone[1], 1e-12)
				nearTo(t, fmt.Sprintf("gradient of x, sequence %d", i), of(batch[2], i, d), alone[2], 1e-12)
				for k, gradient := range alone[3:] {
					if i == 0 {
						sums[k] = make([]float64, len(gradient))
					}
					for j, v := range gradient {
						sums[k][j] += v
					}
				}
			}
			for k, sum := range sums {
				nearTo(t, fmt.Sprintf("gradient of parameter %d", k), batch[3+k], sum, 1e-12)
			}
		})
	}
}

// TestNormOneUnit checks the error for one unit: minus its mean it is always zero.
func TestNormOneUnit(t *testing.T) {
	b := backendtest.One(t)
	for name, cell := range normCells {
		_, err := model.CallOnce(b, model.NewStore(), func(scope *model.Scope, x *Node) *Node {
			h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2, Backward: 1}).Cell(cell).Done()
			return h
		}, random(1, 3, 2, 2))
		if want := "birnnlib.LayerNorm" + name + ": the hidden size is 1"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
}

// TestNormPrecision compares outputs and gradients in 16 bits with those in 64 bits: from the zero state, where ε must
// not be rounded away, and for few time steps, since LN magnifies rounding errors.
func TestNormPrecision(t *testing.T) {
	x := random(2, 3, 4, 8)
	for name, cell := range normCells {
		run := func(dtype dtypes.DType) []*tensors.Tensor {
			outputs, err := model.CallOnceN(gobackend.GetBackend(), model.NewStore(), func(scope *model.Scope, x *Node) []*Node {
				h, _ := birnnlib.New(scope, ConvertDType(x, dtype), birnnlib.Sizes{Forward: 8, Backward: 8}).Cell(cell).
					Initializer(birnnlib.Glorot().Seed(3)).Done()
				h = ConvertDType(h, dtypes.Float64)
				return []*Node{h, Gradient(ReduceAllSum(Mul(h, h)), x)[0]}
			}, x)
			if err != nil {
				t.Fatal(err)
			}
			return outputs
		}
		for dtype, tolerance := range map[dtypes.DType]float64{dtypes.BFloat16: 0.1, dtypes.Float16: 0.01} {
			same(t, fmt.Sprintf("%s in %s", name, dtype), run(dtype), run(dtypes.Float64), tolerance)
		}
	}
}
