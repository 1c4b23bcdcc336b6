// Package torch imports the weights of recurrent networks from PyTorch and Keras, and exports them to PyTorch.
//
// # Recurrent modules
//
// PyTorch's nn.RNN, nn.LSTM and nn.GRU correspond to [birnnlib.New] with the cells [birnnlib.RNN], [birnnlib.LSTM] and
// [birnnlib.GRU] and the same hidden size h in all layers and directions. In Python,
//
//	safetensors.torch.save_file(model.state_dict(), "model.safetensors")
//
// writes the weights of a model to a file; in Go,
//
//	weights, err := torch.Load("model.safetensors")
//	sizes, err := torch.Import(scope, weights, torch.Options{Cell: birnnlib.LSTM{}, Prefix: "encoder.rnn."})
//
// reads them into a scope, where birnnlib.New(scope, x, sizes...).Cell(birnnlib.LSTM{}) computes what the module
// computes. The way back is [Export], [Save] and, in Python,
// model.load_state_dict(safetensors.torch.load_file("model.safetensors")).
//
// With k gates (RNN 1, LSTM 4, GRU 3), d inputs and h hidden units, projected to r units (else r = h), the table lists
// the forward weights of layer l, counted from 1 here and from 0 in PyTorch. Backward weights have the suffix _reverse
// in PyTorch, and ^b instead of ^f here.
//
//	| PyTorch             | shape   | here                  | shape   |
//	| ------------------- | ------- | --------------------- | ------- |
//	| weight_ih_l<l-1>    | [kh, d] | W_x^f, RNN: W_xh^f    | [d, kh] |
//	| weight_hh_l<l-1>    | [kh, r] | W_h^f, RNN: W_hh^f    | [r, kh] |
//	| bias_ih_l<l-1>      | [kh]    | b^f, RNN: b_h^f       | [kh]    |
//	| bias_hh_l<l-1>      | [kh]    | GRU: b_hh^f           | [h]     |
//	| weight_hr_l<l-1>    | [r, h]  | LSTM: W_hr^f          | [h, r]  |
//
// The gates have the same order. PyTorch adds its two biases, so b is their sum; but in a GRU the reset gate multiplies
// one part of bias_hh, which becomes b_hh, and only the other two parts are added to b. [Export] writes b to bias_ih
// and zeros to the rest of bias_hh.
//
// An nn.RNNCell, nn.LSTMCell or nn.GRUCell, whose names lack _l0, is a network of one forward layer. [Export] writes the names
// with _l0; cell.load_state_dict({k.removesuffix("_l0"): v for k, v in weights.items()}) takes them.
//
// [SplitStates] and [StackStates] convert between the states of a network and PyTorch's h_0, c_0, h_n and c_n.
//
// # Whole models
//
// A model consists of several modules, each with the prefix of its attribute. [ImportLinear] and [ImportEmbedding] read the
// modules around the recurrent one, into the parameters of [birnnlib.Output] and [birnnlib.Embedding]:
//
//	| PyTorch              | shape  | here                    | shape  |
//	| -------------------- | ------ | ----------------------- | ------ |
//	| nn.Linear: weight    | [q, d] | W_hq of birnnlib.Output | [d, q] |
//	| nn.Linear: bias      | [q]    | b_q of birnnlib.Output  | [q]    |
//	| nn.Embedding: weight | [q, d] | E of birnnlib.Embedding | [q, d] |
//
// # Computed weights
//
// If a module computes a weight from others, its state_dict holds the others. The imports compute it as PyTorch does for
//
//   - weight normalisation: weight_hh_l0_g and weight_hh_l0_v, or parametrizations.weight_hh_l0.original0 and original1;
//   - DropConnect, as in the AWD-LSTM: weight_hh_l0_raw, in the module or, as in fastai, beside it; the other weights may be in
//     module.
//
// They do not know spectral_norm, pruning and other parametrizations, and return an error with the call in Python that stores
// the computed weight. Training here changes the computed weight itself.
package torch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"birnn/birnnlib"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/support/exceptions"
)

// Options describes the module that the weights belong to.
type Options struct {
	// Cell, for Import and Export, is the cell of both directions of all layers: a birnnlib.RNN with tanh or relu, an LSTM without peepholes,
	// or a GRU that resets after the product. NoBias corresponds to bias=False, Projection to proj_size.
	Cell birnnlib.Cell

	// Prefix is the prefix of the names in PyTorch, including the final dot: "encoder.rnn." for the module
	// model.encoder.rnn. Imports ignore names without it.
	Prefix string

	// DType is the dtype of the parameters that an import creates; the zero value means that of the weights. Exports
	// ignore it.
	DType dtypes.DType
}

