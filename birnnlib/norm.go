package birnnlib

import (
	"github.com/gomlx/compute/dtypes"
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
// for the k entries z_i of a row. A single unit would always be zero, so at least two are required; of two units,
// little more is left than which one is greater.
//
// Its parameters are W_xh [d, h], W_hh [h, h], g [h] and b_h [h], where g is γ - 1: vectors start at zero, so γ starts
// at one.
//
// Source: J. L. Ba, J. R. Kiros and G. E. Hinton, Layer normalization, 2016, equation 4; ε is taken from the authors'
// code.
type LayerNormRNN struct {
	Activation activation.Type // φ, as in RNN; the zero value is the sigmoid
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

// normalise returns, for z [n, k] with the mean μ and the variance σ² of each row,
//
//	s = √(σ² + ε) [n, 1]   y = (z - μ) / s [n, k]
//
// y is of the dtype of z, and s of that of wide.
func normalise(z *Node) (y, s *Node) {
	dtype := z.DType()
	z = wide(z)
	z = Sub(z, rowMeans(z))
	s = Sqrt(Add(rowMeans(Mul(z, z)), Constant(z, normEpsilon)))
	return ConvertDType(Div(z, s), dtype), s
}

// normaliseBackward returns the gradient with respect to z, given that with respect to y:
//
//	dz = (dy - mean(dy) - y ⊙ mean(dy ⊙ y)) / s
func normaliseBackward(dy, y, s *Node) *Node {
	dtype := dy.DType()
	dy, y = wide(dy), wide(y)
	return ConvertDType(Div(Sub(Sub(dy, rowMeans(dy)), Mul(y, rowMeans(Mul(dy, y)))), s), dtype)
}

// wide returns x in 32 bits if it has 16, which are too few for the variance and ε.
func wide(x *Node) *Node {
	if x.DType().IsHalfPrecision() {
		return ConvertDType(x, dtypes.Float32)
	}
	return x
}

// rowMeans returns the mean of each row of x [n, k], [n, 1]: a product, since a loop on XLA cannot reduce.
func rowMeans(x *Node) *Node {
	k := x.Shape().Dim(1)
	return times(x, BroadcastToDims(Constant(x, 1/float64(k)), k, 1))
}

// gain returns γ ⊙ y for y [n, k] and γ = 1 + g. It is also the gradient with respect to y, given that of the product,
// y.
func gain(y, g *Node) *Node { return scale(y, Add(Constant(g, 1), g)) }

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

func (c LayerNormRNN) Step(w []*Node, m Moment) (after, saved []*Node) {
	whh, g, bh := w[0], w[1], w[2]
	y, s := normalise(Add(m.A, times(m.P, whh)))
	h := c.plain().activate(shift(gain(y, g), bh))
	return []*Node{h}, []*Node{y, s}
}

func (c LayerNormRNN) Backward(wT []*Node, m Moment, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node) {
	whhT, g := wT[0], wT[1]
	y, s := m.Saved[0], m.Saved[1]
	dz := c.plain().activateBackward(m.After[0], dAfter[0]) // of LN + b_h
	dA = normaliseBackward(gain(dz, g), y, s)
	return dA, times(dA, whhT), []*Node{nil}, []*Node{dz}
}

func (c LayerNormRNN) WeightGradients(_ []*Node, m Moment, dA *Node, kept []*Node) []*Node {
	y, dz := m.Saved[0], kept[0]
	return []*Node{transposedTimes(m.P, dA), sumRows(Mul(dz, y)), sumRows(dz)}
}

func (c LayerNormLSTM) Layout(h int) Layout {
	checkNorm("LayerNormLSTM", h)
	return Layout{Wx: "W_x", Columns: 4 * h, States: []int{h, h}, Weights: []CellWeight{
		{"W_h", []int{h, 4 * h}}, {"g_x", []int{4 * h}}, {"g_h", []int{4 * h}}, {"g_c", []int{h}},
		{"b", []int{4 * h}}, {"b_c", []int{h}},
	}}
}

func (c LayerNormLSTM) Step(w []*Node, m Moment) (after, saved []*Node) {
	wh, gx, gh, gc, b, bc := w[0], w[1], w[2], w[3], w[4], w[5]
	yx, _ := normalise(m.A)
	yh, sh := normalise(times(m.P, wh))
	z := gates(shift(Add(gain(yx, gx), gain(yh, gh)), b), 4)
	i, f, g, o := Sigmoid(z[0]), Sigmoid(Add(z[1], Constant(z[1], c.ForgetBias))), Tanh(z[2]), Sigmoid(z[3])
	memory := Add(Mul(f, m.Before[1]), Mul(i, g))
	yc, _ := normalise(memory)
	h := Mul(o, Tanh(shift(gain(yc, gc), bc)))
	// What A and C_t tell is computed again on the way back.
	return []*Node{h, memory}, []*Node{i, f, g, o, yh, sh}
}

func (c LayerNormLSTM) Backward(wT []*Node, m Moment, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node) {
	whT, gx, gh, gc, bc := wT[0], wT[1], wT[2], wT[3], wT[5]
	i, f, g, o, yh, sh := m.Saved[0], m.Saved[1], m.Saved[2], m.Saved[3], m.Saved[4], m.Saved[5]
	dh, dMemory := dAfter[0], dAfter[1]
	yx, sx := normalise(m.A)
	yc, sc := normalise(m.After[1])
	tanh := Tanh(shift(gain(yc, gc), bc))

	dzo := Mul(Mul(dh, tanh), sigmoidSlope(o))
	dq := Mul(Mul(dh, o), tanhSlope(tanh)) // of LN(C_t) + b_c
	dMemory = Add(dMemory, normaliseBackward(gain(dq, gc), yc, sc))
	dzi := Mul(Mul(dMemory, g), sigmoidSlope(i))
	dzf := Mul(Mul(dMemory, m.Before[1]), sigmoidSlope(f))
	dzg := Mul(Mul(dMemory, i), tanhSlope(g))

	dz := Concatenate([]*Node{dzi, dzf, dzg, dzo}, 1)
	dA = normaliseBackward(gain(dz, gx), yx, sx)
	du := normaliseBackward(gain(dz, gh), yh, sh) // of H_{t-1} W_h
	return dA, times(du, whT), []*Node{nil, Mul(dMemory, f)}, []*Node{dz, du, dq}
}

func (c LayerNormLSTM) WeightGradients(_ []*Node, m Moment, _ *Node, kept []*Node) []*Node {
	dz, du, dq, yh := kept[0], kept[1], kept[2], m.Saved[4]
	yx, _ := normalise(m.A)
	yc, _ := normalise(m.After[1])
	return []*Node{
		transposedTimes(m.P, du), sumRows(Mul(dz, yx)), sumRows(Mul(dz, yh)), sumRows(Mul(dq, yc)),
		sumRows(dz), sumRows(dq),
	}
}

func (c LayerNormGRU) Layout(h int) Layout {
	checkNorm("LayerNormGRU", h)
	return Layout{Wx: "W_x", Columns: 3 * h, States: []int{h}, Weights: []CellWeight{
		{"W_h", []int{h, 3 * h}}, {"g_x", []int{3 * h}}, {"g_h", []int{3 * h}}, {"b", []int{3 * h}}, {"b_hh", []int{h}},
	}}
}

// normaliseApart is normalise for z [n, 3h], the first two gates together and the third apart; s is [n, 2].
func normaliseApart(z *Node) (y, s *Node) {
	y1, s1 := normalise(columns(z, 0, 2))
	y2, s2 := normalise(columns(z, 2, 3))
	return Concatenate([]*Node{y1, y2}, 1), Concatenate([]*Node{s1, s2}, 1)
}

func normaliseApartBackward(dy, y, s *Node) *Node {
	s1, s2 := Slice(s, AxisRange(), AxisElem(0)), Slice(s, AxisRange(), AxisElem(1))
	return Concatenate([]*Node{
		normaliseBackward(columns(dy, 0, 2), columns(y, 0, 2), s1),
		normaliseBackward(columns(dy, 2, 3), columns(y, 2, 3), s2),
	}, 1)
}

func (c LayerNormGRU) Step(w []*Node, m Moment) (after, saved []*Node) {
	wh, gx, gh, b, bhh := w[0], w[1], w[2], w[3], w[4]
	yx, _ := normaliseApart(m.A)
	yh, sh := normaliseApart(times(m.P, wh))
	a, u := gates(shift(gain(yx, gx), b), 3), gates(gain(yh, gh), 3)
	u[2] = shift(u[2], bhh)
	r, z := Sigmoid(Add(a[0], u[0])), Sigmoid(Add(a[1], u[1]))
	candidate := Tanh(Add(a[2], Mul(r, u[2])))
	h := Add(Mul(Sub(Constant(z, 1), z), candidate), Mul(z, m.Before[0]))
	// What depends on A only is recomputed on the way back.
	return []*Node{h}, []*Node{r, z, candidate, u[2], yh, sh}
}

func (c LayerNormGRU) Backward(wT []*Node, m Moment, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node) {
	whT, gx, gh, before, dh := wT[0], wT[1], wT[2], m.Before[0], dAfter[0]
	r, z, candidate, u, yh, sh := m.Saved[0], m.Saved[1], m.Saved[2], m.Saved[3], m.Saved[4], m.Saved[5]
	yx, sx := normaliseApart(m.A)

	dzh := Mul(Mul(dh, Sub(Constant(z, 1), z)), tanhSlope(candidate))
	dzz := Mul(Mul(dh, Sub(before, candidate)), sigmoidSlope(z))
	dzr := Mul(Mul(dzh, u), sigmoidSlope(r))
	dqh := Mul(dzh, r)                           // of LN(H_{t-1} W_hh; γ_hh) + b_hh
	dx := Concatenate([]*Node{dzr, dzz, dzh}, 1) // of LN(X_t W_x) + b
	dq := Concatenate([]*Node{dzr, dzz, dqh}, 1) // of LN(H_{t-1} W_h)

	dA = normaliseApartBackward(gain(dx, gx), yx, sx)
	du := normaliseApartBackward(gain(dq, gh), yh, sh) // of H_{t-1} W_h
	return dA, times(du, whT), []*Node{Mul(dh, z)}, []*Node{dx, dqh, du}
}

func (c LayerNormGRU) WeightGradients(_ []*Node, m Moment, _ *Node, kept []*Node) []*Node {
	dx, dqh, du, yh := kept[0], kept[1], kept[2], m.Saved[4]
	dq := Concatenate([]*Node{columns(dx, 0, 2), dqh}, 1)
	yx, _ := normaliseApart(m.A)
	return []*Node{
		transposedTimes(m.P, du), sumRows(Mul(dx, yx)), sumRows(Mul(dq, yh)), sumRows(dx), sumRows(dqh),
	}
}
