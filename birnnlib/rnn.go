package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// RNN is the cell of the formulas, with an activation φ:
//
//	H_t = φ(X_t W_xh + H_{t-1} W_hh + b_h)
//
// φ is tanh, the sigmoid, max(0, z), any other activation of GoMLX's package activation, or Function. For all but the first
// three the gradient is derived, and a step takes longer.
//
// Its parameters are W_xh [d, h], W_hh [h, h] and b_h [h].
type RNN struct {
	// Activation is φ: activation.TypeSigmoid, TypeTanh, TypeRelu, TypeHardSigmoid and so on. The zero value means tanh.
	Activation activation.Type
	Function   func(z *Node) *Node // any other φ that works entry by entry, in place of Activation; nil for none
	NoBias     bool                // leaves b_h out
}

func (c RNN) Layout(h int) Layout {
	switch {
	case c.Function != nil && c.Activation != activation.TypeNone:
		Panicf("birnnlib.RNN: both Activation, %s, and Function were given; give one of them", c.Activation)
	case !c.Activation.IsAType():
		Panicf("birnnlib.RNN: there is no activation %d; those of GoMLX are %v", int(c.Activation), activation.TypeValues())
	case c.Activation.HiddenDimMultiplier() > 1:
		Panicf("birnnlib.RNN: the activation %s gates one half of its inputs by the other; use one that works entry by entry, "+
			"such as activation.TypeSwish", c.Activation)
	}
	l := Layout{Wx: "W_xh", Bias: "b_h", Columns: h, Weights: []CellWeight{{"W_hh", []int{h, h}}}, States: []int{h}}
	if c.NoBias {
		l.Bias = ""
	}
	return l
}

func (c RNN) φ() activation.Type {
	if c.Activation == activation.TypeNone {
		return activation.TypeTanh
	}
	return c.Activation
}

// usual is true for the activations of activateBackward.
func (c RNN) usual() bool {
	φ := c.φ()
	return c.Function == nil && (φ == activation.TypeSigmoid || φ == activation.TypeTanh || φ == activation.TypeRelu)
}

// activate returns φ(z).
func (c RNN) activate(z *Node) *Node {
	return activate(c.Function, func(z *Node) *Node {
		if c.φ() == activation.TypeRelu {
			return MaxScalar(z, 0)
		}
		return activation.Apply(c.φ(), z)
	}, z)
}

// activateBackward returns the gradient with respect to z, given that with respect to h = φ(z).
func (c RNN) activateBackward(h, dh *Node) *Node {
	switch c.φ() {
	case activation.TypeTanh:
		return Mul(dh, tanhSlope(h))
	case activation.TypeRelu:
		return Where(GreaterThan(h, ScalarZero(h.Graph(), h.DType())), dh, ZerosLike(dh))
	}
	return Mul(dh, sigmoidSlope(h))
}

func (c RNN) Step(w []*Node, m Moment) (after []*Node) {
	after, _ = c.forward(w, m)
	return after
}

func (c RNN) forward(w []*Node, m Moment) (after, saved []*Node) {
	whh := w[0]
	return []*Node{c.activate(Add(m.A, times(m.P, whh)))}, nil
}

func (c RNN) backward(wT []*Node, m past, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node) {
	whhT := wT[0]
	dz := c.activateBackward(m.After[0], dAfter[0])
	return dz, times(dz, whhT), []*Node{nil}, nil
}

func (c RNN) weightGradients(_ []*Node, m past, dA *Node, _ []*Node) []*Node {
	return []*Node{transposedTimes(m.P, dA)}
}
