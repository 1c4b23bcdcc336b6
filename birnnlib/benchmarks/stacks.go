package main

import (
	"fmt"

	"birnn/birnnlib"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/lstm"
	"github.com/gomlx/gomlx/ml/model"
)

// stack is a library's way to build the layers of a [layersProblem].
type stack struct {
	// parameters returns the initial values of its variables, by path.
	parameters func(p layersProblem, weights [][2]direction) map[string]*tensors.Tensor
	// build returns the outputs, h [T, n, 2h], for inputs x [T, n, d].
	build func(p layersProblem, scope *model.Scope, x *Node) *Node
	// batchMajor tells that build takes and returns [n, T, …] instead.
	batchMajor bool
}

// The layers of this library: as they are, with Recompute, with a derived gradient, and with a form of LinearScan.
const (
	ownLayer         = "birnnlib"
	recomputeLayer   = "birnnlib-recompute"
	derivedLayer     = "birnnlib-derived"
	sequentialLayer  = "birnnlib-sequential"
	associativeLayer = "birnnlib-associative"
)

// stacks is what a contender's layer names.
var stacks = map[string]stack{
	ownLayer:         {parameters: ownParameters, build: ownLayers(ownLayer)},
	recomputeLayer:   {parameters: ownParameters, build: ownLayers(recomputeLayer)},
	derivedLayer:     {parameters: ownParameters, build: ownLayers(derivedLayer)},
	sequentialLayer:  {parameters: ownParameters, build: ownLayers(sequentialLayer)},
	associativeLayer: {parameters: ownParameters, build: ownLayers(associativeLayer)},
	"gomlx":          {parameters: gomlxParameters, build: gomlxLayers, batchMajor: true},
}

func ownParameters(p layersProblem, weights [][2]direction) map[string]*tensors.Tensor {
	parameters := make(map[string]*tensors.Tensor)
	for l, layer := range weights {
		for d, w := range layer {
			set := func(name string, values []float32, dims ...int) {
				path := fmt.Sprintf("/layer_%d/%s^%s", l+1, name, []string{"f", "b"}[d])
				parameters[path] = tensors.FromFlatDataAndDimensions(values, dims...)
			}
			set("W_x", w.wx, p.inputsOf(l), p.columns())
			set("b", w.b, p.columns())
			if p.recurrent() > 0 {
				set("W_h", w.wh, p.Hidden, p.columns())
			}
			if p.Cell == "gru" {
				set("b_hh", make([]float32, p.Hidden), p.Hidden)
			}
		}
	}
	return parameters
}

// ownLayers returns how this library builds the layers.
func ownLayers(layer string) func(layersProblem, *model.Scope, *Node) *Node {
	form := map[string]birnnlib.LinearForm{sequentialLayer: birnnlib.LinearSequential, associativeLayer: birnnlib.LinearAssociative}[layer]
	return func(p layersProblem, scope *model.Scope, x *Node) *Node {
		var sizes []birnnlib.Sizes
		for range p.Layers {
			sizes = append(sizes, birnnlib.Sizes{Forward: p.Hidden, Backward: p.Hidden})
		}
		cell := map[string]birnnlib.Cell{
			"lstm": birnnlib.LSTM{}, "gru": birnnlib.GRU{}, "ugrnn": ugrnn{},
			"mingru": birnnlib.MinGRU{Form: form}, "minlstm": birnnlib.MinLSTM{Form: form},
		}[p.Cell]
		if layer == derivedLayer {
			cell = derived{cell}
		}
		// Without an initializer, what is not among the parameters is an error.
		h, _ := birnnlib.New(scope, x, sizes...).Cell(cell).Recompute(layer == recomputeLayer).Initializer(nil).Done()
		return h
	}
}

// derived is a cell without its hand-written gradient.
type derived struct{ birnnlib.Cell }

// ugrnn is the update gate recurrent network, a cell that the library does not have, as its user would write it:
//
//	[G_t, C_t] = [σ, tanh](X_t W_x + H_{t-1} W_h + b)   H_t = G_t ⊙ H_{t-1} + (1 - G_t) ⊙ C_t
//
// Source: J. Collins and others, Capacity and trainability in recurrent neural networks, 2017.
type ugrnn struct{}

func (ugrnn) Layout(h int) birnnlib.Layout {
	weights := []birnnlib.CellWeight{{Name: "W_h", Dims: []int{h, 2 * h}}}
	return birnnlib.Layout{Wx: "W_x", Bias: "b", Columns: 2 * h, Weights: weights, States: []int{h}}
}

func (ugrnn) Step(w []*Node, m birnnlib.Moment) (after []*Node) {
	parts := Split(Add(m.A, Dot(m.P, w[0]).Product()), -1, 2)
	g, c := Sigmoid(parts[0]), Tanh(parts[1])
	return []*Node{Add(Mul(g, m.Before[0]), Mul(OneMinus(g), c))}
}

// gomlxParameters arranges the LSTM's weights as GoMLX does: by direction and gate, the gates in the order of ONNX
// (input, output, forget, cell), each matrix transposed.
func gomlxParameters(p layersProblem, weights [][2]direction) map[string]*tensors.Tensor {
	parameters, h := make(map[string]*tensors.Tensor), p.Hidden
	for l, layer := range weights {
		var wx, wh, b []float32
		for _, w := range layer {
			for _, gate := range []int{0, 3, 1, 2} { // of PyTorch's
				for unit := gate * h; unit < (gate+1)*h; unit++ {
					wx = append(wx, column(w.wx, unit, 4*h)...)
					wh = append(wh, column(w.wh, unit, 4*h)...)
					b = append(b, w.b[unit])
				}
			}
		}
		set := func(name string, values []float32, dims ...int) {
			parameters[fmt.Sprintf("/layer_%d/%s", l+1, name)] = tensors.FromFlatDataAndDimensions(values, dims...)
		}
		set("inputsW", wx, 2, 4, h, p.inputsOf(l))
		set("recurrentW", wh, 2, 4, h, h)
		set("biasesW", b, 2, 4, h)
	}
	return parameters
}

// column returns a column of a matrix that has so many.
func column(matrix []float32, at, columns int) (values []float32) {
	for ; at < len(matrix); at += columns {
		values = append(values, matrix[at])
	}
	return values
}

func gomlxLayers(p layersProblem, scope *model.Scope, x *Node) *Node {
	for l := range p.Layers {
		scope := scope.In("layer_%d", l+1)
		get := func(name string) *Node { return scope.GetVariable(name).NodeValue(x.Graph()) }
		b := get("biasesW")
		b = Concatenate([]*Node{b, ZerosLike(b)}, 1) // a second bias for each gate, which the others do not have
		h, _, _ := lstm.NewWithWeights(x, get("inputsW"), get("recurrentW"), b, nil).Done()
		x = Reshape(TransposeAllAxes(h, 2, 0, 1, 3), p.Batch, p.Steps, 2*p.Hidden) // from [T, 2, n, h]
	}
	return x
}
