package birnnlib

import (
	"math"
	"slices"

	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// chunked is a recurrence over X [T, n, …] itself, including its input weights, that keeps little for the gradient: the
// forward pass keeps only the output and the states before each of ⌊T/k⌋ chunks of k = ⌈√T⌉ time steps. On the way
// back, a loop recomputes one chunk after the other, and then computes its gradient.
type chunked struct {
	recurrence
	cell        Differentiable
	x, wx, bias *Node // bias may be nil
	T, k, loops int
}

// newChunked prepares r over X for a backend that has loops.
func newChunked(r *recurrence, cell Differentiable, x, wx, bias *Node) *chunked {
	T := x.Shape().Dim(0)
	c := &chunked{recurrence: *r, cell: cell, x: x, wx: wx, bias: bias, T: T}
	c.k = int(math.Ceil(math.Sqrt(float64(T))))
	c.loops = T / c.k
	c.unroll = c.k
	return c
}

// run is [recurrence.run] from X.
func (c *chunked) run(w, initial []*Node) (h *Node, last []*Node) {
	inputs := slices.Concat([]*Node{c.wx}, w, initial)
	if c.bias != nil {
		inputs = append(inputs, c.bias)
	}
	if c.x.DType().IsFloat() {
		inputs = append(inputs, c.x)
	}
	outputs := withGradient(inputs,
		func() (outputs, kept []*Node) { return c.forward(w, initial) },
		func(kept, v []*Node) []*Node { return c.backward(w, kept, v[0], v[1:]) })
	return outputs[0], outputs[1:]
}

// constants are the nodes that every round of a loop reads, in the order of take.
func (c *chunked) constants(w []*Node, more ...*Node) []*Node {
	all := slices.Concat([]*Node{c.x, c.wx}, w)
	for _, optional := range []*Node{c.bias, c.drop, c.valid} {
		if optional != nil {
			all = append(all, optional)
		}
	}
	return append(all, more...)
}

// inside returns c with the constants as they are inside the loop, the weights, and whatever else was passed.
func (c *chunked) inside(constants []*Node, weights int) (in *chunked, w, more []*Node) {
	inner := *c
	inner.x, inner.wx = constants[0], constants[1]
	w, more = constants[2:2+weights], constants[2+weights:]
	for _, optional := range []**Node{&inner.bias, &inner.drop, &inner.valid} {
		if *optional != nil {
			*optional, more = more[0], more[1:]
		}
	}
	return &inner, w, more
}

// chunk returns the recurrence over k time steps from t on (in a loop, a node), and their A and inputs.
func (c *chunked) chunk(t *Node, length int) (r *recurrence, xs, a *Node) {
	part := c.recurrence
	if c.valid != nil {
		part.valid = slice(c.valid, t, length)
	}
	xs = slice(c.x, t, length)
	return &part, xs, project(xs, c.wx, c.bias)
}

// start returns the first time step of chunk i.
func (c *chunked) start(i *Node) *Node {
	t := Mul(i, Const(i.Graph(), int32(c.k)))
	if c.reversed {
		t = Sub(Const(i.Graph(), int32(c.T-c.k)), t)
	}
	return t
}

// rest returns the first time step and the length of the remainder after the last chunk.
func (c *chunked) rest() (t *Node, length int) {
	length = c.T - c.loops*c.k
	from := c.loops * c.k
	if c.reversed {
		from = 0
	}
	return Const(c.x.Graph(), int32(from)), length
}

func (c *chunked) forward(w, initial []*Node) (outputs, kept []*Node) {
	n := c.x.Shape().Dim(1)
	states := len(initial)
	place := 0
	if c.reversed { // both directions read the same x
		place = 1 + states
	}
	buffers := []*Node{room(c.x, place, shapes.Make(c.wx.DType(), c.T, n, initial[0].Shape().Dim(1)))} // H
	for i, s := range initial {
		buffers = append(buffers, room(c.x, place+1+i, shapes.Make(s.DType(), c.loops, n, s.Shape().Dim(1)))) // the states before each chunk
	}
	end := repeat(c.loops, c.constants(w), slices.Concat(initial, buffers), func(i *Node, constants, state []*Node) []*Node {
		in, w, _ := c.inside(constants, len(w))
		before, h, kept := state[:states], state[states], state[states+1:]
		after := make([]*Node, states)
		for k := range kept {
			after[k] = put(kept[k], InsertAxes(before[k], 0), i)
		}
		r, _, a := in.chunk(in.start(i), c.k)
		out, _ := r.forward(a, w, before, false)
		return slices.Concat(out[1:], []*Node{put(h, out[0], in.start(i))}, after)
	})
	last, h, kept := end[:states], end[states], end[states+1:]
	kept = append(kept, last...)
	if t, length := c.rest(); length > 0 {
		r, _, a := c.chunk(t, length)
		out, _ := r.forward(a, w, last, false)
		h, last = put(h, out[0], t), out[1:]
	}
	return append([]*Node{h}, last...), kept
}

// backward returns the gradient with respect to the inputs in the order of run.
func (c *chunked) backward(w, kept []*Node, dH *Node, dLast []*Node) []*Node {
	g := c.x.Graph()
	states := len(dLast)
	starts, afterLoop := kept[:states], kept[states:]
	// The sums of the gradients with respect to the weights, in the order of run.
	sums := []*Node{Zeros(g, c.wx.Shape())}
	for _, weight := range w {
		sums = append(sums, Zeros(g, weight.Shape()))
	}
	if c.bias != nil {
		sums = append(sums, Zeros(g, c.bias.Shape()))
	}
	state := slices.Concat(dLast, sums)
	if c.x.DType().IsFloat() {
		state = append(state, room(dH, 0, c.x.Shape()))
	}

	// round goes back over a chunk of that length that starts at time step t with the states before.
	round := func(in *chunked, t *Node, length int, w, before []*Node, dH *Node, state []*Node) []*Node {
		r, xs, a := in.chunk(t, length)
		_, all := r.forward(a, w, before, true)
		d := r.backward(c.cell, a, w, all, slice(dH, t, length), state[:states])
		dA, dw, dBefore := d[0], d[1:1+len(w)], d[1+len(w):]

		flat := Reshape(dA, -1, dA.Shape().Dim(2))
		rows := Reshape(xs, length*xs.Shape().Dim(1), -1)
		if xs.DType().IsInt() {
			rows = oneHot(rows, in.wx)
		}
		dSums := append([]*Node{transposedTimes(rows, flat)}, dw...)
		if in.bias != nil {
			dSums = append(dSums, sumRows(flat))
		}
		next := dBefore
		for i, d := range dSums {
			next = append(next, Add(state[states+i], d))
		}
		if xs.DType().IsFloat() {
			next = append(next, put(state[len(state)-1], affine(dA, Transpose(in.wx, 0, 1), nil), t))
		}
		return next
	}
	if t, length := c.rest(); length > 0 {
		state = round(c, t, length, w, afterLoop, dH, state)
	}
	constants := c.constants(w, append([]*Node{dH}, starts...)...)
	state = repeat(c.loops, constants, state, func(i *Node, constants, state []*Node) []*Node {
		in, w, more := c.inside(constants, len(w))
		dH, starts := more[0], more[1:]
		i = Sub(Const(i.Graph(), int32(c.loops-1)), i)
		before := make([]*Node, states)
		for k, s := range starts {
			before[k] = Squeeze(slice(s, i, 1), 0)
		}
		return round(in, in.start(i), c.k, w, before, dH, state)
	})
	dInitial, d := state[:states], state[states:]
	return slices.Concat(d[:1+len(w)], dInitial, d[1+len(w):])
}

// oneHot returns the one-hot vectors of the indices [N, 1], as wide as w is high.
func oneHot(indices, w *Node) *Node {
	N, d := indices.Shape().Dim(0), w.Shape().Dim(0)
	hot := Equal(Iota(w.Graph(), shapes.Make(indices.DType(), N, d), 1), BroadcastToDims(indices, N, d))
	return ConvertDType(hot, w.DType())
}
