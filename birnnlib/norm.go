package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// LayerNormRNN is the cell [RNN] with layer normalisation: at every time step, the weighted sums of the units of one
// sequence are normalised to mean 0 and variance 1, and then scaled by a gain γ per unit:
//
//	H_t = φ(LN(X_t W_xh + H_{t-1} W_hh; γ) + b_h)
//
//	LN(z; γ) = γ ⊙ (z - μ) / √(σ² + ε),   μ = 1/k Σ_i z_i,   σ² = 1/k Σ_i (z_i - μ)²,   ε = 10⁻⁵
//
// for the k entries z_i of a row. LN of one unit is always 0, so at least two are required; of two units it keeps
// little more than which is larger.
//
// Its parameters are W_xh [d, h], W_hh [h, h], g [h] and b_h [h], where g is γ - 1: vectors start at zero, so γ starts
// at one.
//
// Source: J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, 2016, equation 4; ε is taken from the authors'
// code.
type LayerNormRNN struct {
	Activation activation.Type // φ, as in RNN; the zero value is tanh
}

// LayerNormLSTM is the cell [LSTM] with layer normalisation, with LN as in [LayerNormRNN]. The product with the input
// and the product with the state are normalised separately, all four gates together, and so is the memory where it is
// read:
//
//	[Z_i, Z_f, Z_c, Z_o] = LN(X_t W_x; γ_x) + LN(H_{t-1} W_h; γ_h) + b
//	I_t = σ(Z_i)   F_t = σ(Z_f)   C̃_t = tanh(Z_c)   O_t = σ(Z_o)
//	C_t = F_t ⊙ C_{t-1} + I_t ⊙ C̃_t
//	H_t = O_t ⊙ tanh(LN(C_t; γ_c) + b_c)
//
// Its parameters are W_x [d, 4h] and W_h [h, 4h], in the order of [LSTM], g_x and g_h [4h], g_c [h], b [4h] and b_c
// [h], where g_x is γ_x - 1, and so on.
//
// Its states are H_t and C_t.
//
// Source: the same paper, supplementary material, the equations for handwriting; b there is the sum of three vectors.
type LayerNormLSTM struct {
	// ForgetBias is added to b_f, which starts at zero; 1 keeps the memory at first. (In LSTM it is part of b_f.)
	ForgetBias float64
}

// LayerNormGRU is the cell [GRU] with layer normalisation, with LN as in [LayerNormRNN]. The product with the input and
// the product with the state are normalised separately, the two gates together and the candidate H̃_t on its own:
//
//	R_t, Z_t = σ(LN(X_t [W_xr, W_xz]; [γ_xr, γ_xz]) + LN(H_{t-1} [W_hr, W_hz]; [γ_hr, γ_hz]) + [b_r, b_z])
//	H̃_t = tanh(LN(X_t W_xh; γ_xh) + b_h + R_t ⊙ (LN(H_{t-1} W_hh; γ_hh) + b_hh))
//	H_t = (1 - Z_t) ⊙ H̃_t + Z_t ⊙ H_{t-1}
//
// Its parameters are stacked in the order of [GRU]: W_x [d, 3h], W_h [h, 3h], g_x and g_h [3h], b [3h] and b_hh
// [h], where g_x is γ_x - 1, and g_h likewise.
//
// Source: the same paper, supplementary material, the equations for order embeddings, where Z_t and 1 - Z_t are
// exchanged.
type LayerNormGRU struct{}

// ε keeps LN finite where all entries are equal, as those of H_0 W_h are for H_0 = 0.
const normEpsilon = 1e-5

// layerNorm returns LN(z; γ) for z [n, k] and γ = 1 + g [k]; in 32 bits if z has 16, which are too few for σ² and ε.
func layerNorm(z, g *Node) *Node {
	dtype := z.DType()
	z = ConvertDType(z, wide(dtype))
	z = Sub(z, ReduceAndKeep(z, ReduceMean, -1))
	variance := ReduceAndKeep(Mul(z, z), ReduceMean, -1)
	return scale(ConvertDType(Div(z, Sqrt(AddScalar(variance, normEpsilon))), dtype), OnePlus(g))
}

