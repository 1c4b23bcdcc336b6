package torch_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/torch"
	"birnn/internal/testall"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/dtypes/float16"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

var (
	tanhRNN = birnnlib.RNN{}
	reluRNN = birnnlib.RNN{Activation: activation.TypeRelu}
)

// run returns the outputs h [time step, batch, hidden] of the network in the scope, and, as PyTorch has them, the final
// hidden states [layer and direction, batch, hidden].
func run(t *testing.T, scope *model.Scope, cell birnnlib.Cell, sizes []birnnlib.Sizes, x *tensors.Tensor) (h, final *tensors.Tensor) {
	t.Helper()
	outputs, err := model.CallOnceN(gobackend.GetBackend(), scope.Store(), func(_ *model.Scope, x *Node) []*Node {
		h, states := birnnlib.New(scope.ResetVisited(), x, sizes...).Cell(cell).Initializer(nil).Done() // nil: all must be there
		if slices.ContainsFunc(sizes, func(s birnnlib.Sizes) bool { return s != sizes[0] || s.Backward != 0 && s.Backward != s.Forward }) {
			return []*Node{h} // Keras' sizes may differ
		}
		final, _ := torch.StackStates(states)
		return []*Node{h, final}
	}, x)
	if err != nil {
		t.Fatal(err)
	}
	return outputs[0], outputs[len(outputs)-1]
}

