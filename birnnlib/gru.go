package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// GRU is the cell with a reset gate R_t and an update gate Z_t:
//
//	R_t = σ(X_t W_xr + H_{t-1} W_hr + b_r)
//	Z_t = σ(X_t W_xz + H_{t-1} W_hz + b_z)
//	H̃_t = tanh(X_t W_xh + b_h + R_t ⊙ (H_{t-1} W_hh + b_hh))
//	H_t = (1 - Z_t) ⊙ H̃_t + Z_t ⊙ H_{t-1}
//
// This is the convention of PyTorch, cuDNN and Keras: the reset gate is applied after the product. ResetBefore applies
// it before, like the original paper and the default of the ONNX operator, and has no b_hh:
//
//	H̃_t = tanh(X_t W_xh + b_h + (R_t ⊙ H_{t-1}) W_hh)
//
// Its parameters are stacked in PyTorch's order: W_x = [W_xr, W_xz, W_xh], shaped [d, 3h], likewise W_h [h, 3h], b
// [3h], and b_hh [h].
//
// Gate and Candidate replace σ and tanh, like f and g of the ONNX operator, and recurrent_activation and activation of
// Keras. With GRU{Gate: activation.HardSigmoid, Candidate: activation.Relu}, from
// GoMLX's package activation:
//
//	R_t = max(0, min(1, 0.2 (X_t W_xr + H_{t-1} W_hr + b_r) + 0.5))   Z_t likewise
//	H̃_t = max(0, X_t W_xh + b_h + R_t ⊙ (H_{t-1} W_hh + b_hh))
//
// [LSTM] says which hard sigmoid this is. With either, the gradient is derived, and a step takes longer.
//
// Source: K. Cho and others, Learning phrase representations using RNN encoder-decoder for statistical machine
// translation, 2014 (where Z_t and 1 - Z_t are exchanged).
type GRU struct {
	ResetBefore bool // apply R_t to H_{t-1} before the product with W_hh
	NoBias      bool // leaves b and b_hh out

	// The activations, which work entry by entry; nil is that of the formulas.
	Gate, Candidate func(z *Node) *Node
}

func (c GRU) Layout(h int) Layout {
	l := Layout{Wx: "W_x", Bias: "b", Columns: 3 * h, Weights: []CellWeight{{"W_h", []int{h, 3 * h}}}, States: []int{h}}
	if c.NoBias {
		l.Bias = ""
	} else if !c.ResetBefore {
		l.Weights = append(l.Weights, CellWeight{"b_hh", []int{h}})
	}
	return l
}

// columns returns the columns of the gates from … to-1 of w [·, 3h].
func columns(w *Node, from, to int) *Node {
	h := w.Shape().Dim(1) / 3
	return Slice(w, AxisRange(), AxisRange(from*h, to*h))
}

// rows is columns for the transposed matrix [3h, ·].
func rows(wT *Node, from, to int) *Node {
	h := wT.Shape().Dim(0) / 3
	return Slice(wT, AxisRange(from*h, to*h))
}

func (c GRU) Step(w []*Node, m Moment) (after []*Node) {
	after, _ = c.forward(w, m)
	return after
}

func (c GRU) usual() bool { return c.Gate == nil && c.Candidate == nil }

func (c GRU) forward(w []*Node, m Moment) (after, saved []*Node) {
	wh, before := w[0], m.Before[0]
	a := gates(m.A, 3)
	σ := func(z *Node) *Node { return activate(c.Gate, Sigmoid, z) }
	tanh := func(z *Node) *Node { return activate(c.Candidate, Tanh, z) }
	var r, z, candidate *Node
	if c.ResetBefore {
		u := gates(times(m.P, columns(wh, 0, 2)), 2)
		r, z = σ(Add(a[0], u[0])), σ(Add(a[1], u[1]))
		candidate = tanh(Add(a[2], times(Mul(r, m.P), columns(wh, 2, 3))))
		saved = []*Node{r, z, candidate}
	} else {
		u := gates(times(m.P, wh), 3)
		if !c.NoBias {
			u[2] = Add(u[2], InsertAxes(w[1], 0))
		}
		r, z = σ(Add(a[0], u[0])), σ(Add(a[1], u[1]))
		candidate = tanh(Add(a[2], Mul(r, u[2])))
		saved = []*Node{r, z, candidate, u[2]}
	}
	h := Add(Mul(OneMinus(z), candidate), Mul(z, before))
	return []*Node{h}, saved
}

func (c GRU) backward(wT []*Node, m past, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node) {
	whT, before, dh := wT[0], m.Before[0], dAfter[0]
	r, z, candidate := m.Saved[0], m.Saved[1], m.Saved[2]
	dzh := Mul(Mul(dh, OneMinus(z)), tanhSlope(candidate))
	dzz := Mul(Mul(dh, Sub(before, candidate)), sigmoidSlope(z))
	if c.ResetBefore {
		dq := times(dzh, rows(whT, 2, 3)) // of R_t ⊙ H_{t-1}
		dzr := Mul(Mul(dq, m.P), sigmoidSlope(r))
		dP = Add(Mul(dq, r), times(Concatenate([]*Node{dzr, dzz}, 1), rows(whT, 0, 2)))
		return Concatenate([]*Node{dzr, dzz, dzh}, 1), dP, []*Node{Mul(dh, z)}, nil
	}
	dzr := Mul(Mul(dzh, m.Saved[3]), sigmoidSlope(r))
	du := Mul(dzh, r) // of H_{t-1} W_hh + b_hh
	dP = times(Concatenate([]*Node{dzr, dzz, du}, 1), whT)
	return Concatenate([]*Node{dzr, dzz, dzh}, 1), dP, []*Node{Mul(dh, z)}, []*Node{du}
}

func (c GRU) weightGradients(_ []*Node, m past, dA *Node, kept []*Node) []*Node {
	if c.ResetBefore {
		r := m.Saved[0]
		return []*Node{Concatenate([]*Node{
			transposedTimes(m.P, columns(dA, 0, 2)),
			transposedTimes(Mul(r, m.P), columns(dA, 2, 3)),
		}, 1)}
	}
	du := kept[0]
	dw := []*Node{transposedTimes(m.P, Concatenate([]*Node{columns(dA, 0, 2), du}, 1))}
	if !c.NoBias {
		dw = append(dw, sumRows(du))
	}
	return dw
}