// shift returns x [n, k] with b [k] added to each row.
func shift(x, b *Node) *Node { return Add(x, InsertAxes(b, 0)) }

// checkNorm panics if there is only one unit.
func checkNorm(cell string, h int) {
	if h < 2 {
		Panicf("birnnlib.%s: the hidden size is %d; it must be at least 2: a single unit minus its mean is always zero", cell, h)
	}
}

// plain is the cell without normalisation.
func (c LayerNormRNN) plain() RNN { return RNN{Activation: c.Activation} }

func (c LayerNormRNN) Layout(h int) Layout {
	checkNorm("LayerNormRNN", h)
	l := c.plain().Layout(h)
	l.Bias = "" // it comes after LN
	l.Weights = append(l.Weights, CellWeight{"g", []int{h}}, CellWeight{"b_h", []int{h}})
	return l
}

func (c LayerNormRNN) Step(w []*Node, m Moment) (after []*Node) {
	whh, g, bh := w[0], w[1], w[2]
	return []*Node{c.plain().activate(shift(layerNorm(Add(m.A, times(m.P, whh)), g), bh))}
}

func (c LayerNormLSTM) Layout(h int) Layout {
	checkNorm("LayerNormLSTM", h)
	return Layout{Wx: "W_x", Columns: 4 * h, States: []int{h, h}, Weights: []CellWeight{
		{"W_h", []int{h, 4 * h}}, {"g_x", []int{4 * h}}, {"g_h", []int{4 * h}}, {"g_c", []int{h}},
		{"b", []int{4 * h}}, {"b_c", []int{h}},
	}}
}

func (c LayerNormLSTM) Step(w []*Node, m Moment) (after []*Node) {
	wh, gx, gh, gc, b, bc := w[0], w[1], w[2], w[3], w[4], w[5]
	z := gates(shift(Add(layerNorm(m.A, gx), layerNorm(times(m.P, wh), gh)), b), 4)
	i, f, g, o := Sigmoid(z[0]), Sigmoid(AddScalar(z[1], c.ForgetBias)), Tanh(z[2]), Sigmoid(z[3])
	memory := Add(Mul(f, m.Before[1]), Mul(i, g))
	return []*Node{Mul(o, Tanh(shift(layerNorm(memory, gc), bc))), memory}
}

func (c LayerNormGRU) Layout(h int) Layout {
	checkNorm("LayerNormGRU", h)
	return Layout{Wx: "W_x", Columns: 3 * h, States: []int{h}, Weights: []CellWeight{
		{"W_h", []int{h, 3 * h}}, {"g_x", []int{3 * h}}, {"g_h", []int{3 * h}}, {"b", []int{3 * h}}, {"b_hh", []int{h}},
	}}
}

func (c LayerNormGRU) Step(w []*Node, m Moment) (after []*Node) {
	wh, gx, gh, b, bhh := w[0], w[1], w[2], w[3], w[4]
	before, h := m.Before[0], m.Before[0].Shape().Dim(1)
	// The first two gates are normalised together and the third apart.
	apart := func(z, g *Node) *Node {
		return Concatenate([]*Node{
			layerNorm(columns(z, 0, 2), Slice(g, AxisRange(0, 2*h))),
			layerNorm(columns(z, 2, 3), Slice(g, AxisRangeToEnd(2*h))),
		}, 1)
	}
	a, u := gates(shift(apart(m.A, gx), b), 3), gates(apart(times(m.P, wh), gh), 3)
	r, z := Sigmoid(Add(a[0], u[0])), Sigmoid(Add(a[1], u[1]))
	candidate := Tanh(Add(a[2], Mul(r, shift(u[2], bhh))))
	return []*Node{Add(Mul(OneMinus(z), candidate), Mul(z, before))}
}
