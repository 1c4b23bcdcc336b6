package torch_test

import (
	"slices"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/torch"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

var kerasFiles = map[string]struct {
	cell   birnnlib.Cell
	layers []string
	sizes  []birnnlib.Sizes
}{
	"keras_rnn":              {birnnlib.RNN{Activation: activation.TypeRelu, NoBias: true}, []string{"read"}, []birnnlib.Sizes{{Forward: 4}}},
	"keras_lstm":             {birnnlib.LSTM{}, []string{"bidirectional", "bidirectional_1"}, []birnnlib.Sizes{{Forward: 3, Backward: 3}, {Forward: 2, Backward: 2}}},
	"keras_gru":              {birnnlib.GRU{}, []string{"first", "sequential_2/second"}, []birnnlib.Sizes{{Forward: 4}, {Forward: 3, Backward: 2}}},
	"keras_gru_reset_before": {birnnlib.GRU{ResetBefore: true}, []string{"bidirectional_2"}, []birnnlib.Sizes{{Forward: 3, Backward: 3}}},
}

// TestImportKeras compares a network with Keras' weights with Keras.
func TestImportKeras(t *testing.T) {
	for name, test := range kerasFiles {
		t.Run(name, func(t *testing.T) {
			weights, scope := load(t, name), model.NewStore().Scope("/some/where")
			sizes, err := torch.ImportKeras(scope, weights, torch.KerasOptions{Cell: test.cell, Layers: test.layers})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(sizes, test.sizes) {
				t.Fatalf("the sizes are %+v, want %+v", sizes, test.sizes)
			}
			h, _ := run(t, scope, test.cell, sizes, weights["x"])
			closeTo(t, "h", h, weights["h"], 1e-6)
		})
	}
}

// TestImportKerasBare imports weights without paths, into another dtype.
func TestImportKerasBare(t *testing.T) {
	weights, scope := load(t, "keras_rnn"), model.NewStore().RootScope()
	bare := map[string]*tensors.Tensor{
		"kernel:0":           weights["sequential/read/simple_rnn_cell/kernel"],
		"recurrent_kernel:0": weights["sequential/read/simple_rnn_cell/recurrent_kernel"],
	}
	cell := kerasFiles["keras_rnn"].cell
	sizes, err := torch.ImportKeras(scope, bare, torch.KerasOptions{Cell: cell, DType: dtypes.Float64})
	if err != nil {
		t.Fatal(err)
	}
	x := tensors.FromFlatDataAndDimensions(floats(t, weights["x"]), weights["x"].Shape().Dimensions...)
	want := tensors.FromFlatDataAndDimensions(floats(t, weights["h"]), weights["h"].Shape().Dimensions...)
	h, _ := run(t, scope, cell, sizes, x)
	closeTo(t, "h", h, want, 1e-6)
}

func TestKerasNotImported(t *testing.T) {
	type weights = map[string]*tensors.Tensor
	matrix := func(rows, columns int) *tensors.Tensor {
		return tensors.FromScalarAndDimensions(float32(1), rows, columns)
	}
	const lstm, gru = "sequential_1/bidirectional/", "sequential_2/second/"
	for _, test := range []struct {
		name   string
		file   string
		cell   birnnlib.Cell // nil: that of the file
		layers []string      // nil: those of the file
		change func(w weights)
		want   []string
	}{
		{"missing", "keras_lstm", nil, nil, func(w weights) { delete(w, lstm+"backward_one/lstm_cell/recurrent_kernel") }, []string{`"bidirectional"`, "recurrent_kernel", "backward"}},
		{"a bias is missing", "keras_lstm", nil, nil, func(w weights) { delete(w, lstm+"forward_one/lstm_cell/bias") }, []string{`"bidirectional"`, "bias", "forward", "NoBias"}},
		{"a direction is missing", "keras_gru", nil, nil, func(w weights) {
			for _, last := range []string{"kernel", "recurrent_kernel", "bias"} {
				delete(w, gru+"smaller/gru_cell/"+last)
			}
		}, []string{"second", "kernel", "backward"}},
		{"no such layer", "keras_lstm", nil, []string{"lstm"}, nil, []string{`"lstm"`, "kernel"}},
		{"two layers as one", "keras_lstm", nil, []string{"sequential_1"}, nil, []string{"both", lstm + "backward_one/lstm_cell/bias", "Layers"}},
		{"what is no layer", "keras_rnn", nil, []string{""}, nil, []string{`"h"`, "Layers"}},
		{"unknown", "keras_gru", nil, nil, func(w weights) { w[gru+"smaller/gru_cell/gamma"] = matrix(1, 1) }, []string{"gamma", "recurrent_kernel"}},
		{"bias not asked for", "keras_lstm", birnnlib.LSTM{NoBias: true}, nil, nil, []string{"bias", "NoBias"}},
		{"reset after as before", "keras_gru", birnnlib.GRU{ResetBefore: true}, nil, nil, []string{"first/gru_cell/bias", "[2 12]", "[12]", "ResetBefore"}},
		{"reset before as after", "keras_gru_reset_before", birnnlib.GRU{}, nil, nil, []string{"forward_third/gru_cell/bias", "[9]", "[2 9]", "ResetBefore"}},
		{"LSTM as GRU", "keras_lstm", birnnlib.GRU{}, nil, nil, []string{"recurrent_kernel", "[3 12]", "[3 9]", "LSTM 4"}},
		{"a shape", "keras_lstm", nil, nil, func(w weights) { w[lstm+"forward_one/lstm_cell/kernel"] = matrix(3, 8) }, []string{"forward_one/lstm_cell/kernel", "[3 8]", "[3 12]"}},
		{"a vector", "keras_lstm", nil, nil, func(w weights) {
			w[lstm+"forward_one/lstm_cell/recurrent_kernel"] = tensors.FromValue([]float32{1})
		}, []string{"forward_one/lstm_cell/recurrent_kernel", "[1]", "matrix"}},
		{"layers exchanged", "keras_lstm", nil, []string{"bidirectional_1", "bidirectional"}, nil, []string{lstm + "forward_one/lstm_cell/kernel", "3 inputs", `"bidirectional_1"`, "4 outputs"}},
		{"mixed dtypes", "keras_lstm", nil, nil, func(w weights) {
			w["sequential_1/bidirectional_1/backward_two/lstm_cell/bias"] = tensors.FromScalarAndDimensions(1.0, 8)
		}, []string{"backward_two/lstm_cell/bias", "Float64", "Float32"}},
		{"integers", "keras_rnn", nil, nil, func(w weights) {
			w["sequential/read/simple_rnn_cell/kernel"] = tensors.FromScalarAndDimensions(int32(1), 3, 4)
		}, []string{"simple_rnn_cell/kernel", "Int32"}},
		{"nil", "keras_rnn", nil, nil, func(w weights) { w["sequential/read/simple_rnn_cell/kernel"] = nil }, []string{"simple_rnn_cell/kernel", "nil"}},
		{"projection", "keras_lstm", birnnlib.LSTM{Projection: 2}, nil, nil, []string{"projection"}},
		{"peepholes", "keras_lstm", birnnlib.LSTM{Peepholes: true}, nil, nil, []string{"p_i", "Keras"}},
		{"activation", "keras_rnn", birnnlib.RNN{Activation: activation.TypeSwiGLU}, nil, nil, []string{"SwiGLU", "entry by entry"}},
		{"a custom cell", "keras_lstm", struct{ birnnlib.Cell }{birnnlib.LSTM{}}, nil, nil, []string{"struct", "birnnlib.RNN, LSTM and GRU"}},
	} {
		weights, store := load(t, test.file), model.NewStore()
		if test.change != nil {
			test.change(weights)
		}
		o := torch.KerasOptions{Cell: kerasFiles[test.file].cell, Layers: kerasFiles[test.file].layers}
		if test.cell != nil {
			o.Cell = test.cell
		}
		if test.layers != nil {
			o.Layers = test.layers
		}
		_, err := torch.ImportKeras(store.RootScope(), weights, o)
		refuses(t, test.name, err, test.want, store)
	}
}