// Import sets the parameters of a network in the scope to the weights of a PyTorch module, and returns the sizes of its
// layers for [birnnlib.New]. The names of the weights determine the number of layers and directions. Parameters that
// exist in the scope get the new values; they must have the same shapes.
//
// If weights belong to another cell, are unknown or missing, or have wrong shapes or dtypes, Import returns an error
// that names them and leaves the scope unchanged.
func Import(scope *model.Scope, weights map[string]*tensors.Tensor, o Options) ([]birnnlib.Sizes, error) {
	m, err := moduleOf(o.Cell)
	if err != nil {
		return nil, err
	}
	w, err := m.read(weights, o.Prefix)
	if err != nil {
		return nil, err
	}
	var sizes []birnnlib.Sizes
	p := parameters{dtype: o.DType, from: w.dtype}
	for l := range w.layers {
		s := birnnlib.Sizes{Forward: w.h}
		for _, suffix := range w.directions() {
			p.add(l, suffix, m.ours(w.h, func(name string) array { return w.arrays[w.name(name, l, suffix)] }))
			if suffix != "" {
				s.Backward = w.h
			}
		}
		sizes = append(sizes, s)
	}
	if err := p.set(scope); err != nil {
		return nil, err
	}
	return sizes, nil
}

// Export returns the parameters of a network in the scope as the weights of a PyTorch module.
//
// Export returns an error for a network that PyTorch lacks: with different hidden sizes, without a forward direction,
// with two directions in some layers only, or with parameters that the cell in Options does not have. It cannot check
// what the parameters do not show: PyTorch's layers use MergeConcat, without Residual and without BothForward.
func Export(scope *model.Scope, o Options) (map[string]*tensors.Tensor, error) {
	m, err := moduleOf(o.Cell)
	if err != nil {
		return nil, err
	}
	have := variablesOf(scope)
	layout := o.Cell.Layout(1)
	wx, ok := have[layerPath(0, layout.Wx, "")]
	if !ok {
		return nil, fmt.Errorf("torch: the scope %s has no %s, the first weights of %s; pass the scope given to birnnlib.New", scope.Scope(), layerPath(0, layout.Wx, ""), m.name)
	}
	dims := wx.Shape().Dimensions
	if len(dims) != 2 || dims[1] == 0 || dims[1]%m.gates != 0 {
		return nil, fmt.Errorf("torch: %s is %s; that of %s is [d, %dh]", wx.Path(), wx.Shape(), m.name, m.gates)
	}
	d, h, dtype := dims[0], dims[1]/m.gates, wx.DType()
	if m.projection >= h {
		return nil, fmt.Errorf("torch: Projection of the cell is %d, with %d hidden units; PyTorch's proj_size must be smaller than its hidden_size", m.projection, h)
	}
	w := &network{h: h, dtype: dtype}
	_, w.bidirectional = have[layerPath(0, layout.Wx, "_reverse")]
	exported := map[string]*tensors.Tensor{}
	used := map[string]bool{}
	for ; w.layers == 0 || anyOf(have, w.layers); w.layers++ {
		for _, suffix := range w.directions() {
			ours := map[string]array{}
			wants := m.ourDims(h, d)
			for _, name := range slices.Sorted(maps.Keys(wants)) {
				path, want := layerPath(w.layers, name, suffix), wants[name]
				v, ok := have[path]
				switch {
				case !ok:
					return nil, fmt.Errorf("torch: %s is not in the scope %s; %s needs it in every layer and direction, with %s", path, scope.Scope(), m.name, sizeHint)
				case !slices.Equal(v.Shape().Dimensions, want) || v.DType() != dtype:
					return nil, fmt.Errorf("torch: %s is %s; %s needs (%s)%v, with %s", v.Path(), v.Shape(), m.name, dtype, want, sizeHint)
				}
				value, err := v.Value()
				if err != nil {
					return nil, fmt.Errorf("torch: %s has no value yet: %w", v.Path(), err)
				}
				if ours[name], err = arrayOf(value); err != nil {
					return nil, fmt.Errorf("torch: %s: %w", v.Path(), err)
				}
				used[path] = true
			}
			for name, a := range m.theirs(h, ours) {
				if exported[o.Prefix+w.name(name, w.layers, suffix)], err = a.tensor(dtype); err != nil {
					return nil, err
				}
			}
		}
		d = w.outputs(m)
	}
	for _, path := range slices.Sorted(maps.Keys(have)) {
		if !used[path] {
			return nil, fmt.Errorf("torch: %s has no place in a %s with the cell %+v, with %s", have[path].Path(), m.name, o.Cell, sizeHint)
		}
	}
	return exported, nil
}

