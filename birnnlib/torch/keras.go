package torch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"birnn/birnnlib"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// KerasOptions describes the network that the weights of Keras belong to.
type KerasOptions struct {
	// Cell is the cell of both directions of all layers: an RNN with the activation of SimpleRNN, an LSTM without
	// peepholes and projection, or a GRU, with ResetBefore for reset_after=False. NoBias corresponds to use_bias=False.
	Cell birnnlib.Cell

	// Layers are the names of the recurrent layers, starting at the input, for example "bidirectional", "lstm_1". If
	// empty, all weights belong to a single layer.
	Layers []string

	// DType is the dtype of the parameters; the zero value means that of the weights.
	DType dtypes.DType
}

// ImportKeras is [Import] for the weights of Keras' layers SimpleRNN, LSTM and GRU, alone or in a Bidirectional. The
// names are their paths in Keras 3, as written by
//
//	weights = {w.path: numpy.ascontiguousarray(w.numpy()) for w in model.weights}
//	safetensors.numpy.save_file(weights, "model.safetensors")
//
// (Without ascontiguousarray, arrays that are transposed in memory are written scrambled.)
//
// In a path such as sequential/bidirectional/forward_lstm/lstm_cell/kernel, only the name of the layer, the direction
// and the last part matter. If a layer has paths with forward_…, its other paths are the backward direction. Paths
// outside the layers are ignored. With k gates (SimpleRNN 1, LSTM 4, GRU 3), d inputs and h hidden units, a direction
// has
//
//	| last part        | shape   | gates                                                                 |
//	| ---------------- | ------- | --------------------------------------------------------------------- |
//	| kernel           | [d, kh] | LSTM: i, f, c, o, as here; GRU: z, r, h                               |
//	| recurrent_kernel | [h, kh] | the same                                                              |
//	| bias             | [kh]    | the same; GRU with reset_after=True: [2, 3h], one for each product    |
//
// The sizes may differ by layer and direction.
func ImportKeras(scope *model.Scope, weights map[string]*tensors.Tensor, o KerasOptions) ([]birnnlib.Sizes, error) {
	k, err := kerasOf(o.Cell)
	if err != nil {
		return nil, err
	}
	names := o.Layers
	if len(names) == 0 {
		names = []string{""}
	}
	var sizes []birnnlib.Sizes
	p := parameters{dtype: o.DType}
	for l, name := range names {
		found, err := k.find(weights, name)
		if err != nil {
			return nil, err
		}
		var s birnnlib.Sizes
		for i, direction := range found {
			if direction == nil {
				continue
			}
			d, h, ours, err := k.ours(direction)
			if err != nil {
				return nil, err
			}
			kernel := direction["kernel"]
			if l > 0 {
				below := sizes[l-1]
				if both := below.Forward + below.Backward; d != both && (d != below.Forward || d != below.Backward) {
					return nil, fmt.Errorf("torch: %q has %d inputs, but the layer %q below it has %d outputs", kernel.name, d, names[l-1], both)
				}
			}
			if p.from == dtypes.InvalidDType {
				p.from = kernel.dtype
			}
			for _, w := range direction {
				if w.dtype != p.from {
					return nil, fmt.Errorf("torch: %q is %s, but others are %s; all weights must have the same dtype", w.name, w.dtype, p.from)
				}
			}
			if i == 0 {
				s.Forward = h
				p.add(l, "", ours)
			} else {
				s.Backward = h
				p.add(l, "_reverse", ours)
			}
		}
		sizes = append(sizes, s)
	}
	if err := p.set(scope); err != nil {
		return nil, err
	}
	return sizes, nil
}

// keras describes the layer of Keras that corresponds to a cell.
type keras struct {
	name       string // LSTM
	gates      int
	bias       bool
	resetAfter bool // of a GRU
	cell       birnnlib.Cell
}

func kerasOf(cell birnnlib.Cell) (k keras, err error) {
	switch c := cell.(type) {
	case birnnlib.RNN:
		k = keras{name: "SimpleRNN", gates: 1, bias: !c.NoBias}
	case birnnlib.LSTM:
		k = keras{name: "LSTM", gates: 4, bias: !c.NoBias}
		if c.Projection > 0 {
			return k, fmt.Errorf("torch: the cell is %T%+v; Keras' LSTM has no projection", cell, cell)
		}
	case birnnlib.GRU:
		k = keras{name: "GRU", gates: 3, bias: !c.NoBias, resetAfter: !c.ResetBefore}
	default:
		return k, fmt.Errorf("torch: the cell is a %T; Keras has only birnnlib.RNN, LSTM and GRU", cell)
	}
	k.cell = cell
	return k, checkCell(cell)
}

// kerasWeight is a weight with its path.
type kerasWeight struct {
	name  string
	dtype dtypes.DType
	array
}

