package birnnlib

import (
	"math"
	"slices"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// differentiable is run with a gradient. GoMLX derives the gradient of a single time step; on the way back, a second loop
// computes it for one time step after the other from the states before that step, which the first loop has kept, together
// with whatever takes longer to compute again than to read. The gradient of weights in products is one product for all time
// steps, after the loop. With recompute, the first loop keeps only some of the states, and the second one recomputes the
// rest.
func (w *walk) differentiable(initial, sequences []*Node, recompute bool) (last, results []*Node) {
	body, all := w.body(initial, sequences)
	if body == nil {
		return w.unrolled(initial, sequences)
	}
	d := &derivative{walk: w, initial: initial}
	if recompute {
		d.chunk = int(math.Ceil(math.Sqrt(float64(w.T))))
		d.chunks = (w.T + d.chunk - 1) / d.chunk
	} else {
		all, d.products = body.hoist(all)
		d.products = slices.DeleteFunc(d.products, func(p product) bool { return !p.y.DType().IsFloat() })
		d.saved = floats(body.costly())
	}
	d.body, d.sequences = body, all
	for _, p := range d.products {
		if !slices.Contains(body.placeholders, p.x) && !slices.Contains(d.factors, p.x) {
			d.factors = append(d.factors, p.x)
		}
	}
	d.summed = slices.DeleteFunc(floats(body.captured), func(c *Node) bool {
		return slices.ContainsFunc(d.products, func(p product) bool { return p.w == c })
	})
	outputs := withGradient(slices.Concat(floats(initial), floats(all), floats(body.captured)), d.forward, d.backward)
	return outputs[:len(initial)], outputs[len(initial):]
}

// floats returns the nodes that can have a gradient.
func floats(nodes []*Node) (f []*Node) {
	for _, n := range nodes {
		if n.DType().IsFloat() {
			f = append(f, n)
		}
	}
	return f
}

// given returns the nodes that are not nil.
func given(nodes []*Node) []*Node {
	return slices.DeleteFunc(slices.Clone(nodes), func(n *Node) bool { return n == nil })
}

// derivative is a walk as a loop with a gradient.
type derivative struct {
	*walk
	body               *tracedStep
	initial, sequences []*Node
	products           []product // whose weights get their gradient after the loop; none with Recompute
	factors            []*Node   // each x of these that is not kept already, which the first loop keeps
	saved              []*Node   // what the first loop keeps for the second; none with Recompute
	summed             []*Node   // the captured nodes whose gradient the second loop adds up

	chunk, chunks int // with Recompute, the time steps in a chunk, and how many there are; else 0
}

// forward is the first loop. It keeps the states before each time step, or before each chunk. XLA removes what backward does
// not read.
func (d *derivative) forward() (outputs, kept []*Node) {
	states, results := len(d.initial), len(d.body.results())
	body := *d.body.traced
	more := slices.Concat(d.saved, d.factors)
	for _, n := range more {
		if !slices.Contains(body.outputs[states:], n) {
			body.outputs = append(body.outputs[:len(body.outputs):len(body.outputs)], n)
		}
	}
	step := &tracedStep{&body, states}
	rows := d.T
	if d.chunk > 0 {
		rows = d.chunks + 1 // the last one takes what is not kept
	}
	state := slices.Clone(d.initial)
	for i, y := range step.results() {
		state = append(state, room(d.sequences, i, d.T, y))
	}
	for i, s := range d.initial {
		state = append(state, room(d.sequences, len(step.results())+i, rows, s))
	}
	round := func(p *Node, constants, state []*Node) []*Node {
		sequences, captured := constants[:len(d.sequences)], constants[len(d.sequences):]
		t := d.time(p)
		row := t
		if d.chunk > 0 {
			chunk := Div(p, Const(p.Graph(), int32(d.chunk)))
			starts := Equal(Mul(chunk, Const(p.Graph(), int32(d.chunk))), p)
			row = Where(starts, chunk, Const(p.Graph(), int32(d.chunks)))
		}
		next := step.apply(t, sequences, captured, state)
		for _, s := range state[:states] {
			next = append(next, put(state[len(next)], InsertAxes(s, 0), row))
		}
		return next
	}
	end := d.rounds(slices.Concat(d.sequences, d.body.captured), state, round)
	for _, n := range more {
		kept = append(kept, end[states+slices.Index(step.results(), n)])
	}
	return end[:states+results], append(kept, end[len(body.outputs):]...)
}

// backward is the second loop: from the gradient v with respect to each output, it returns those with respect to the
// initial states, the sequences and the captured nodes, as far as they are of a float type.
func (d *derivative) backward(kept, v []*Node) []*Node {
	g := d.initial[0].Graph()
	vLast, vResults := given(v[:len(d.initial)]), given(v[len(d.initial):])
	step := d.traceGradient(vLast, vResults)
	nSaved := len(d.saved)
	var saved []*Node
	for _, i := range step.saved {
		saved = append(saved, kept[i])
	}
	factors, kept := kept[nSaved:nSaved+len(d.factors)], kept[nSaved+len(d.factors):]

	// What is passed from round to round: the gradient with respect to the states, those with respect to captured nodes,
	// added up, and the entries of those with respect to the sequences and the products.
	state := slices.Clone(vLast)
	for _, c := range d.summed {
		state = append(state, Zeros(g, shapes.Make(wide(c.DType()), c.Shape().Dimensions...)))
	}
	for i, dx := range step.outputs[len(state):] {
		state = append(state, room(d.sequences, i, d.T, dx))
	}

	nSequences, nCaptured := len(d.sequences), len(d.body.captured)
	constants := slices.Concat(d.sequences, d.body.captured, vResults, step.captured, saved, kept)
	split := func(constants []*Node) (sequences, captured, vResults, more, saved, kept []*Node) {
		take := func(n int) []*Node { taken := constants[:n:n]; constants = constants[n:]; return taken }
		return take(nSequences), take(nCaptured), take(len(step.vResults)), take(len(step.captured)), take(len(step.saved)), constants
	}
	// back goes over time step t, before which the states were before; state is as above.
	back := func(t *Node, before, constants, state []*Node) []*Node {
		sequences, captured, vResults, more, saved, _ := split(constants)
		at, v := entries(sequences, t), slices.Concat(state[:len(vLast)], entries(vResults, t))
		now := step.again(slices.Concat(before, at, captured, v, entries(saved, t)), more)
		next := slices.Clone(now[:len(vLast)])
		now = now[len(vLast):]
		for _, dc := range now[:len(d.summed)] {
			sum := state[len(next)]
			next = append(next, Add(sum, ConvertDType(dc, sum.DType())))
		}
		for _, dx := range now[len(d.summed):] {
			next = append(next, put(state[len(next)], InsertAxes(dx, 0), t))
		}
		return next
	}

	if d.chunk == 0 {
		state = d.rounds(constants, state, func(i *Node, constants, state []*Node) []*Node {
			t := d.time(Sub(Const(i.Graph(), int32(d.T-1)), i))
			_, _, _, _, _, kept := split(constants)
			return back(t, entries(kept, t), constants, state)
		})
	} else {
		state = d.pipelined(constants, state, kept, split, back)
	}
	take := func(n int) []*Node { taken := state[:n:n]; state = state[n:]; return taken }
	dStates, sums := take(len(vLast)), take(len(d.summed))
	var dSequences, dProducts []*Node
	for i, at := range step.place {
		if i < len(floats(d.sequences)) {
			dSequences = append(dSequences, state[at])
		} else {
			dProducts = append(dProducts, state[at])
		}
	}

	dCaptured := map[*Node]*Node{}
	for i, c := range d.summed {
		dCaptured[c] = ConvertDType(sums[i], c.DType())
	}
	for i, p := range d.products {
		var x *Node
		if at := slices.Index(d.body.placeholders, p.x); at < 0 {
			x = factors[slices.Index(d.factors, p.x)]
		} else {
			x = slices.Concat(kept, d.sequences)[at]
		}
		if dw := p.gradient(x, dProducts[i]); dCaptured[p.w] == nil {
			dCaptured[p.w] = dw
		} else {
			dCaptured[p.w] = Add(dCaptured[p.w], dw)
		}
	}
	gradient := slices.Concat(dStates, dSequences)
	for _, c := range floats(d.body.captured) {
		gradient = append(gradient, dCaptured[c])
	}
	return gradient
}

// gradientStep is the traced gradient of a single time step. Its placeholders are those of the step, the nodes that the
// step captured, the gradients with respect to the states after and the results, and what is saved; its outputs are the
// gradients with respect to the states before, the captured nodes that are summed, the entries of the sequences, and the
// products, where they are of a float type. Of the last two, equal ones stand once.
type gradientStep struct {
	*traced
	vResults []*Node
	saved    []int // which of those saved it reads
	place    []int // for each of these sequences, then each product, which of the outputs after the first ones it has
}

func (d *derivative) traceGradient(vLast, vResults []*Node) *gradientStep {
	nInputs := len(d.body.placeholders)
	like := slices.Concat(d.body.placeholders, d.body.captured, vLast)
	for _, v := range vResults {
		like = append(like, Squeeze(Slice(v, AxisElem(0)), 0))
	}
	var saved []*Node
	t := trace(like, func(p []*Node) []*Node {
		inputs, captured, v := p[:nInputs], p[nInputs:nInputs+len(d.body.captured)], p[nInputs+len(d.body.captured):]
		outputs := d.body.build(slices.Concat(d.body.outputs, d.saved), inputs, captured)
		outputs, saved = outputs[:len(d.body.outputs)], outputs[len(d.body.outputs):]
		var products []*Node
		for _, p := range d.products {
			products = append(products, saved[slices.Index(d.saved, p.y)])
		}
		var summed []*Node
		for _, c := range d.summed {
			summed = append(summed, captured[slices.Index(d.body.captured, c)])
		}
		// The gradient of Σ v·output.
		var loss *Node
		for i, y := range floats(outputs) {
			product := ConvertDType(ReduceAllSum(Mul(y, v[i])), widest(d.body.outputs))
			if loss == nil {
				loss = product
			} else {
				loss = Add(loss, product)
			}
		}
		states, at := floats(inputs[:len(d.initial)]), floats(inputs[len(d.initial):])
		return Gradient(loss, slices.Concat(states, summed, at, products)...)
	})
	inner, reached := *t, slices.Clone(t.outputs) // reached without passing through what is saved
	inner.placeholders = slices.Concat(t.placeholders, saved)
	inner.any(func(n *Node) bool {
		reached = append(reached, n.Inputs()...)
		return false
	})
	var read []int
	for i, s := range saved {
		if slices.Contains(reached, s) {
			read = append(read, i)
			t.placeholders = append(t.placeholders, s)
		}
	}
	t.captureAll()
	begin := len(vLast) + len(d.summed)
	outputs, place := t.outputs[:begin:begin], []int(nil)
	for _, dx := range t.outputs[begin:] {
		at := slices.Index(outputs[begin:], dx)
		if at < 0 {
			at = len(outputs) - begin
			outputs = append(outputs, dx)
		}
		place = append(place, at)
	}
	t.outputs = outputs
	if t.any(func(n *Node) bool { return slices.Contains(d.body.placeholders, n) }) {
		Panicf("birnnlib.Scan: the step uses an operation with a custom gradient that refers to other nodes of the step, "+
			"which is not possible in a loop; use Unroll(%d), or another operation", d.T)
	}
	return &gradientStep{t, vResults, read, place}
}

// wide returns the dtype in which sums over time are kept.
func wide(dtype dtypes.DType) dtypes.DType {
	if dtype.IsHalfPrecision() {
		return dtypes.Float32
	}
	return dtype
}

// widest returns a float dtype that holds the values of all nodes of float types.
func widest(nodes []*Node) (dtype dtypes.DType) {
	for _, n := range floats(nodes) {
		switch {
		case dtype == dtypes.InvalidDType || n.DType() == dtypes.Float64:
			dtype = n.DType()
		case dtype != n.DType() && dtype != dtypes.Float64:
			dtype = dtypes.Float32
		}
	}
	return dtype
}

// pipelined is the second loop of Recompute. It goes back over one chunk of time steps and, in the same rounds, recomputes
// the states of the chunk before it; in the first k rounds there is no chunk to go back over yet. The states of the two
// chunks use the two halves of a buffer in turn:
//
//	round    0 … k-1      k … 2k-1     …   Ck … (C+1)k-1
//	again    chunk C-1    chunk C-2    …   –
//	back     –            chunk C-1    …   chunk 0
func (d *derivative) pipelined(constants, state, starts []*Node, split func([]*Node) (_, _, _, _, _, kept []*Node),
	back func(t *Node, before, constants, state []*Node) []*Node) []*Node {
	k, states := d.chunk, len(d.initial)
	carried := slices.Clone(state)
	carried = append(carried, d.initial...) // the states of what is computed again
	for _, s := range d.initial {
		dims := append([]int{2 * k}, s.Shape().Dimensions...)
		carried = append(carried, Zeros(s.Graph(), shapes.Make(s.DType(), dims...)))
	}
	n := len(state)
	end := repeat((d.chunks+1)*k, constants, carried, func(i *Node, constants, carried []*Node) []*Node {
		g := i.Graph()
		number := func(v int) *Node { return Const(g, int32(v)) }
		sequences, captured, _, _, _, starts := split(constants)
		state, again, buffers := carried[:n], carried[n:n+states], slices.Clone(carried[n+states:])
		turn := Div(i, number(k))
		j := Sub(i, Mul(turn, number(k)))
		chunk := Sub(number(d.chunks), turn) // to go back over
		half := func(chunk *Node) *Node { return Mul(number(k), Sub(chunk, Mul(Div(chunk, number(2)), number(2)))) }

		// Back, over time step p, if there is one.
		j1 := Sub(number(k-1), j)
		p := Add(Mul(chunk, number(k)), j1)
		there := LessThan(p, number(d.T))
		next := back(d.time(Min(p, number(d.T-1))), entries(buffers, Add(half(chunk), j1)), constants, state)
		for s := range next {
			// Gradients of sequences need no mask: a round with p ≥ T writes entry T-1, which the later round p = T-1
			// overwrites.
			if s < len(floats(d.initial))+len(d.summed) {
				next[s] = Where(spread(there, next[s]), next[s], state[s])
			}
		}

		// Again, at time step p of the chunk before.
		chunk = Sub(chunk, number(1))
		p = Add(Mul(chunk, number(k)), j)
		first := Equal(j, number(0))
		now := make([]*Node, states)
		for s := range states {
			start := entry(starts[s], Max(chunk, number(0)))
			now[s] = Where(spread(first, start), start, again[s])
			buffers[s] = put(buffers[s], InsertAxes(now[s], 0), Add(half(Add(chunk, number(2))), j))
		}
		t := d.time(Max(Min(p, number(d.T-1)), number(0)))
		after := d.body.again(slices.Concat(now, entries(sequences, t)), captured)
		return slices.Concat(next, after[:states], buffers)
	})
	return end[:n]
}
