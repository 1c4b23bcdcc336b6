package birnnlib

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// direction computes one direction of one layer,
//
//	H_t = φ(X_t W_xh + H_{t-1} W_hh + b_h)
//
// for t = 0 … T-1, or, reversed, with H_{t+1} in place of H_{t-1} for t = T-1 … 0. It returns the states at all time
// steps, [T, n, h], and the last one computed, [n, h]. The name is "f" or "b", as in W_xh^f.
func (b *BiRNN) direction(scope *model.Scope, name string, x *Node, h int, h0, mask *Node, reversed bool) (hs, last *Node) {
	g := x.Graph()
	d := b.inputs
	if x.DType().IsFloat() {
		d = x.Shape().Dim(2)
	}
	wxh := weight(scope, b.initializer, g, "W_xh^"+name, b.dtype, d, h)
	whh := weight(scope, b.initializer, g, "W_hh^"+name, b.dtype, h, h)
	bh := bias(scope, g, "b_h^"+name, b.dtype, h)
	T, n := x.Shape().Dim(0), x.Shape().Dim(1)

	// X_t W_xh + b_h does not depend on the state: one product for all time steps, before the recurrence.
	var xw *Node
	if x.DType().IsFloat() {
		xw = affine(x, wxh, bh)
	} else {
		xw = Add(Gather(wxh, InsertAxes(x, -1)), ExpandLeftToRank(bh, 3))
	}

	last = h0
	if last == nil {
		last = BroadcastToDims(ScalarZero(g, b.dtype), n, h)
	}
	states := make([]*Node, T)
	for i := range T {
		t := i
		if reversed {
			t = T - 1 - i
		}
		next := activation.Apply(b.φ, Add(at(xw, t), Dot(last, whh).Product()))
		states[t] = next
		if mask != nil {
			// At padding the state waits, so that the backward direction starts at the last valid step.
			valid := BroadcastToDims(at(mask, t), n, h)
			states[t] = Where(valid, next, ZerosLike(next))
			next = Where(valid, next, last)
		}
		last = next
	}
	return Stack(states, 0), last
}

// at returns x[t].
func at(x *Node, t int) *Node {
	return Squeeze(Slice(x, AxisElem(t)), 0)
}

// affine returns x w + b for x [..., d], w [d, q] and b [q]: one matrix product whatever the rank of x.
func affine(x, w, b *Node) *Node {
	dims := slices.Clone(x.Shape().Dimensions)
	d, q := w.Shape().Dim(0), w.Shape().Dim(1)
	y := Dot(Reshape(x, -1, d), w).Product()
	y = Add(y, ExpandLeftToRank(b, 2))
	dims[len(dims)-1] = q
	return Reshape(y, dims...)
}