const sizeHint = "one hidden size for all, a forward direction, and a backward one in all layers or none"

// module is what PyTorch has for a cell.
type module struct {
	name       string // nn.LSTM
	gates      int
	projection int // r; 0: none
	bias       bool
	cell       birnnlib.Cell
}

func moduleOf(cell birnnlib.Cell) (m module, err error) {
	switch c := cell.(type) {
	case birnnlib.RNN:
		m = module{name: "nn.RNN", gates: 1, bias: !c.NoBias}
		if c.Function != nil || c.Activation != activation.TypeNone && c.Activation != activation.TypeTanh && c.Activation != activation.TypeRelu {
			return m, fmt.Errorf("torch: the activation of the cell is %s; PyTorch's nn.RNN has tanh or relu: set Activation to the module's nonlinearity", activationName(c))
		}
	case birnnlib.LSTM:
		m = module{name: "nn.LSTM", gates: 4, bias: !c.NoBias, projection: c.Projection}
		if c.Gate != nil || c.Candidate != nil || c.Output != nil {
			return m, fmt.Errorf("torch: the cell has other activations than PyTorch's nn.LSTM: leave Gate, Candidate and Output out")
		}
	case birnnlib.GRU:
		m = module{name: "nn.GRU", gates: 3, bias: !c.NoBias}
		if c.ResetBefore {
			return m, fmt.Errorf("torch: the cell is %+v; PyTorch's nn.GRU resets after the product: leave ResetBefore out", cell)
		}
		if c.Gate != nil || c.Candidate != nil {
			return m, fmt.Errorf("torch: the cell has other activations than PyTorch's nn.GRU: leave Gate and Candidate out")
		}
	default:
		return m, fmt.Errorf("torch: the cell is a %T; PyTorch has only the cells birnnlib.RNN, LSTM and GRU", cell)
	}
	m.cell = cell
	return m, checkCell(cell)
}

func activationName(c birnnlib.RNN) string {
	if c.Function != nil {
		return "a function"
	}
	return c.Activation.String()
}

// checkCell returns an error if the cell has a weight that neither PyTorch nor Keras has, such as a peephole.
func checkCell(cell birnnlib.Cell) error {
	var layout birnnlib.Layout
	if err := exceptions.TryCatch[error](func() { layout = cell.Layout(1) }); err != nil {
		return err
	}
	for _, w := range layout.Weights {
		if !slices.Contains([]string{"W_hh", "W_h", "b_hh", "W_hr"}, w.Name) {
			return fmt.Errorf("torch: the cell %T%+v has the weights %s, which neither PyTorch nor Keras has", cell, cell, w.Name)
		}
	}
	return nil
}

// r is the number of entries of H_t.
func (m module) r(h int) int {
	if m.projection > 0 {
		return m.projection
	}
	return h
}

// theirDims returns the shape of each weight of one direction of one layer in PyTorch.
func (m module) theirDims(h, d int) map[string][]int {
	k := m.gates * h
	dims := map[string][]int{"weight_ih": {k, d}, "weight_hh": {k, m.r(h)}}
	if m.bias {
		dims["bias_ih"], dims["bias_hh"] = []int{k}, []int{k}
	}
	if m.projection > 0 {
		dims["weight_hr"] = []int{m.projection, h}
	}
	return dims
}

// ourDims is theirDims for the parameters in a scope.
func (m module) ourDims(h, d int) map[string][]int {
	layout := m.cell.Layout(h)
	dims := map[string][]int{layout.Wx: {d, layout.Columns}}
	if layout.Bias != "" {
		dims[layout.Bias] = []int{layout.Columns}
	}
	for _, w := range layout.Weights {
		dims[w.Name] = w.Dims
	}
	return dims
}

