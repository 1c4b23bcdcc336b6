package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// LSTM is the cell with a memory C_t, an input gate I_t, a forget gate F_t and an output gate O_t:
//
//	I_t = σ(X_t W_xi + H_{t-1} W_hi + b_i [+ p_i ⊙ C_{t-1}])
//	F_t = σ(X_t W_xf + H_{t-1} W_hf + b_f [+ p_f ⊙ C_{t-1}])
//	C̃_t = tanh(X_t W_xc + H_{t-1} W_hc + b_c)
//	C_t = F_t ⊙ C_{t-1} + I_t ⊙ C̃_t
//	O_t = σ(X_t W_xo + H_{t-1} W_ho + b_o [+ p_o ⊙ C_t])
//	H_t = O_t ⊙ tanh(C_t) [W_hr]
//
// Its parameters are stacked in PyTorch's order: W_x = [W_xi, W_xf, W_xc, W_xo], shaped [d, 4h], likewise W_h [h, 4h],
// and b [4h]. The terms in brackets are optional: the peepholes p_i, p_f and p_o [h], and the projection W_hr [h, r],
// which gives H_t r units and makes W_h [r, 4h].
//
// Gate, Candidate and Output replace σ, the first and the second tanh, like f, g and h of the ONNX operator. In Keras,
// recurrent_activation is Gate, and activation is both Candidate and Output. With
// LSTM{Gate: activation.HardSigmoid, Candidate: activation.Relu, Output: activation.Relu}, from GoMLX's package
// activation:
//
//	I_t = max(0, min(1, 0.2 (X_t W_xi + H_{t-1} W_hi + b_i) + 0.5))   F_t and O_t likewise
//	C̃_t = max(0, X_t W_xc + H_{t-1} W_hc + b_c)
//	H_t = O_t ⊙ max(0, C_t)
//
// (This is the hard sigmoid of ONNX and Keras 2; that of Keras 3 and PyTorch has the slope 1/6, as
// activation.HardSigmoidWith(z, 1.0/6, 0.5) does.) With any of the three, the gradient is derived, and a step takes longer.
//
// Its states are H_t and C_t.
//
// Sources: S. Hochreiter and J. Schmidhuber, Long short-term memory, 1997; F. A. Gers, N. N. Schraudolph and
// J. Schmidhuber, Learning precise timing with LSTM recurrent networks, 2002, for the peepholes; H. Sak, A. Senior and
// F. Beaufays, Long short-term memory based recurrent neural network architectures, 2014, for the projection.
type LSTM struct {
	Peepholes  bool    // with p_i, p_f and p_o
	Projection int     // r, the units of H_t; 0: no projection, h units
	ForgetBias float64 // the initial b_f; 1 keeps the memory at first (R. Jozefowicz and others, 2015)
	NoBias     bool    // leaves b out

	// The activations, which work entry by entry; nil is that of the formulas.
	Gate, Candidate, Output func(z *Node) *Node
}

func (c LSTM) Layout(h int) Layout {
	if c.Projection < 0 {
		Panicf("birnnlib.LSTM: Projection is %d; give the units of H_t, or 0 for no projection", c.Projection)
	}
	r := h
	if c.Projection > 0 {
		r = c.Projection
	}
	l := Layout{Wx: "W_x", Bias: "b", Columns: 4 * h, Weights: []CellWeight{{"W_h", []int{r, 4 * h}}}, States: []int{r, h}}
	if c.Peepholes {
		l.Weights = append(l.Weights, CellWeight{"p_i", []int{h}}, CellWeight{"p_f", []int{h}}, CellWeight{"p_o", []int{h}})
	}
	if c.Projection > 0 {
		l.Weights = append(l.Weights, CellWeight{"W_hr", []int{h, r}})
	}
	if c.NoBias {
		l.Bias = ""
	}
	l.BiasAt = func(column int) float64 {
		if column/h == 1 {
			return c.ForgetBias
		}
		return 0
	}
	return l
}

// weights names the weights.
func (c LSTM) weights(w []*Node) (wh, pi, pf, po, whr *Node) {
	wh, w = w[0], w[1:]
	if c.Peepholes {
		pi, pf, po, w = w[0], w[1], w[2], w[3:]
	}
	if c.Projection > 0 {
		whr = w[0]
	}
	return wh, pi, pf, po, whr
}

func (c LSTM) Step(w []*Node, m Moment) (after []*Node) {
	after, _ = c.forward(w, m)
	return after
}

func (c LSTM) usual() bool { return c.Gate == nil && c.Candidate == nil && c.Output == nil }

func (c LSTM) forward(w []*Node, m Moment) (after, saved []*Node) {
	wh, pi, pf, po, whr := c.weights(w)
	before := m.Before[1]
	z := gates(Add(m.A, times(m.P, wh)), 4)
	if c.Peepholes {
		z[0] = Add(z[0], scale(before, pi))
		z[1] = Add(z[1], scale(before, pf))
	}
	σ := func(z *Node) *Node { return activate(c.Gate, Sigmoid, z) }
	i, f, g := σ(z[0]), σ(z[1]), activate(c.Candidate, Tanh, z[2])
	memory := Add(Mul(f, before), Mul(i, g))
	if c.Peepholes {
		z[3] = Add(z[3], scale(memory, po))
	}
	o := σ(z[3])
	h := Mul(o, activate(c.Output, Tanh, memory))
	if c.Projection > 0 {
		h = times(h, whr)
	}
	return []*Node{h, memory}, []*Node{i, f, g, o}
}

func (c LSTM) backward(wT []*Node, m past, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node) {
	whT, pi, pf, po, whrT := c.weights(wT)
	i, f, g, o := m.Saved[0], m.Saved[1], m.Saved[2], m.Saved[3]
	before := m.Before[1]
	tanh := Tanh(Add(Mul(f, before), Mul(i, g))) // of C_t, recomputed so that only C_{t-1} is kept
	dh, dMemory := dAfter[0], dAfter[1]
	if c.Projection > 0 {
		kept = []*Node{dh}
		dh = times(dh, whrT)
	}
	dzo := Mul(Mul(dh, tanh), sigmoidSlope(o))
	dMemory = Add(dMemory, Mul(Mul(dh, o), tanhSlope(tanh)))
	if c.Peepholes {
		dMemory = Add(dMemory, scale(dzo, po))
	}
	dzi := Mul(Mul(dMemory, g), sigmoidSlope(i))
	dzf := Mul(Mul(dMemory, before), sigmoidSlope(f))
	dzg := Mul(Mul(dMemory, i), tanhSlope(g))
	dMemoryBefore := Mul(dMemory, f)
	if c.Peepholes {
		dMemoryBefore = Add(dMemoryBefore, Add(scale(dzi, pi), scale(dzf, pf)))
	}
	dA = Concatenate([]*Node{dzi, dzf, dzg, dzo}, 1)
	return dA, times(dA, whT), []*Node{nil, dMemoryBefore}, kept
}

func (c LSTM) weightGradients(_ []*Node, m past, dA *Node, kept []*Node) []*Node {
	dw := []*Node{transposedTimes(m.P, dA)}
	if c.Peepholes {
		dz := gates(dA, 4)
		dw = append(dw, sumRows(Mul(dz[0], m.Before[1])), sumRows(Mul(dz[1], m.Before[1])), sumRows(Mul(dz[3], m.After[1])))
	}
	if c.Projection > 0 {
		o := m.Saved[3]
		dw = append(dw, transposedTimes(Mul(o, Tanh(m.After[1])), kept[0]))
	}
	return dw
}