// find returns the weights of the directions of a layer by the last parts of their paths; nil for a missing direction.
func (k keras) find(weights map[string]*tensors.Tensor, layer string) (directions [2]map[string]kerasWeight, err error) {
	directions[0] = map[string]kerasWeight{}
	needed := []string{"kernel", "recurrent_kernel"}
	if k.bias {
		needed = append(needed, "bias")
	}
	paths := map[string][]string{} // the parts after the name of the layer
	for name := range weights {
		path := strings.TrimSuffix(name, ":0") // which TensorFlow appends
		if layer != "" {
			_, below, ok := strings.Cut("/"+path, "/"+strings.Trim(layer, "/")+"/")
			if !ok {
				continue
			}
			path = below
		}
		paths[name] = strings.Split(path, "/")
	}
	forward := func(name string) bool {
		return slices.ContainsFunc(paths[name], func(part string) bool { return strings.HasPrefix(part, "forward_") })
	}
	names := slices.Sorted(maps.Keys(paths))
	bidirectional := slices.ContainsFunc(names, forward)
	if bidirectional {
		directions[1] = map[string]kerasWeight{}
	}
	for _, name := range names {
		i, last := 0, paths[name][len(paths[name])-1]
		if bidirectional && !forward(name) {
			i = 1 // backward_…, unless the layer has a custom name
		}
		if !slices.Contains(needed, last) {
			return directions, fmt.Errorf("torch: %q is not a weight of a %s with the cell %+v, whose names end with %s; select the layers with Layers, and set NoBias of the cell if there is no bias",
				name, k.name, k.cell, strings.Join(needed, ", "))
		}
		if other, twice := directions[i][last]; twice {
			return directions, fmt.Errorf("torch: both %q and %q are the %s of the layer %q; select the layers with Layers", other.name, name, last, layer)
		}
		t := weights[name]
		if t == nil || !t.Ok() {
			return directions, fmt.Errorf("torch: %q is nil or finalized", name)
		}
		a, err := arrayOf(t)
		if err != nil {
			return directions, fmt.Errorf("torch: %q: %w", name, err)
		}
		directions[i][last] = kerasWeight{name, t.DType(), a}
	}
	for i, direction := range directions {
		for _, last := range needed {
			if _, ok := direction[last]; !ok && direction != nil {
				return directions, fmt.Errorf("torch: the layer %q has no %s in its %s direction; its path must have the layer's name in it and end with %s (with use_bias=False there is no bias: set NoBias of the cell)",
					layer, last, []string{"forward", "backward"}[i], last)
			}
		}
	}
	return directions, nil
}

// ours returns the parameters of a direction in the order in which birnnlib creates them.
func (k keras) ours(direction map[string]kerasWeight) (d, h int, ours []named, err error) {
	expect := func(w kerasWeight, hint string, dims ...int) error {
		if slices.Equal(w.dims, dims) {
			return nil
		}
		return fmt.Errorf("torch: %q is of the shape %v; in a %s with %d inputs and %d hidden units it must be %v%s", w.name, w.dims, k.name, d, h, dims, hint)
	}
	kernel, recurrent, bias := direction["kernel"], direction["recurrent_kernel"], direction["bias"]
	for _, w := range []kerasWeight{recurrent, kernel} {
		if len(w.dims) != 2 || w.dims[0] < 1 {
			return 0, 0, nil, fmt.Errorf("torch: %q is of the shape %v; it must be a matrix", w.name, w.dims)
		}
	}
	d, h = kernel.dims[0], recurrent.dims[0]
	gates := fmt.Sprintf(": %d columns for each hidden unit (SimpleRNN 1, GRU 3, LSTM 4)", k.gates)
	if err := expect(recurrent, gates, h, k.gates*h); err != nil {
		return 0, 0, nil, err
	}
	if err := expect(kernel, gates, d, k.gates*h); err != nil {
		return 0, 0, nil, err
	}
	b := bias.array
	var bhh array
	switch {
	case !k.bias:
	case k.resetAfter:
		if err := expect(bias, " (with reset_after=False, set ResetBefore of the cell)", 2, 3*h); err != nil {
			return 0, 0, nil, err
		}
		both := bias.resetFirst(h)
		b, bhh = both.part(0, 3*h).clone(), both.part(3*h, 6*h)
		for i := range 2 * h { // the last part of the recurrent bias is b_hh
			b.values[i] += bhh.values[i]
		}
		bhh = bhh.part(2*h, 3*h)
	default:
		hint := ""
		if k.name == "GRU" {
			hint = " (with reset_after=True, leave ResetBefore of the cell out)"
		}
		if err := expect(bias, hint, k.gates*h); err != nil {
			return 0, 0, nil, err
		}
		if k.name == "GRU" {
			b = b.resetFirst(h)
		}
	}
	wx, wh := kernel.array, recurrent.array
	if k.name == "GRU" {
		wx, wh = wx.resetFirst(h), wh.resetFirst(h)
	}
	layout := k.cell.Layout(h)
	ours = append(ours, named{layout.Wx, wx})
	for _, w := range layout.Weights {
		if w.Name == "b_hh" {
			ours = append(ours, named{w.Name, bhh})
		} else {
			ours = append(ours, named{w.Name, wh})
		}
	}
	if layout.Bias != "" {
		ours = append(ours, named{layout.Bias, b})
	}
	return d, h, ours, nil
}

// resetFirst returns the gates of a GRU in the order r, z, h, given them in the order z, r, h, in rows of 3h entries.
func (a array) resetFirst(h int) array {
	swapped := a.clone()
	for from := 0; from < len(a.values); from += 3 * h {
		copy(swapped.values[from:], a.values[from+h:from+2*h])
		copy(swapped.values[from+h:], a.values[from:from+h])
	}
	return swapped
}