// ours returns the parameters of one direction of one layer with h hidden units, given its weights in PyTorch, in the
// order in which birnnlib creates them.
func (m module) ours(h int, theirs func(name string) array) (ours []named) {
	layout := m.cell.Layout(h)
	ours = append(ours, named{layout.Wx, theirs("weight_ih").transposed()})
	for _, w := range layout.Weights {
		switch w.Name {
		case "W_hh", "W_h":
			ours = append(ours, named{w.Name, theirs("weight_hh").transposed()})
		case "W_hr":
			ours = append(ours, named{w.Name, theirs("weight_hr").transposed()})
		case "b_hh":
			ours = append(ours, named{w.Name, theirs("bias_hh").part(2*h, 3*h)})
		}
	}
	if layout.Bias == "" {
		return ours
	}
	b, bhh := theirs("bias_ih").clone(), theirs("bias_hh").values
	if m.name == "nn.GRU" {
		bhh = bhh[:2*h] // the last part is b_hh
	}
	for i := range bhh {
		b.values[i] += bhh[i]
	}
	return append(ours, named{layout.Bias, b})
}

// theirs reverses ours, except for the split of b.
func (m module) theirs(h int, ours map[string]array) map[string]array {
	theirs := map[string]array{}
	for name, a := range ours {
		switch name {
		case "W_xh", "W_x":
			theirs["weight_ih"] = a.transposed()
		case "W_hh", "W_h":
			theirs["weight_hh"] = a.transposed()
		case "W_hr":
			theirs["weight_hr"] = a.transposed()
		case "b_h", "b":
			theirs["bias_ih"] = a
			bhh := array{dims: a.dims, values: make([]float64, len(a.values))}
			if m.name == "nn.GRU" {
				copy(bhh.values[2*h:], ours["b_hh"].values)
			}
			theirs["bias_hh"] = bhh
		}
	}
	return theirs
}

// network is a whole module.
type network struct {
	arrays        map[string]array // by their names in PyTorch, without the prefix
	layers, h     int
	bidirectional bool
	cell          bool // of nn.LSTMCell, nn.GRUCell or nn.RNNCell
	dtype         dtypes.DType
}

// name returns the name of a weight in PyTorch.
func (w *network) name(base string, l int, suffix string) string {
	if w.cell {
		return base
	}
	return fmt.Sprintf("%s_l%d%s", base, l, suffix)
}

// directions returns the suffix of each.
func (w *network) directions() []string {
	if w.bidirectional {
		return []string{"", "_reverse"}
	}
	return []string{""}
}

// outputs returns the number of outputs of each layer, which are the inputs of the next.
func (w *network) outputs(m module) int { return len(w.directions()) * m.r(w.h) }

var weightName = regexp.MustCompile(`^(weight_ih|weight_hh|bias_ih|bias_hh|weight_hr)(?:_l(0|[1-9][0-9]{0,8})(_reverse)?)?$`)

