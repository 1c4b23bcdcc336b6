package birnnlib

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
)

// recurrence is one direction of one layer.
type recurrence struct {
	walk
	cell Cell
	drop *Node // [n, h]: the factor of H in products, for recurrent dropout; nil: none
}

// moment returns what the cell gets.
func (r *recurrence) moment(a *Node, before []*Node) Moment {
	return Moment{A: a, P: r.dropped(before[0]), Before: before}
}

// dropped returns h [n, h] or [T, n, h] as used in products.
func (r *recurrence) dropped(h *Node) *Node {
	if r.drop == nil {
		return h
	}
	return Mul(h, BroadcastToDims(ExpandLeftToRank(r.drop, h.Rank()), h.Shape().Dimensions...))
}

// run walks over X [T, n, …] from the initial states, with one product with the input weights for all time steps. It
// returns H [T, n, h], zero at padding, and the last states.
func (r *recurrence) run(x, wx, bias *Node, w, initial []*Node) (h *Node, last []*Node) {
	a := project(x, wx, bias)
	if cell, is := r.cell.(formulated); is && cell.usual() {
		return r.formulated(cell, a, w, initial)
	}
	if cell, is := r.cell.(linearCell); is {
		a, b := cell.coefficients(a)
		h, end := LinearScan(a, b, initial[0]).Reversed(r.reversed).Form(cell.form()).Mask(r.valid).Done()
		return h, []*Node{end}
	}
	return r.derived(a, func(a *Node) *Node { return a }, w, initial, false)
}

// recompute is run with less memory: the products with the input weights are inside the loop.
func (r *recurrence) recompute(x, wx, bias *Node, w, initial []*Node) (h *Node, last []*Node) {
	return r.derived(x, func(xt *Node) *Node { return project(xt, wx, bias) }, w, initial, true)
}

// derived is a walk with the gradient that GoMLX derives for a time step.
func (r *recurrence) derived(sequence *Node, a func(at *Node) *Node, w, initial []*Node, recompute bool) (h *Node,
	last []*Node) {
	walk := r.walk
	walk.step = func(before, at []*Node) (after, results []*Node) {
		after = r.cell.Step(w, r.moment(a(at[0]), before))
		return after, after[:1]
	}
	last, results := walk.differentiable(initial, []*Node{sequence}, recompute)
	return results[0], last
}

// formulated is a walk over A = X W_x + b [T, n, columns] with the hand-written gradient of the cell.
func (r *recurrence) formulated(cell formulated, a *Node, w, initial []*Node) (h *Node, last []*Node) {
	states := len(initial)
	forward := func() (outputs, kept []*Node) {
		walk := r.walk
		walk.step = func(before, at []*Node) (after, results []*Node) {
			after, saved := cell.forward(w, r.moment(at[0], before))
			return after, slices.Concat(after, before, saved)
		}
		last, results := walk.run(initial, []*Node{a})
		return append(results[:1:1], last...), results
	}
	backward := func(kept, v []*Node) []*Node {
		all := past{
			Moment: Moment{A: a, P: r.dropped(kept[states]), Before: kept[states : 2*states]},
			After:  kept[:states], Saved: kept[2*states:],
		}
		return r.backward(cell, all, w, v[0], v[1:])
	}
	outputs := withGradient(slices.Concat([]*Node{a}, w, initial), forward, backward)
	return outputs[0], outputs[1:]
}

// backward returns the gradient with respect to A, to each weight and to each initial state, from those with respect to H
// and to the last states, and from all time steps.
func (r *recurrence) backward(cell formulated, all past, w []*Node, dH *Node, dLast []*Node) []*Node {
	wT := make([]*Node, len(w))
	for i := range w {
		if wT[i] = w[i]; w[i].Rank() == 2 {
			wT[i] = Transpose(w[i], 0, 1)
		}
	}
	states := len(dLast)
	walk := r.walk
	walk.reversed = !r.reversed
	walk.step = func(dAfter, at []*Node) (dBefore, results []*Node) {
		take := func(n int) (taken []*Node) { taken, at = at[:n:n], at[n:]; return taken }
		dAfter[0] = Add(dAfter[0], take(1)[0])
		var m past
		m.A, m.P = take(1)[0], take(1)[0]
		m.Before, m.After, m.Saved = take(states), take(states), at
		dA, dP, dBefore, kept := cell.backward(wT, m, dAfter)
		dBefore = slices.Clone(dBefore)
		if dP = r.dropped(dP); dBefore[0] == nil {
			dBefore[0] = dP
		} else {
			dBefore[0] = Add(dBefore[0], dP)
		}
		return dBefore, append([]*Node{dA}, kept...)
	}
	sequences := slices.Concat([]*Node{zeroPadding(dH, r.valid), all.A, all.P}, all.Before, all.After, all.Saved)
	dInitial, results := walk.run(dLast, sequences)
	dA, dKept := results[0], results[1:]

	flat := func(x *Node) *Node { return Reshape(x, -1, x.Shape().Dim(-1)) }
	flatten := func(xs []*Node) (flattened []*Node) {
		for _, x := range xs {
			flattened = append(flattened, flat(x))
		}
		return flattened
	}
	dw := cell.weightGradients(w, past{
		Moment: Moment{A: flat(all.A), P: flat(all.P), Before: flatten(all.Before)},
		After:  flatten(all.After), Saved: flatten(all.Saved),
	}, flat(dA), flatten(dKept))
	return slices.Concat([]*Node{dA}, dw, dInitial)
}
