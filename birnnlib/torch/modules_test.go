package torch_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/torch"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// importTagger imports Embedding, LSTM and Linear.
func importTagger(t *testing.T, scope *model.Scope, weights map[string]*tensors.Tensor, dtype dtypes.DType) (table shapes.Shape, sizes []birnnlib.Sizes, q int) {
	t.Helper()
	table, err := torch.ImportEmbedding(scope, weights, torch.Options{Prefix: "embedding.", DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	sizes, err = torch.Import(scope, weights, torch.Options{Cell: birnnlib.LSTM{}, Prefix: "lstm.", DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	q, err = torch.ImportLinear(scope, weights, torch.Options{Prefix: "linear.", DType: dtype})
	if err != nil {
		t.Fatal(err)
	}
	return table, sizes, q
}

// TestTagger compares a whole tagger with PyTorch's, and exports it again.
func TestTagger(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		weights, scope := load(t, "torch_tagger"), model.NewStore().Scope("/a/tagger")
		table, sizes, q := importTagger(t, scope, weights, 0)
		o, err := model.CallOnce(b, scope.Store(), func(_ *model.Scope, x *Node) *Node {
			h, _ := birnnlib.New(scope, birnnlib.Embedding(scope, x, table, nil), sizes...).Cell(birnnlib.LSTM{}).Initializer(nil).Done()
			return birnnlib.Output(scope, h, q, nil)
		}, weights["x"])
		if err != nil {
			t.Fatal(err)
		}
		closeTo(t, "o", o, weights["o"], 1e-6)
	})

	weights, scope := load(t, "torch_tagger"), model.NewStore().Scope("/a/tagger")
	importTagger(t, scope, weights, 0)
	exported, err := torch.ExportEmbedding(scope, torch.Options{Prefix: "embedding."})
	if err != nil {
		t.Fatal(err)
	}
	linear, err := torch.ExportLinear(scope, torch.Options{Prefix: "linear."})
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(exported, linear)
	if got, want := slices.Sorted(maps.Keys(exported)), []string{"embedding.weight", "linear.bias", "linear.weight"}; !slices.Equal(got, want) {
		t.Errorf("exported are %q, want %q", got, want)
	}
	for name, got := range exported {
		if !got.Equal(weights[name]) {
			t.Errorf("%s is exported as %s, want %s", name, got.GoStr(), weights[name].GoStr())
		}
	}

	// In another dtype, and without a bias.
	scope = model.NewStore().RootScope()
	delete(weights, "linear.bias")
	if table, _, q := importTagger(t, scope, weights, dtypes.Float64); !table.Equal(shapes.Make(dtypes.Float64, 7, 3)) || q != 6 {
		t.Errorf("imported are a table %s and %d outputs", table, q)
	}
	if bq := scope.GetVariable("b_q").MustValue(); !bq.Equal(tensors.FromValue(make([]float64, 6))) {
		t.Errorf("without a bias, b_q is %s", bq.GoStr())
	}
}

// TestCells compares nn.LSTMCell and the like with layers.
func TestCells(t *testing.T) {
	weights := load(t, "torch_cells")
	for name, cell := range map[string]birnnlib.Cell{
		"tanh": tanhRNN, "relu": birnnlib.RNN{Activation: activation.TypeRelu, NoBias: true}, "lstm": birnnlib.LSTM{}, "gru": birnnlib.GRU{},
	} {
		scope := model.NewStore().RootScope()
		sizes, err := torch.Import(scope, weights, torch.Options{Cell: cell, Prefix: name + "."})
		if err != nil {
			t.Fatal(err)
		}
		if want := []birnnlib.Sizes{{Forward: 4}}; !slices.Equal(sizes, want) {
			t.Fatalf("%s: the sizes are %+v, want %+v", name, sizes, want)
		}
		h, _ := run(t, scope, cell, sizes, weights["x"])
		closeTo(t, name, h, weights["h/"+name], 1e-6)

		exported, err := torch.Export(scope, torch.Options{Cell: cell, Prefix: name + "."})
		if err != nil {
			t.Fatal(err)
		}
		for path, got := range exported {
			path = strings.TrimSuffix(path, "_l0")
			if want := weights[path]; want == nil || !got.Shape().Equal(want.Shape()) || strings.Contains(path, "weight") && !got.Equal(want) {
				t.Errorf("%s is exported as %s, want %v", path, got.GoStr(), want)
			}
		}
	}
}

// TestReparametrized compares modules whose weights PyTorch computes from others.
func TestReparametrized(t *testing.T) {
	weights := load(t, "torch_reparametrized")
	for _, test := range []struct {
		module, prefix string
		cell           birnnlib.Cell
	}{
		{"norm", "norm.", birnnlib.LSTM{}},
		{"parametrized", "parametrized.", birnnlib.GRU{}},
		{"awd", "awd.", birnnlib.LSTM{}}, {"awd", "awd.module.", birnnlib.LSTM{}},
		{"fastai1", "fastai1.", birnnlib.LSTM{}}, {"fastai1", "fastai1.module.", birnnlib.LSTM{}},
		{"fastai2", "fastai2.", birnnlib.LSTM{}}, {"fastai2", "fastai2.module.", birnnlib.LSTM{}},
	} {
		scope := model.NewStore().RootScope()
		sizes, err := torch.Import(scope, weights, torch.Options{Cell: test.cell, Prefix: test.prefix})
		if err != nil {
			t.Errorf("%s: %v", test.prefix, err)
			continue
		}
		h, _ := run(t, scope, test.cell, sizes, weights["x"])
		closeTo(t, test.prefix, h, weights["h/"+test.module], 1e-6)
	}

	scope := model.NewStore().RootScope()
	q, err := torch.ImportLinear(scope, weights, torch.Options{Prefix: "linear."})
	if err != nil {
		t.Fatal(err)
	}
	table, err := torch.ImportEmbedding(scope, weights, torch.Options{Prefix: "embedding."})
	if err != nil {
		t.Fatal(err)
	}
	outputs, err := model.CallOnceN(gobackend.GetBackend(), scope.Store(), func(scope *model.Scope, x, rows *Node) []*Node {
		return []*Node{birnnlib.Output(scope, x, q, nil), birnnlib.Embedding(scope, rows, table, nil)}
	}, weights["x"], []uint8{0, 1, 2, 3, 4, 5, 6})
	if err != nil {
		t.Fatal(err)
	}
	closeTo(t, "linear", outputs[0], weights["h/linear"], 1e-6)
	closeTo(t, "embedding", outputs[1], weights["h/embedding"], 1e-6)
}

// TestModulesNotImported checks that what cannot be imported causes an error that says what to do, and leaves nothing in the store.
func TestModulesNotImported(t *testing.T) {
	type weights = map[string]*tensors.Tensor
	recurrent := func(prefix string, cell birnnlib.Cell) func(*model.Scope, weights) error {
		return func(scope *model.Scope, w weights) error {
			_, err := torch.Import(scope, w, torch.Options{Cell: cell, Prefix: prefix})
			return err
		}
	}
	linear := func(prefix string, dtype dtypes.DType) func(*model.Scope, weights) error {
		return func(scope *model.Scope, w weights) error {
			_, err := torch.ImportLinear(scope, w, torch.Options{Prefix: prefix, DType: dtype})
			return err
		}
	}
	embedding := func(scope *model.Scope, w weights) error {
		_, err := torch.ImportEmbedding(scope, w, torch.Options{Prefix: "embedding."})
		return err
	}
	ones := func(dims ...int) *tensors.Tensor { return tensors.FromScalarAndDimensions(float32(1), dims...) }
	for _, test := range []struct {
		name, file string
		do         func(scope *model.Scope, w weights) error
		change     func(w weights)
		want       []string
	}{
		{"spectral_norm", "torch_cells", recurrent("lstm.", birnnlib.LSTM{}), func(w weights) {
			w["lstm.weight_hh_orig"], w["lstm.weight_hh_u"], w["lstm.weight_hh_v"] = ones(16, 4), ones(16), ones(4)
		}, []string{`"lstm.weight_hh_orig" is a part of weight_hh`, "remove_spectral_norm"}},
		{"a parametrization", "torch_tagger", linear("linear.", 0), func(w weights) { w["linear.parametrizations.weight.original"] = ones(6, 8) },
			[]string{`"linear.parametrizations.weight.original" is a part of weight`, `remove_parametrizations(module, "weight")`}},
		{"pruned", "torch_tagger", embedding, func(w weights) { w["embedding.weight_mask"] = ones(7, 3) }, []string{`"embedding.weight_mask"`, "prune.remove"}},
		{"no norm", "torch_reparametrized", recurrent("norm.", birnnlib.LSTM{}), func(w weights) { delete(w, "norm.weight_hh_l0_g") },
			[]string{`"norm.weight_hh_l0_v" is there, but not its counterpart`, "weight_hh_l0_g"}},
		{"no direction", "torch_reparametrized", recurrent("parametrized.", birnnlib.GRU{}), func(w weights) { delete(w, "parametrized.parametrizations.weight_hh_l0.original1") },
			[]string{`"parametrized.parametrizations.weight_hh_l0.original0" is there`, "original1"}},
		{"normalised twice", "torch_reparametrized", recurrent("norm.", birnnlib.LSTM{}), func(w weights) { w["norm.parametrizations.weight_hh_l0.original0"] = ones(16, 1) },
			[]string{`both "norm.parametrizations.weight_hh_l0.original0" and "norm.weight_hh_l0_g"`}},
		{"also computed", "torch_reparametrized", recurrent("norm.", birnnlib.LSTM{}), func(w weights) { w["norm.weight_hh_l0"] = ones(16, 4) },
			[]string{`both "norm.weight_hh_l0" and "norm.weight_hh_l0_g"`}},
		{"a norm of another shape", "torch_reparametrized", recurrent("norm.", birnnlib.LSTM{}), func(w weights) { w["norm.weight_hh_l0_g"] = ones(4, 1) },
			[]string{`"norm.weight_hh_l0_v" is (Float32)[16, 4]`, "norm is (Float32)[4, 1]"}},
		{"a norm of fewer axes", "torch_reparametrized", recurrent("norm.", birnnlib.LSTM{}), func(w weights) { w["norm.weight_hh_l0_g"] = ones(16) },
			[]string{`"norm.weight_hh_l0_v" is (Float32)[16, 4]`, "norm is (Float32)[16]"}},
		{"a norm of another dtype", "torch_reparametrized", recurrent("norm.", birnnlib.LSTM{}), func(w weights) {
			w["norm.weight_hh_l0_g"] = tensors.FromScalarAndDimensions(1.0, 16, 1)
		}, []string{`"norm.weight_hh_l0_v" is (Float32)[16, 4]`, "norm is (Float64)[16, 1]"}},
		{"a direction of another shape", "torch_reparametrized", recurrent("norm.", birnnlib.LSTM{}), func(w weights) { w["norm.weight_ih_l0_v"] = ones(16, 5) },
			[]string{`"norm.weight_ih_l0_reverse" is (Float32)[16, 3]`, "5 inputs"}},
		{"a module inside and outside", "torch_reparametrized", recurrent("awd.", birnnlib.LSTM{}), func(w weights) { w["awd.weight_ih_l0"] = ones(16, 3) },
			[]string{`both "awd.module.weight_ih_l0" and "awd.weight_ih_l0"`}},
		{"a cell with layers", "torch_cells", recurrent("gru.", birnnlib.GRU{}), func(w weights) { w["gru.weight_hh_l1"] = ones(12, 4) },
			[]string{`"gru.weight_hh_l1" is not a weight of nn.GRUCell`, `"gru.weight_ih"`}},
		{"a cell without a matrix", "torch_cells", recurrent("gru.", birnnlib.GRU{}), func(w weights) { delete(w, "gru.weight_ih") }, []string{`"gru.weight_ih" is missing; nn.GRUCell`}},
		{"a cell as another", "torch_cells", recurrent("gru.", birnnlib.LSTM{}), nil, []string{`"gru.weight_hh" is (Float32)[12, 4]`, "nn.LSTMCell is [4h, h]"}},
		{"a cell without a prefix", "torch_cells", recurrent("", birnnlib.LSTM{}), nil, []string{`"gru.bias_hh"`, `"gru.", "lstm.", "relu.", "tanh."`}},
		{"prefixes of normalised modules", "torch_reparametrized", recurrent("rnn.", birnnlib.LSTM{}), nil,
			[]string{`begins with "rnn."`, `"awd.module.", "fastai1.module.", "fastai2.module.", "norm.", "parametrized."`}},
		{"no linear module", "torch_tagger", linear("lstm.", 0), nil, []string{`"lstm.weight" is missing; nn.Linear`, `"embedding.", "linear."`}},
		{"no such module", "torch_tagger", linear("output.", 0), nil, []string{`begins with "output."`, `"embedding.", "linear."`}},
		{"more than linear", "torch_tagger", linear("linear.", 0), func(w weights) { w["linear.scale"] = ones(1) }, []string{`"linear.scale" is not a weight of nn.Linear`}},
		{"linear as embedding", "torch_tagger", embedding, func(w weights) { w["embedding.bias"] = ones(3) }, []string{`"embedding.bias" is not a weight of nn.Embedding`}},
		{"a convolution", "torch_tagger", linear("linear.", 0), func(w weights) { w["linear.weight"] = ones(6, 8, 1) }, []string{`"linear.weight" is (Float32)[6, 8, 1]`, "matrix"}},
		{"an empty table", "torch_tagger", embedding, func(w weights) { w["embedding.weight"] = ones(0, 3) }, []string{`"embedding.weight" is (Float32)[0, 3]`}},
		{"a bias of another size", "torch_tagger", linear("linear.", 0), func(w weights) { w["linear.bias"] = ones(8) }, []string{`"linear.bias"`, "[8]", "[6]"}},
		{"a bias of another dtype", "torch_tagger", linear("linear.", 0), func(w weights) { w["linear.bias"] = tensors.FromValue(make([]float64, 6)) }, []string{`"linear.bias" is Float64`, "Float32"}},
		{"integers", "torch_tagger", embedding, func(w weights) { w["embedding.weight"] = tensors.FromScalarAndDimensions(int8(1), 7, 3) }, []string{`"embedding.weight"`, "Int8"}},
		{"nil", "torch_tagger", embedding, func(w weights) { w["embedding.weight"] = nil }, []string{`"embedding.weight" is nil`}},
		{"parameters of integers", "torch_tagger", linear("linear.", dtypes.Int32), nil, []string{"Int32"}},
	} {
		given, store := load(t, test.file), model.NewStore()
		if test.change != nil {
			test.change(given)
		}
		err := test.do(store.RootScope(), given)
		refuses(t, test.name, err, test.want, store)
	}
	for name, export := range map[string]func(*model.Scope, torch.Options) (map[string]*tensors.Tensor, error){"W_hq": torch.ExportLinear, "E": torch.ExportEmbedding} {
		if _, err := export(model.NewStore().Scope("/a"), torch.Options{}); err == nil || !strings.Contains(err.Error(), "/a has no "+name) {
			t.Errorf("export without %s: %v", name, err)
		}
	}
}
