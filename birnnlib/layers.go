package birnnlib

import (
	"slices"
	"strings"

	"birnn/birnnlib/internal/purego"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// build returns the outputs of both directions of the last layer, its input, and the final states of all layers.
func (b *BiRNN) build() (hf, hb, below *Node, final []State) {
	again := b.built
	b.built = true
	b = new(*b) // what follows changes it, and Done may be called again
	if again {
		b.scope = b.scope.ResetVisited() // with the same parameters
	}
	b.arrange()
	b.check()
	b.checkWhole()
	purego.Unbound(b.x.Graph().Backend())
	valid := b.valid()
	below = b.x
	if valid != nil && below.DType().IsFloat() {
		below = zeroPadding(below, valid) // a product with 0 is not 0 if padding is infinite
	}
	for l := 1; ; l++ {
		var initial State
		if b.initial != nil {
			initial = b.initial[l-1]
		}
		scope, sizes := b.layerScope(l), b.sizes[l-1]
		var last State
		hf, last.Forward = b.direction(scope, "f", b.forward, below, sizes.Forward, initial.Forward, valid, false)
		hb, last.Backward = b.direction(scope, "b", b.back, below, sizes.Backward, initial.Backward, valid, !b.bothForward)
		final = append(final, last)
		if l == len(b.sizes) {
			return hf, hb, below, final
		}
		below = b.output(hf, hb, below, l)
		below = layers.DropoutStatic(scope, below, b.dropout)
	}
}

// layerScope returns the scope of layer l.
func (b *BiRNN) layerScope(l int) (scope *model.Scope) {
	if err := TryCatch[error](func() { scope = b.scope.In("layer_%d", l) }); err != nil {
		Panicf("birnnlib: the scope %s has a network already; build the second one in another scope, such as scope.In(\"encoder\"), "+
			"or in scope.ResetVisited() to use the same parameters: %v", b.scope.Scope(), err)
	}
	return scope
}

// output returns the output of layer l, given those of its directions and its input.
func (b *BiRNN) output(hf, hb, below *Node, l int) (h *Node) {
	switch {
	case hb == nil:
		h = hf
	case hf == nil:
		h = hb
	case b.merge == MergeConcat:
		h = Concatenate([]*Node{hf, hb}, -1)
	case !hf.Shape().Equal(hb.Shape()):
		Panicf("birnnlib: %s in layer %d: the directions give %s and %s; they must be of the same size", b.merge, l, hf.Shape(), hb.Shape())
	case b.merge == MergeSum:
		h = Add(hf, hb)
	case b.merge == MergeMean:
		h = MulScalar(Add(hf, hb), 0.5)
	default:
		h = Mul(hf, hb)
	}
	if !b.residual || l == 1 {
		return h
	}
	if !h.Shape().Equal(below.Shape()) {
		Panicf("birnnlib: Residual in layer %d: it reads %s and gives %s; they must be of the same size", l, below.Shape(), h.Shape())
	}
	return Add(h, below)
}

// direction builds one direction of one layer and returns its outputs [T, n, h] and its last states, or nil if it has
// no units. The name is "f" or "b", as in W_xh^f.
func (b *BiRNN) direction(scope *model.Scope, name string, cell Cell, x *Node, units int, initial []*Node, valid *Node, reversed bool) (h *Node, last []*Node) {
	if units == 0 {
		return nil, nil
	}
	g, layout := x.Graph(), cell.Layout(units)
	checkUnused(scope, name, cell, layout)
	d := b.inputs
	if x.DType().IsFloat() {
		d = x.Shape().Dim(2)
	}
	get := func(parameterName string, w Weight, at func(i int) float64) *Node {
		w.Hidden = units
		return parameter(scope, b.initializer, g, parameterName+"^"+name, b.dtype, w, at)
	}
	wx := get(layout.Wx, Weight{Dims: []int{d, layout.Columns}}, nil)
	var w []*Node
	for _, p := range layout.Weights {
		w = append(w, get(p.Name, Weight{Dims: p.Dims, Recurrent: len(p.Dims) > 1}, nil))
	}
	var bias *Node
	if layout.Bias != "" {
		bias = get(layout.Bias, Weight{Dims: []int{layout.Columns}}, layout.BiasAt)
	}

	n := x.Shape().Dim(1)
	carried := b.carried(scope, name, layout.States, reversed)
	states := make([]*Node, len(layout.States))
	for i, size := range layout.States {
		switch {
		case carried != nil:
			states[i] = carried[i].NodeValue(g)
		case i < len(initial) && initial[i] != nil:
			states[i] = initial[i]
		default:
			states[i] = Zeros(g, shapes.Make(b.dtype, n, size))
		}
	}
	r := &recurrence{walk: walk{T: x.Shape().Dim(0), reversed: reversed, unroll: b.unroll, valid: valid}, cell: cell}
	if b.recurrentDropout > 0 && scope.IsTraining(g) {
		r.drop = layers.DropoutStatic(scope, Ones(g, shapes.Make(b.dtype, n, layout.States[0])), b.recurrentDropout)
	}
	if b.recompute && r.looped(g) > 0 {
		h, last = r.recompute(x, wx, bias, w, states)
	} else {
		h, last = r.run(x, wx, bias, w, states)
	}
	for i, v := range carried {
		v.SetNodeValue(last[i])
	}
	return h, last
}

// checkUnused panics if the scope has matrices of the direction that the cell does not have, such as imported ones of another
// cell: they would be left unused, and the cell would start from random ones. Vectors may be left over: two forms of a cell
// differ in a bias.
func checkUnused(scope *model.Scope, name string, cell Cell, layout Layout) {
	known := []string{layout.Wx, layout.Bias}
	for _, w := range layout.Weights {
		known = append(known, w.Name)
	}
	for v := range scope.IterVariables() {
		parameter, isOurs := strings.CutSuffix(v.Name(), "^"+name)
		if isOurs && v.Shape().Rank() > 1 && v.Path() == model.JoinPath(scope.Scope(), v.Name()) && !slices.Contains(known, parameter) && !carriedName.MatchString(v.Path()) {
			Panicf("birnnlib: %s is in the scope, but %T has no %s, only %s; call Cell with the cell of the saved or imported network, "+
				"or use another scope", v.Path(), cell, parameter, strings.Join(slices.DeleteFunc(known, func(s string) bool { return s == "" }), ", "))
		}
	}
}

// project returns X W_x + b for x [..., d]: one product, or, for indices [...] of one-hot vectors, a look-up of rows.
func project(x, wx, bias *Node) *Node {
	if x.DType().IsFloat() {
		return affine(x, wx, bias)
	}
	rows := Gather(wx, InsertAxes(clamped(x, wx.Shape().Dim(0)), -1))
	if bias == nil {
		return rows
	}
	return Add(rows, ExpandLeftToRank(bias, rows.Rank()))
}

// arrange makes x and the mask time-major.
func (b *BiRNN) arrange() {
	if b.batchMajor && b.x.Rank() > 1 {
		b.x = Transpose(b.x, 0, 1)
		if b.mask != nil && b.mask.Rank() > 1 {
			b.mask = Transpose(b.mask, 0, 1)
		}
	}
}

// arranged reverses arrange for an output.
func (b *BiRNN) arranged(h *Node) *Node {
	if b.batchMajor && h != nil {
		return Transpose(h, 0, 1)
	}
	return h
}

// valid returns which time steps of which sequences are not padding, [T, n] of Bool, or nil if all are.
func (b *BiRNN) valid() *Node {
	if b.lengths != nil {
		return validSteps(b.lengths, b.x.Shape().Dim(0))
	}
	return b.mask
}