func floats(t *testing.T, tensor *tensors.Tensor) (values []float64) {
	t.Helper()
	if err := tensor.ConstFlatData(func(flat any) {
		switch flat := flat.(type) {
		case []float64:
			values = slices.Clone(flat)
		case []float32:
			for _, v := range flat {
				values = append(values, float64(v))
			}
		case []bfloat16.BFloat16:
			for _, v := range flat {
				values = append(values, v.Float64())
			}
		case []float16.Float16:
			for _, v := range flat {
				values = append(values, v.Float64())
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	return values
}

// closeTo fails if two tensors differ by more than δ of the largest magnitude.
func closeTo(t *testing.T, what string, got, want *tensors.Tensor, δ float64) {
	t.Helper()
	if !got.Shape().Equal(want.Shape()) {
		t.Errorf("%s is %s, want %s", what, got.Shape(), want.Shape())
		return
	}
	g, w := floats(t, got), floats(t, want)
	var largest, worst float64
	for i := range w {
		largest = max(largest, math.Abs(w[i]))
		if d := math.Abs(g[i] - w[i]); d > worst || math.IsNaN(d) {
			worst = d
		}
	}
	if !(worst <= δ*largest) || largest == 0 {
		t.Errorf("%s is off by %g, where the largest is %g", what, worst, largest)
	}
}

func load(t *testing.T, name string) map[string]*tensors.Tensor {
	t.Helper()
	weights, err := torch.Load(filepath.Join("testdata", name+".safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	return weights
}

// pytorchFiles are the networks of PyTorch that testdata/fixtures.py writes.
var pytorchFiles = map[string]struct {
	cell   birnnlib.Cell
	sizes  []birnnlib.Sizes
	dtype  dtypes.DType
	within float64
}{
	"torch_rnn_relu":           {birnnlib.RNN{Activation: activation.TypeRelu, NoBias: true}, []birnnlib.Sizes{{Forward: 4}, {Forward: 4}}, 0, 1e-6},
	"torch_rnn_tanh_float64":   {tanhRNN, []birnnlib.Sizes{{Forward: 4, Backward: 4}}, 0, 1e-14},
	"torch_lstm":               {birnnlib.LSTM{}, []birnnlib.Sizes{{Forward: 3, Backward: 3}, {Forward: 3, Backward: 3}}, 0, 1e-6},
	"torch_lstm_proj_bfloat16": {birnnlib.LSTM{Projection: 2}, []birnnlib.Sizes{{Forward: 4, Backward: 4}, {Forward: 4, Backward: 4}}, dtypes.Float32, 1e-6},
	"torch_gru":                {birnnlib.GRU{}, []birnnlib.Sizes{{Forward: 3, Backward: 3}, {Forward: 3, Backward: 3}, {Forward: 3, Backward: 3}}, 0, 1e-6},
	"torch_gru_no_bias_float16": {birnnlib.GRU{NoBias: true}, []birnnlib.Sizes{{Forward: 3}},
		dtypes.Float32, 1e-6},
}

const prefix = "encoder.rnn."

// TestImport compares a network with PyTorch's weights with PyTorch.
func TestImport(t *testing.T) {
	for name, test := range pytorchFiles {
		t.Run(name, func(t *testing.T) {
			weights, scope := load(t, name), model.NewStore().Scope("/some/where")
			sizes, err := torch.Import(scope, weights, torch.Options{Cell: test.cell, Prefix: prefix, DType: test.dtype})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sizes, test.sizes) {
				t.Fatalf("the sizes are %+v, want %+v", sizes, test.sizes)
			}
			h, final := run(t, scope, test.cell, sizes, weights["x"])
			closeTo(t, "h", h, weights["h"], test.within)
			closeTo(t, "the final states", final, weights["final"], test.within)
		})
	}
}

// variables are the values of all variables by their paths.
func variables(t *testing.T, store *model.Store) map[string]string {
	t.Helper()
	values := map[string]string{}
	for v := range store.IterVariables() {
		values[v.Path()] = v.MustValue().GoStr()
	}
	return values
}

// TestRoundTrip exports imported weights to a file and imports it: the parameters are the same to the last bit.
func TestRoundTrip(t *testing.T) {
	for name, test := range pytorchFiles {
		weights, scope := load(t, name), model.NewStore().Scope("/a")
		if _, err := torch.Import(scope, weights, torch.Options{Cell: test.cell, Prefix: prefix}); err != nil {
			t.Fatal(err)
		}
		exported, err := torch.Export(scope, torch.Options{Cell: test.cell, Prefix: prefix})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range weights { // the weights themselves; only the biases are split differently
			if strings.HasPrefix(path, prefix+"weight") && !exported[path].Equal(want) {
				t.Errorf("%s: %s is exported as %s, want %s", name, path, exported[path].GoStr(), want.GoStr())
			}
		}
		path := filepath.Join(t.TempDir(), "exported.safetensors")
		if err := torch.Save(path, exported); err != nil {
			t.Fatal(err)
		}
		loaded, err := torch.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		again := model.NewStore()
		if _, err := torch.Import(again.Scope("/a"), loaded, torch.Options{Cell: test.cell, Prefix: prefix}); err != nil {
			t.Fatal(err)
		}
		if got, want := variables(t, again), variables(t, scope.Store()); !maps.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: exported and imported again\n%v, want\n%v", name, got, want)
		}
	}
}

// TestImportInto checks that importing into an existing network changes only its parameters.
func TestImportInto(t *testing.T) {
	weights, store := load(t, "torch_lstm"), model.NewStore()
	scope, sizes := store.Scope("/net"), pytorchFiles["torch_lstm"].sizes
	if _, err := model.CallOnce(gobackend.GetBackend(), store, func(_ *model.Scope, x *Node) *Node {
		h, _ := birnnlib.New(scope, x, sizes...).Cell(birnnlib.LSTM{}).Done()
		return birnnlib.Output(scope, h, 2, birnnlib.Normal(1).Seed(1))
	}, weights["x"]); err != nil {
		t.Fatal(err)
	}
	before := variables(t, store)
	// A dtype that differs from the network's fails.
	_, err := torch.Import(scope, weights, torch.Options{Cell: birnnlib.LSTM{}, Prefix: prefix, DType: dtypes.Float64})
	if err == nil || !strings.Contains(err.Error(), "/net/layer_1/W_x^f") || !strings.Contains(err.Error(), "(Float64)[3 12]") && !strings.Contains(err.Error(), "(Float64)[3, 12]") {
		t.Errorf("the error of another dtype is %v", err)
	}
	// So does a wrong last parameter.
	last := store.GetVariable("/net/layer_2/b^b")
	if err := store.DeleteVariable(last.Path()); err != nil {
		t.Fatal(err)
	}
	if _, err := store.CreateVariable("/net/layer_2/b^b", tensors.FromValue([]float32{1})); err != nil {
		t.Fatal(err)
	}
	if _, err := torch.Import(scope, weights, torch.Options{Cell: birnnlib.LSTM{}, Prefix: prefix}); err == nil || !strings.Contains(err.Error(), "/net/layer_2/b^b") {
		t.Errorf("the error of a parameter of another shape is %v", err)
	}
	after := variables(t, store)
	delete(before, "/net/layer_2/b^b")
	delete(after, "/net/layer_2/b^b")
	if !maps.Equal(after, before) {
		t.Errorf("a failed import changes\n%v\ninto\n%v", before, after)
	}
	if err := store.DeleteVariable("/net/layer_2/b^b"); err != nil {
		t.Fatal(err)
	}

	if _, err := torch.Import(scope, weights, torch.Options{Cell: birnnlib.LSTM{}, Prefix: prefix}); err != nil {
		t.Fatal(err)
	}
	h, _ := run(t, scope, birnnlib.LSTM{}, sizes, weights["x"])
	closeTo(t, "h", h, weights["h"], 1e-6)
	if after := variables(t, store); after["/net/W_hq"] != before["/net/W_hq"] {
		t.Error("the import changes W_hq")
	}
}

// TestNotImported checks that weights that do not fit cause an error that names them, and leave nothing in the store.
func TestNotImported(t *testing.T) {
	type weights = map[string]*tensors.Tensor
	matrix := func(rows, columns int) *tensors.Tensor {
		return tensors.FromScalarAndDimensions(float32(1), rows, columns)
	}
	for _, test := range []struct {
		name   string
		file   string
		cell   birnnlib.Cell
		change func(w weights)
		want   []string
	}{
		{"a layer is missing", "torch_gru", birnnlib.GRU{}, func(w weights) { delete(w, prefix+"weight_hh_l1_reverse") }, []string{`"encoder.rnn.weight_hh_l1_reverse" is missing`, "nn.GRU", "3 layers"}},
		{"the first is missing", "torch_gru", birnnlib.GRU{}, func(w weights) { delete(w, prefix+"weight_hh_l0") }, []string{`"encoder.rnn.weight_hh_l0" is missing`}},
		{"inputs are missing", "torch_gru", birnnlib.GRU{}, func(w weights) { delete(w, prefix+"weight_ih_l0") }, []string{`"encoder.rnn.weight_ih_l0" is missing`}},
		{"a bias is missing", "torch_gru", birnnlib.GRU{}, func(w weights) { delete(w, prefix+"bias_hh_l2") }, []string{`"encoder.rnn.bias_hh_l2" is missing`, "NoBias"}},
		{"unknown", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_xx_l0"] = matrix(1, 1) }, []string{`"encoder.rnn.weight_xx_l0"`, "weight_ih_l0"}},
		{"unknown layer", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_ih_l00"] = matrix(1, 1) }, []string{`"encoder.rnn.weight_ih_l00"`}},
		{"huge layer", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_ih_l999999999"] = matrix(1, 1) }, []string{`"encoder.rnn.bias_hh_l3" is missing`, "1000000000 layers"}},
		{"a layer too many for any integer", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_ih_l99999999999999999999"] = matrix(1, 1) }, []string{`"encoder.rnn.weight_ih_l99999999999999999999"`}},
		{"projection not asked for", "torch_lstm_proj_bfloat16", birnnlib.LSTM{}, nil, []string{`"encoder.rnn.weight_hh_l0" is (BFloat16)[16, 2]`, "[4h, h]"}},
		{"another projection", "torch_lstm_proj_bfloat16", birnnlib.LSTM{Projection: 3}, nil, []string{`"encoder.rnn.weight_hh_l0"`, "proj_size=3", "[4h, 3]"}},
		{"projection without weights", "torch_lstm", birnnlib.LSTM{Projection: 3}, nil, []string{`"encoder.rnn.weight_hr_l0" is missing`, "Projection"}},
		{"weight_hr", "torch_lstm", birnnlib.LSTM{}, func(w weights) { w[prefix+"weight_hr_l0"] = matrix(1, 1) }, []string{`"encoder.rnn.weight_hr_l0" has no place`, "Projection"}},
		{"bias not asked for", "torch_lstm", birnnlib.LSTM{NoBias: true}, nil, []string{`"encoder.rnn.bias_hh_l0" has no place`, "bias=False", "NoBias"}},
		{"bias asked for", "torch_gru_no_bias_float16", birnnlib.GRU{}, nil, []string{`"encoder.rnn.bias_hh_l0" is missing`, "NoBias"}},
		{"LSTM as GRU", "torch_lstm", birnnlib.GRU{}, nil, []string{`"encoder.rnn.weight_hh_l0" is (Float32)[12, 3]`, "nn.GRU", "[3h, h]", "nn.LSTM 4"}},
		{"GRU as LSTM", "torch_gru", birnnlib.LSTM{}, nil, []string{`"encoder.rnn.weight_hh_l0" is (Float32)[9, 3]`, "[4h, h]"}},
		{"RNN as GRU", "torch_rnn_relu", birnnlib.GRU{NoBias: true}, nil, []string{`"encoder.rnn.weight_hh_l0" is (Float32)[4, 4]`, "[3h, h]"}},
		{"a shape", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_ih_l1"] = matrix(9, 3) }, []string{`"encoder.rnn.weight_ih_l1" is (Float32)[9, 3]`, "6 inputs", "[9 6]"}},
		{"a transposed shape", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_hh_l2"] = matrix(3, 9) }, []string{`"encoder.rnn.weight_hh_l2" is (Float32)[3, 9]`, "[9 3]"}},
		{"a bias of another shape", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"bias_ih_l0_reverse"] = matrix(9, 1) }, []string{`"encoder.rnn.bias_ih_l0_reverse" is (Float32)[9, 1]`, "[9]"}},
		{"a vector", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_hh_l0"] = tensors.FromValue([]float32{1}) }, []string{`"encoder.rnn.weight_hh_l0" is (Float32)[1]`, "matrix"}},
		{"nothing in it", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_hh_l0"] = matrix(0, 0) }, []string{`"encoder.rnn.weight_hh_l0" is (Float32)[0, 0]`}},
		{"mixed dtypes", "torch_gru", birnnlib.GRU{}, func(w weights) {
			w[prefix+"bias_ih_l2"] = tensors.FromScalarAndDimensions(1.0, 9)
		}, []string{`"encoder.rnn.bias_ih_l2" is Float64`, "Float32"}},
		{"integers", "torch_gru_no_bias_float16", birnnlib.GRU{NoBias: true}, func(w weights) {
			w[prefix+"weight_ih_l0"] = tensors.FromScalarAndDimensions(int32(1), 9, 3)
			w[prefix+"weight_hh_l0"] = tensors.FromScalarAndDimensions(int32(1), 9, 3)
		}, []string{`"encoder.rnn.weight_hh_l0"`, "(Int32)[9, 3]", "BFloat16"}},
		{"nil", "torch_gru", birnnlib.GRU{}, func(w weights) { w[prefix+"weight_hh_l0"] = nil }, []string{`"encoder.rnn.weight_hh_l0" is nil`}},
		{"sigmoid", "torch_rnn_relu", birnnlib.RNN{Activation: activation.TypeSigmoid, NoBias: true}, nil, []string{"Sigmoid", "tanh or relu"}},
		{"a function", "torch_rnn_relu", birnnlib.RNN{NoBias: true, Function: Sin}, nil, []string{"a function", "tanh or relu"}},
		{"activations of an LSTM", "torch_rnn_relu", birnnlib.LSTM{Output: Sin}, nil, []string{"nn.LSTM", "Output"}},
		{"activations of a GRU", "torch_rnn_relu", birnnlib.GRU{Gate: Sin}, nil, []string{"nn.GRU", "Gate"}},
		{"reset before", "torch_gru", birnnlib.GRU{ResetBefore: true}, nil, []string{"ResetBefore"}},
		{"peepholes", "torch_lstm", birnnlib.LSTM{Peepholes: true}, nil, []string{"p_i", "PyTorch"}},
		{"no cell", "torch_lstm", nil, nil, []string{"nil", "birnnlib.RNN, LSTM and GRU"}},
		{"a custom cell", "torch_lstm", struct{ birnnlib.Cell }{birnnlib.LSTM{}}, nil, []string{"struct", "birnnlib.RNN, LSTM and GRU"}},
	} {
		weights, store := load(t, test.file), model.NewStore()
		if test.change != nil {
			test.change(weights)
		}
		_, err := torch.Import(store.RootScope(), weights, torch.Options{Cell: test.cell, Prefix: prefix})
		refuses(t, test.name, err, test.want, store)
	}

	// A prefix that differs from the module's.
	for p, want := range map[string]string{
		"":         `"encoder.rnn."`,
		"rnn.":     `"encoder.rnn."`,
		"encoder.": `"encoder.rnn."`,
		"norm.":    `"norm.bias"`,
	} {
		_, err := torch.Import(model.NewStore().RootScope(), load(t, "torch_gru"), torch.Options{Cell: birnnlib.GRU{}, Prefix: p})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("prefix %q: the error is %v, want %s in it", p, err, want)
		}
	}
	if _, err := torch.Import(model.NewStore().RootScope(), load(t, "torch_gru"), torch.Options{Cell: birnnlib.GRU{}, Prefix: prefix, DType: dtypes.Int32}); err == nil || !strings.Contains(err.Error(), "Int32") {
		t.Errorf("parameters of Int32: the error is %v", err)
	}
}

// built builds a network with random parameters in the scope.
func built(t *testing.T, scope *model.Scope, cell birnnlib.Cell, dtype dtypes.DType, sizes ...birnnlib.Sizes) {
	t.Helper()
	if _, err := model.CallOnce(gobackend.GetBackend(), scope.Store(), func(_ *model.Scope, x *Node) *Node {
		h, _ := birnnlib.New(scope, ConvertDType(x, dtype), sizes...).Cell(cell).Initializer(birnnlib.TorchUniform().Seed(1)).Done()
		return h
	}, inputs); err != nil {
		t.Fatal(err)
	}
}

var inputs = tensors.FromValue([][][]float64{{{1, -0.5, 2}, {0.25, 3, -1}}, {{-2, 0.5, 0}, {1, 1, -3}}}) // [2, 2, 3]

func TestNotExported(t *testing.T) {
	both := birnnlib.Sizes{Forward: 3, Backward: 3}
	for _, test := range []struct {
		name  string
		cell  birnnlib.Cell
		sizes []birnnlib.Sizes
		as    birnnlib.Cell // the cell in Options; nil: cell
		after func(t *testing.T, store *model.Store)
		want  []string
	}{
		{"nothing there", birnnlib.LSTM{}, nil, nil, nil, []string{"/net", "layer_1/W_x^f"}},
		{"directions differ", birnnlib.LSTM{}, []birnnlib.Sizes{{Forward: 3, Backward: 2}}, nil, nil, []string{"/net/layer_1/W_h^b", "[2, 8]", "[3 12]"}},
		{"layers differ", birnnlib.GRU{}, []birnnlib.Sizes{both, {Forward: 2, Backward: 2}}, nil, nil, []string{"/net/layer_2/W_h^f", "[2, 6]", "[3 9]"}},
		{"backward only", birnnlib.GRU{}, []birnnlib.Sizes{{Backward: 3}}, nil, nil, []string{"layer_1/W_x^f", "/net"}},
		{"second layer forward only", birnnlib.GRU{}, []birnnlib.Sizes{both, {Forward: 3}}, nil, nil, []string{"layer_2/W_h^b is not in", "one hidden size"}},
		{"first layer forward only", birnnlib.GRU{}, []birnnlib.Sizes{{Forward: 3}, both}, nil, nil, []string{"/net/layer_2/", "^b has no place"}},
		{"bias not asked for", birnnlib.LSTM{}, []birnnlib.Sizes{both}, birnnlib.LSTM{NoBias: true}, nil, []string{"/net/layer_1/b^b has no place"}},
		{"bias asked for", birnnlib.LSTM{NoBias: true}, []birnnlib.Sizes{both}, birnnlib.LSTM{}, nil, []string{"layer_1/b^f is not in"}},
		{"peepholes not asked for", birnnlib.LSTM{Peepholes: true}, []birnnlib.Sizes{both}, birnnlib.LSTM{}, nil, []string{"/net/layer_1/p_f^b has no place"}},
		{"reset before", birnnlib.GRU{ResetBefore: true}, []birnnlib.Sizes{both}, nil, nil, []string{"ResetBefore"}},
		{"reset before as after", birnnlib.GRU{ResetBefore: true}, []birnnlib.Sizes{both}, birnnlib.GRU{}, nil, []string{"layer_1/b_hh^f is not in"}},
		{"LSTM as GRU", birnnlib.LSTM{}, []birnnlib.Sizes{both}, birnnlib.GRU{}, nil, []string{"/net/layer_1/W_h^f", "[3, 12]"}},
		{"LSTM as RNN", birnnlib.LSTM{}, []birnnlib.Sizes{both}, tanhRNN, nil, []string{"layer_1/W_xh^f"}},
		{"sigmoid", birnnlib.RNN{Activation: activation.TypeSigmoid}, []birnnlib.Sizes{both}, nil, nil, []string{"Sigmoid", "tanh or relu"}},
		{"projection as wide as the memory", birnnlib.LSTM{Projection: 3}, []birnnlib.Sizes{both}, nil, nil, []string{"Projection", "3 hidden units", "smaller"}},
		{"a gap", birnnlib.GRU{}, []birnnlib.Sizes{both, both, both}, nil, func(t *testing.T, store *model.Store) {
			if err := store.DeleteVariablesInScope("/net/layer_2"); err != nil {
				t.Fatal(err)
			}
		}, []string{"/net/layer_3/", "has no place"}},
		{"no value", birnnlib.GRU{}, []birnnlib.Sizes{both}, nil, func(t *testing.T, store *model.Store) {
			if err := store.GetVariable("/net/layer_1/b^b").Reset(); err != nil {
				t.Fatal(err)
			}
		}, []string{"/net/layer_1/b^b", "no value"}},
	} {
		scope := model.NewStore().Scope("/net")
		if test.sizes != nil {
			built(t, scope, test.cell, dtypes.Float32, test.sizes...)
		}
		if test.after != nil {
			test.after(t, scope.Store())
		}
		cell := test.as
		if cell == nil {
			cell = test.cell
		}
		weights, err := torch.Export(scope, torch.Options{Cell: cell})
		if err == nil {
			t.Errorf("%s: no error, but %v", test.name, weights)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q: %v", test.name, want, err)
			}
		}
	}
}

// TestExportStateful checks that the states kept by a network are not exported.
func TestExportStateful(t *testing.T) {
	scope := model.NewStore().RootScope()
	if _, err := model.CallOnce(gobackend.GetBackend(), scope.Store(), func(_ *model.Scope, x *Node) *Node {
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2}).Cell(birnnlib.LSTM{}).Stateful().Done()
		return h
	}, inputs); err != nil {
		t.Fatal(err)
	}
	if scope.GetVariable("W_hq") != nil || scope.Store().GetVariable("/layer_1/state_1^f") == nil {
		t.Fatal("the network keeps no state")
	}
	weights, err := torch.Export(scope, torch.Options{Cell: birnnlib.LSTM{}})
	if err != nil || len(weights) != 4 {
		t.Errorf("exported are %v, %v; want 4 weights", weights, err)
	}
}

// TestLongPyTorch lets PyTorch load exported networks and compares what it computes.
func TestLongPyTorch(t *testing.T) {
	testall.Long(t)
	python := testall.Python(t, "torch", "safetensors")
	type moduleCase struct {
		Class     string         `json:"class"`
		Arguments map[string]any `json:"arguments"`
		File      string         `json:"file"`
		cell      birnnlib.Cell
		h, final  *tensors.Tensor
		within    float64
	}
	dir := t.TempDir()
	var cases []*moduleCase
	for _, kind := range []struct {
		class string
		cell  birnnlib.Cell
		extra map[string]any
	}{
		{"RNN", tanhRNN, nil},
		{"RNN", reluRNN, map[string]any{"nonlinearity": "relu"}},
		{"RNN", birnnlib.RNN{Activation: activation.TypeTanh, NoBias: true}, map[string]any{"bias": false}},
		{"LSTM", birnnlib.LSTM{ForgetBias: 1}, nil},
		{"LSTM", birnnlib.LSTM{Projection: 2}, map[string]any{"proj_size": 2}},
		{"LSTM", birnnlib.LSTM{Projection: 2, NoBias: true}, map[string]any{"proj_size": 2, "bias": false}},
		{"GRU", birnnlib.GRU{}, nil},
		{"GRU", birnnlib.GRU{NoBias: true}, map[string]any{"bias": false}},
	} {
		for layers := 1; layers <= 2; layers++ {
			for _, backward := range []int{0, 4} {
				dtype, within := dtypes.Float64, 1e-13
				if layers == 2 {
					dtype, within = dtypes.Float32, 1e-6
				}
				c := &moduleCase{Class: kind.class, cell: kind.cell, within: within, File: fmt.Sprintf("%d.safetensors", len(cases)),
					Arguments: map[string]any{"input_size": 3, "hidden_size": 4, "num_layers": layers, "bidirectional": backward > 0}}
				maps.Copy(c.Arguments, kind.extra)
				sizes := slices.Repeat([]birnnlib.Sizes{{Forward: 4, Backward: backward}}, layers)
				scope := model.NewStore().RootScope()
				built(t, scope, kind.cell, dtype, sizes...)
				x := inputs
				if dtype == dtypes.Float32 {
					var values []float32
					for _, v := range floats(t, inputs) {
						values = append(values, float32(v))
					}
					x = tensors.FromFlatDataAndDimensions(values, inputs.Shape().Dimensions...)
				}
				c.h, c.final = run(t, scope, kind.cell, sizes, x)
				weights, err := torch.Export(scope, torch.Options{Cell: kind.cell, Prefix: "net."})
				if err != nil {
					t.Fatal(err)
				}
				weights["x"] = x
				if err := torch.Save(filepath.Join(dir, c.File), weights); err != nil {
					t.Fatal(err)
				}
				cases = append(cases, c)
			}
		}
	}
	blob, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "cases.json"), blob, 0o666); err != nil {
		t.Fatal(err)
	}
	// A file with every dtype makes a round trip through the reference implementation.
	echo := map[string]*tensors.Tensor{
		"f32": tensors.FromValue([][]float32{{1, -2.5, 1e-45}}), "f64": tensors.FromValue([]float64{1.0 / 3}),
		"bf16": tensors.FromValue([]bfloat16.BFloat16{bfloat16.FromFloat32(-1.5)}), "f16": tensors.FromValue([]float16.Float16{float16.FromFloat32(6e-8)}),
		"bool": tensors.FromValue([]bool{true, false}), "i8": tensors.FromValue([]int8{-1}), "u8": tensors.FromValue([]uint8{255}),
		"i16": tensors.FromValue([]int16{-1}), "u16": tensors.FromValue([]uint16{65535}), "i32": tensors.FromValue([]int32{-7}),
		"u32": tensors.FromValue([]uint32{1 << 31}), "i64": tensors.FromScalar(int64(-5)), "u64": tensors.FromValue([]uint64{1 << 63}),
		"none": tensors.FromScalarAndDimensions(float32(0), 2, 0), "a name <&> \"ü\"/.": tensors.FromValue([]float32{5}),
	}
	if err := torch.Save(filepath.Join(dir, "echo.safetensors"), echo); err != nil {
		t.Fatal(err)
	}

	if output, err := exec.Command(python, filepath.Join("testdata", "load.py"), dir).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", python, err, output)
	}
	for _, c := range cases {
		out, err := torch.Load(filepath.Join(dir, c.File+".out"))
		if err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("nn.%s %v: ", c.Class, c.Arguments)
		closeTo(t, what+"h", c.h, out["h"], c.within)
		closeTo(t, what+"the final states", c.final, out["final"], c.within)
	}
	out, err := torch.Load(filepath.Join(dir, "echo.safetensors.out"))
	if err != nil {
		t.Fatal(err)
	}
	if len(out) != len(echo) {
		t.Errorf("%d tensors come back of %d", len(out), len(echo))
	}
	for name, want := range echo {
		if got := out[name]; got == nil || !got.Shape().Equal(want.Shape()) || want.Size() > 0 && got.GoStr() != want.GoStr() {
			t.Errorf("%q comes back as %v, want %s", name, got, want.GoStr())
		}
	}
	t.Logf("%d networks agree with PyTorch", len(cases))
}

// refuses checks that an import was refused with an error that says all of want, and has left nothing in the store.
func refuses(t *testing.T, name string, err error, want []string, store *model.Store) {
	t.Helper()
	says(t, name, err, want)
	if n := store.NumVariables(); err != nil && n > 0 {
		t.Errorf("%s: %d variables are left", name, n)
	}
}

// says checks that there is an error, and that it says all of want.
func says(t *testing.T, name string, err error, want []string) {
	t.Helper()
	if err == nil {
		t.Errorf("%s: no error", name)
		return
	}
	for _, want := range want {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: the error does not say %q: %v", name, want, err)
		}
	}
}