// read finds and checks the weights of a module. An nn.LSTMCell, whose names have no layer, is one layer.
func (m module) read(weights map[string]*tensors.Tensor, prefix string) (*network, error) {
	hint := func() string { return prefixHint(weights, `weight_ih(?:_l0)?`, "recurrent modules") }
	given, err := sourcesOf(weights, prefix, hint)
	if err != nil {
		return nil, err
	}
	w := &network{arrays: map[string]array{}, layers: 1}
	if _, w.cell = given["weight_hh"]; w.cell {
		m.name += "Cell"
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		parts := weightName.FindStringSubmatch(name)
		if parts == nil || w.cell != (parts[2] == "") {
			return nil, fmt.Errorf("torch: %q is not a weight of %s, which has names such as %q; %s", given[name].name, m.name, prefix+w.name("weight_ih", 0, ""), hint())
		}
		l, _ := strconv.Atoi(parts[2]) // the expression lets only integers through, or none
		w.layers, w.bidirectional = max(w.layers, l+1), w.bidirectional || parts[3] != ""
	}

	// The sizes are those of weight_hh, whose shape depends on the number of gates, too.
	get := func(name string) (source, error) {
		s, ok := given[name]
		if !ok {
			return s, fmt.Errorf("torch: %q is missing; %s requires it", prefix+name, m.named())
		}
		if dims := s.dims(); len(dims) == 2 && dims[0] > 0 && dims[1] > 0 {
			return s, nil
		}
		return s, fmt.Errorf("torch: %q is %s; it must be a matrix, for h hidden units of %d rows", s.name, s.t.Shape(), m.gates)
	}
	whh, err := get(w.name("weight_hh", 0, ""))
	if err != nil {
		return nil, err
	}
	if w.h = whh.dims()[1]; m.projection > 0 {
		w.h = whh.dims()[0] / m.gates
	}
	if want := []int{m.gates * w.h, m.r(w.h)}; !slices.Equal(whh.dims(), want) {
		return nil, fmt.Errorf("torch: %q is %s; that of %s is %s: it has %d rows for each hidden unit (nn.RNN 1, nn.GRU 3, nn.LSTM 4)",
			whh.name, whh.t.Shape(), m.named(), m.symbolic(), m.gates)
	}
	wih, err := get(w.name("weight_ih", 0, ""))
	if err != nil {
		return nil, err
	}
	d := wih.dims()[1]

	w.dtype = whh.dtype()
	for l := range w.layers {
		for _, suffix := range w.directions() {
			wants := m.theirDims(w.h, d)
			for _, base := range slices.Sorted(maps.Keys(wants)) {
				name := w.name(base, l, suffix)
				s, ok := given[name]
				switch {
				case !ok:
					return nil, fmt.Errorf("torch: %q is missing; %s with %d layers requires it%s", prefix+name, m.named(), w.layers, m.optionHint(base))
				case !slices.Equal(s.dims(), wants[base]):
					return nil, fmt.Errorf("torch: %q is %s; %s with %d inputs and %d hidden units needs %v", s.name, s.t.Shape(), m.named(), d, w.h, wants[base])
				case s.dtype() != w.dtype:
					return nil, fmt.Errorf("torch: %q is %s, but %q is %s; all weights must have the same dtype", s.name, s.dtype(), whh.name, w.dtype)
				}
				if w.arrays[name], err = s.array(); err != nil {
					return nil, err
				}
				delete(given, name)
			}
		}
		d = w.outputs(m)
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		return nil, fmt.Errorf("torch: %q has no place in %s%s", given[name].name, m.named(), m.optionHint(weightName.FindStringSubmatch(name)[1]))
	}
	return w, nil
}

// named is the module with its options.
func (m module) named() string {
	name := m.name
	if m.projection > 0 {
		name += fmt.Sprintf(" with proj_size=%d", m.projection)
	}
	if !m.bias {
		name += " with bias=False"
	}
	return name
}

// symbolic is the shape of weight_hh.
func (m module) symbolic() string {
	shape := "[h, h]"
	if m.gates > 1 {
		shape = fmt.Sprintf("[%dh, h]", m.gates)
	}
	if m.projection > 0 {
		shape = fmt.Sprintf("[%dh, %d]", m.gates, m.projection)
	}
	return shape
}

// optionHint returns a hint to the option of the cell that concerns a weight.
func (m module) optionHint(base string) string {
	switch {
	case strings.HasPrefix(base, "bias"):
		return "; if the module was made with bias=False, set NoBias of the cell, else leave it out"
	case base == "weight_hr":
		return "; Projection of an LSTM says its proj_size"
	}
	return ""
}

// layerPath is the path, below the scope of a network, of a parameter in layer l, counted from 0.
func layerPath(l int, name, suffix string) string {
	direction := "f"
	if suffix != "" {
		direction = "b"
	}
	return fmt.Sprintf("layer_%d/%s^%s", l+1, name, direction)
}

var layerName = regexp.MustCompile(`^layer_[0-9]+/`)

// variablesOf returns the parameters of all layers in the scope, by their paths below it, without the states that a
// network keeps from call to call.
func variablesOf(scope *model.Scope) map[string]*model.Variable {
	have := map[string]*model.Variable{}
	root := strings.TrimSuffix(scope.Scope(), model.ScopeSeparator) + model.ScopeSeparator
	for v := range scope.IterVariables() {
		path := strings.TrimPrefix(v.Path(), root)
		if layerName.MatchString(path) && (v.Trainable || !strings.HasPrefix(v.Name(), "state_")) {
			have[path] = v
		}
	}
	return have
}

// anyOf reports whether layer l, counted from 0, exists.
func anyOf(have map[string]*model.Variable, l int) bool {
	for path := range have {
		if strings.HasPrefix(path, fmt.Sprintf("layer_%d/", l+1)) {
			return true
		}
	}
	return false
}
