package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// MinGRU is the minimal gated recurrent unit, a [GRU] whose gate and candidate do not depend on H_{t-1}:
//
//	Z_t = σ(X_t W_xz + b_z)
//	H̃_t = g(X_t W_xh + b_h)
//	H_t = (1 - Z_t) ⊙ H_{t-1} + Z_t ⊙ H̃_t
//
// g is the identity or, with Positive, g(x) = x + 1/2 for x ≥ 0 and σ(x) for x < 0.
//
// The recurrence is linear, so all products are outside of it, and it runs as a [LinearScan]. H_{t-1} is in no product:
// RecurrentDropout does not apply to it.
//
// Its parameters stand side by side: W_x = [W_xz, W_xh], shaped [d, 2h], and b [2h].
//
// Source: L. Feng and others, Were RNNs all we needed?, 2024.
type MinGRU struct {
	Positive bool       // keeps states positive that start so, as the paper's form in logarithms does
	Form     LinearForm // how the recurrence is computed
}

// MinLSTM is the minimal long short-term memory, an [LSTM] whose gates do not depend on H_{t-1} and are normalised, and
// that has no memory apart from H_t:
//
//	F_t = σ(X_t W_xf + b_f)   I_t = σ(X_t W_xi + b_i)
//	F'_t = F_t / (F_t + I_t)   I'_t = I_t / (F_t + I_t)
//	H̃_t = g(X_t W_xh + b_h)
//	H_t = F'_t ⊙ H_{t-1} + I'_t ⊙ H̃_t
//
// g is as in [MinGRU], and so is the rest.
//
// Its parameters stand side by side: W_x = [W_xf, W_xi, W_xh], shaped [d, 3h], and b [3h].
//
// Source: the same paper.
type MinLSTM struct {
	Positive bool       // as in MinGRU
	Form     LinearForm // as in MinGRU
}

// linearCell is a cell with a linear recurrence, H_t = a_t ⊙ H_{t-1} + b_t.
type linearCell interface {
	Cell

	// coefficients returns a and b, [..., h], for X W_x + b, [..., columns].
	coefficients(x *Node) (a, b *Node)

	form() LinearForm
}

func linearLayout(gates, h int) Layout {
	return Layout{Wx: "W_x", Bias: "b", Columns: gates * h, States: []int{h}}
}

func linearStep(c linearCell, m Moment) (after []*Node) {
	a, b := c.coefficients(m.A)
	return []*Node{Add(Mul(a, m.Before[0]), b)}
}

// candidate returns g(x).
func candidate(x *Node, positive bool) *Node {
	if !positive {
		return x
	}
	return Where(GreaterOrEqual(x, ZerosLike(x)), AddScalar(x, 0.5), Sigmoid(x))
}

func (c MinGRU) Layout(h int) Layout { return linearLayout(2, h) }

func (c MinGRU) Step(_ []*Node, m Moment) (after []*Node) { return linearStep(c, m) }

func (c MinGRU) form() LinearForm { return c.Form }

func (c MinGRU) coefficients(x *Node) (a, b *Node) {
	parts := Split(x, -1, 2)
	z := Sigmoid(parts[0])
	return OneMinus(z), Mul(z, candidate(parts[1], c.Positive))
}

func (c MinLSTM) Layout(h int) Layout { return linearLayout(3, h) }

func (c MinLSTM) Step(_ []*Node, m Moment) (after []*Node) { return linearStep(c, m) }

func (c MinLSTM) form() LinearForm { return c.Form }

// coefficients computes F' = σ(log F - log I), as the paper does: where both gates are closed, F + I would be 0.
func (c MinLSTM) coefficients(x *Node) (a, b *Node) {
	parts := Split(x, -1, 3)
	difference := Sub(Softplus(Neg(parts[1])), Softplus(Neg(parts[0]))) // log F - log I
	return Sigmoid(difference), Mul(Sigmoid(Neg(difference)), candidate(parts[2], c.Positive))
}
