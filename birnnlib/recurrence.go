package birnnlib

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// recurrence is one direction of one layer, without its input weights.
type recurrence struct {
	cell     Cell
	reversed bool  // walks from the last time step to the first
	valid    *Node // [T, n, 1] of Bool: which time steps are not padding; nil: all
	drop     *Node // [n, h]: the factor of H in products, for recurrent dropout; nil: none
	unroll   int   // as in scan
}

// run walks over A [T, n, columns] from the initial states. It returns H [T, n, h], zero at padding, and the last
// states.
func (r *recurrence) run(a *Node, w, initial []*Node) (h *Node, last []*Node) {
	cell, ok := r.cell.(Differentiable)
	if !ok {
		outputs, _ := r.forward(a, w, initial, false)
		return outputs[0], outputs[1:]
	}
	inputs := slices.Concat([]*Node{a}, w, initial)
	outputs := withGradient(inputs, func() (outputs, kept []*Node) { return r.forward(a, w, initial, true) },
		func(kept, v []*Node) []*Node { return r.backward(cell, a, w, kept, v[0], v[1:]) })
	return outputs[0], outputs[1:]
}

// forward is run without a custom gradient. It returns H, the last states and, as kept, the states after and before and
// whatever the cell saved at all time steps.
func (r *recurrence) forward(a *Node, w, initial []*Node, keep bool) (outputs, kept []*Node) {
	step := func(w, before, at []*Node) (after, results []*Node) {
		w, drop := r.splitDrop(w)
		after, saved := r.cell.Step(w, Moment{A: at[0], P: dropped(before[0], drop), Before: before})
		after = r.hold(at[len(at)-1], after, before)
		if keep {
			return after, slices.Concat(after, before, saved)
		}
		return after, after[:1]
	}
	last, results := scan(step, r.withDrop(w), initial, r.withValid(a), r.reversed, r.unroll)
	return append([]*Node{r.zeroPadding(results[0])}, last...), results
}

// backward returns the gradient with respect to A, each weight and each initial state, given those with respect to H
// and the last states, and what forward kept.
func (r *recurrence) backward(cell Differentiable, a *Node, w, kept []*Node, dH *Node, dLast []*Node) []*Node {
	states := len(dLast)
	all := Moment{A: a, After: kept[:states], Before: kept[states : 2*states], Saved: kept[2*states:]}
	var drop *Node
	if r.drop != nil {
		drop = InsertAxes(r.drop, 0)
	}
	all.P = dropped(all.Before[0], drop)

	step := func(wT, dAfter, at []*Node) (dBefore, results []*Node) {
		wT, drop := r.splitDrop(wT)
		valid, at := at[len(at)-1], slices.Clone(at)
		var m Moment
		take := func(n int) (taken []*Node) { taken, at = at[:n:n], at[n:]; return taken }
		dH := take(1)[0]
		m.A, m.P = take(1)[0], take(1)[0]
		m.Before, m.After, m.Saved = take(states), take(states), take(len(all.Saved))
		dAfter = slices.Clone(dAfter)
		dAfter[0] = Add(dAfter[0], dH)
		dA, dP, dBefore, kept := cell.Backward(wT, m, dAfter)
		dP = dropped(dP, drop)
		if dBefore = slices.Clone(dBefore); dBefore[0] != nil {
			dP = Add(dBefore[0], dP)
		}
		dBefore[0] = dP
		return r.hold(valid, dBefore, dAfter), append([]*Node{dA}, kept...)
	}
	wT := make([]*Node, len(w))
	for i := range w {
		if wT[i] = w[i]; w[i].Rank() == 2 {
			wT[i] = Transpose(w[i], 0, 1)
		}
	}
	sequences := slices.Concat([]*Node{r.zeroPadding(dH), a, all.P}, all.Before, all.After, all.Saved)
	dInitial, results := scan(step, r.withDrop(wT), dLast, r.withValid(sequences...), !r.reversed, r.unroll)
	for i, d := range results {
		results[i] = r.zeroPadding(d)
	}
	dA, dKept := results[0], results[1:]

	flat := func(x *Node) *Node { return Reshape(x, -1, x.Shape().Dim(-1)) }
	flatten := func(xs []*Node) (flattened []*Node) {
		for _, x := range xs {
			flattened = append(flattened, flat(x))
		}
		return flattened
	}
	dw := cell.WeightGradients(w, Moment{
		A: flat(all.A), P: flat(all.P), Before: flatten(all.Before), After: flatten(all.After), Saved: flatten(all.Saved),
	}, flat(dA), flatten(dKept))
	return slices.Concat([]*Node{dA}, dw, dInitial)
}

// hold keeps the states unchanged at padding, so that the backward direction starts at the last valid step.
func (r *recurrence) hold(valid *Node, after, before []*Node) []*Node {
	if r.valid == nil {
		return after
	}
	held := make([]*Node, len(after))
	for i := range after {
		held[i] = Where(BroadcastToDims(valid, after[i].Shape().Dimensions...), after[i], before[i])
	}
	return held
}

// zeroPadding returns x [T, n, …] with zeros at padding.
func (r *recurrence) zeroPadding(x *Node) *Node { return zeroPadding(x, r.valid) }

func zeroPadding(x, valid *Node) *Node {
	if valid == nil {
		return x
	}
	dims := x.Shape().Dimensions
	return Where(BroadcastToDims(valid, dims...), x, BroadcastToDims(Constant(x, 0), dims...))
}

// withValid appends valid, if any, to the sequences of a scan.
func (r *recurrence) withValid(sequences ...*Node) []*Node {
	if r.valid != nil {
		sequences = append(sequences, r.valid)
	}
	return sequences
}

// withDrop appends drop, if any, to the weights of a scan.
func (r *recurrence) withDrop(w []*Node) []*Node {
	if r.drop != nil {
		w = append(slices.Clone(w), r.drop)
	}
	return w
}

// splitDrop reverses withDrop in the body of the scan.
func (r *recurrence) splitDrop(w []*Node) (weights []*Node, drop *Node) {
	if r.drop != nil {
		return w[:len(w)-1], w[len(w)-1]
	}
	return w, nil
}

func dropped(h, drop *Node) *Node {
	if drop == nil {
		return h
	}
	return Mul(h, drop)
}
