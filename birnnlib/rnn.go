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
// Its parameters are W_xh [d, h], W_hh [h, h] and b_h [h].
type RNN struct {
	// Activation is φ: activation.TypeSigmoid, TypeTanh or TypeRelu. The zero value means the sigmoid.
	Activation activation.Type
	NoBias     bool // leaves b_h out
}

func (c RNN) Layout(h int) Layout {
	switch c.φ() {
	case activation.TypeSigmoid, activation.TypeTanh, activation.TypeRelu:
	default:
		Panicf("birnnlib.RNN: the activation is %s; it must be sigmoid, tanh or relu", c.Activation)
	}
	l := Layout{Wx: "W_xh", Bias: "b_h", Columns: h, Weights: []CellWeight{{"W_hh", []int{h, h}}}, States: []int{h}}
	if c.NoBias {
		l.Bias = ""
	}
	return l
}

func (c RNN) φ() activation.Type {
	if c.Activation == activation.TypeNone {
		return activation.TypeSigmoid
	}
	return c.Activation
}

// activate returns φ(z).
func (c RNN) activate(z *Node) *Node {
	switch c.φ() {
	case activation.TypeTanh:
		return Tanh(z)
	case activation.TypeRelu:
		return MaxScalar(z, 0)
	}
	return Sigmoid(z)
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
