package birnnlib

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// stepFunction is the body of a recurrence: from the weights, the states before, and time step t of each sequence, it
// computes the states after and time step t of each result.
//
// It may become the body of a loop, which is a separate function in the graph. There GoMLX allows neither nodes from
// outside nor helpers that take a number, such as AddScalar or OneMinus, because these share constants across the whole
// graph; [Constant] works. XLA cannot reduce there either; use a product with ones.
type stepFunction func(weights, before, at []*Node) (after, results []*Node)

// Constant returns the number v in the dtype of x. In the methods of a [Cell] it replaces GoMLX's Scalar.
func Constant(x *Node, v float64) *Node {
	return Const(x.Graph(), shapes.CastAsDType(v, x.DType()))
}

// scan applies step to time steps 0 … T-1 of the sequences, each [T, …], or, reversed, to T-1 … 0:
//
//	states, results[t] = step(weights, states, sequences[t])
//
// and returns the last states and the results, each [T, …], in the order of time. It has no gradient.
//
// unroll is the number of time steps in the body of the loop; with T or more there is no loop.
func scan(step stepFunction, weights, states, sequences []*Node, reversed bool, unroll int) (last, results []*Node) {
	T := sequences[0].Shape().Dim(0)
	if unroll >= T {
		return unrolled(step, weights, states, sequences, reversed)
	}
	// The steps that do not fill a round of the loop follow it, unrolled.
	looped := T - T%unroll
	cut := func(from, to int) []*Node {
		if reversed {
			from, to = T-to, T-from
		}
		part := make([]*Node, len(sequences))
		for i, s := range sequences {
			if part[i] = s; to-from < T {
				part[i] = Slice(s, AxisRange(from, to))
			}
		}
		return part
	}
	states, results = looping(step, weights, states, cut(0, looped), reversed, unroll)
	if looped == T {
		return states, results
	}
	last, rest := unrolled(step, weights, states, cut(looped, T), reversed)
	for i := range results {
		if reversed {
			results[i] = Concatenate([]*Node{rest[i], results[i]}, 0)
		} else {
			results[i] = Concatenate([]*Node{results[i], rest[i]}, 0)
		}
	}
	return last, results
}

// unrolled is scan without a loop: a graph that grows with T.
func unrolled(step stepFunction, weights, states, sequences []*Node, reversed bool) (last, results []*Node) {
	T := sequences[0].Shape().Dim(0)
	var each [][]*Node // for each result its values at all time steps
	at := make([]*Node, len(sequences))
	for i := range T {
		t := i
		if reversed {
			t = T - 1 - i
		}
		for k, s := range sequences {
			at[k] = Squeeze(Slice(s, AxisElem(t)), 0)
		}
		var now []*Node
		states, now = step(weights, states, at)
		for k, y := range now {
			if i == 0 {
				each = append(each, make([]*Node, T))
			}
			each[k][t] = y
		}
	}
	for _, values := range each {
		results = append(results, Stack(values, 0))
	}
	return states, results
}

// looping is scan with a loop of T/unroll rounds; T is a multiple of unroll.
func looping(step stepFunction, weights, states, sequences []*Node, reversed bool, unroll int) (last, results []*Node) {
	T := sequences[0].Shape().Dim(0)
	state := slices.Clone(states)
	for r, shape := range resultShapes(step, weights, states, sequences) {
		state = append(state, room(sequences[0], r, shapes.Make(shape.DType, append([]int{T}, shape.Dimensions...)...)))
	}
	end := repeat(T/unroll, slices.Concat(weights, sequences), state, func(i *Node, constants, state []*Node) []*Node {
		weights, sequences := constants[:len(weights)], constants[len(weights):]
		states, results := state[:len(states)], slices.Clone(state[len(states):])
		at := make([]*Node, len(sequences))
		for u := range unroll {
			t := Add(Mul(i, Const(i.Graph(), int32(unroll))), Const(i.Graph(), int32(u)))
			if reversed {
				t = Sub(Const(i.Graph(), int32(T-1)), t)
			}
			for k, s := range sequences {
				at[k] = Squeeze(slice(s, t, 1), 0)
			}
			var now []*Node
			states, now = step(weights, states, at)
			for k, y := range now {
				results[k] = put(results[k], InsertAxes(y, 0), t)
			}
		}
		return slices.Concat(states, results)
	})
	return end[:len(states)], end[len(states):]
}

// repeat returns the state after count rounds of a loop, state = body(i, constants, state) for i = 0 … count-1. The
// restrictions of [stepFunction] apply to the body.
func repeat(count int, constants, state []*Node, body func(i *Node, constants, state []*Node) []*Node) []*Node {
	g := state[0].Graph()
	// All that the loop reads or writes is passed from round to round.
	carried := slices.Concat([]*Node{Const(g, int32(0))}, state, constants)
	parameters := func(g *Graph) []*Node {
		p := make([]*Node, len(carried))
		for i, c := range carried {
			p[i] = Parameter(g, "", c.Shape())
		}
		return p
	}
	condition := NewClosure(g, func(g *Graph) []*Node {
		return []*Node{LessThan(parameters(g)[0], Const(g, int32(count)))}
	})
	round := NewClosure(g, func(g *Graph) []*Node {
		p := parameters(g)
		i, state, constants := p[0], p[1:1+len(state)], p[1+len(state):]
		return slices.Concat([]*Node{Add(i, Const(g, int32(1)))}, body(i, constants, state), constants)
	})
	return While(condition, round, carried...)[1 : 1+len(state)]
}

// room returns an array of that shape for a loop to overwrite completely, so its values do not matter. But XLA copies a
// constant for each loop, all at the start of the program, and a value that several arrays share once for each of them.
// So every array is filled with a different number of x, which the loop reads anyway.
func room(x *Node, place int, shape shapes.Shape) *Node {
	number := first(Slice(x, AxisRangeToEnd(place%x.Shape().Dim(0))))
	return BroadcastToDims(ConvertDType(number, shape.DType), shape.Dimensions...)
}

// slice returns length entries of x from t on, along the first axis.
func slice(x, t *Node, length int) *Node {
	dims := slices.Clone(x.Shape().Dimensions)
	dims[0] = length
	return DynamicSlice(x, position(t, x.Rank()), dims)
}

// put returns x with part in it from t on, along the first axis.
func put(x, part, t *Node) *Node { return DynamicUpdateSlice(x, part, position(t, x.Rank())) }

// position returns the start of time step t in a sequence of that rank.
func position(t *Node, rank int) []*Node {
	start := []*Node{t}
	for range rank - 1 {
		start = append(start, Const(t.Graph(), int32(0)))
	}
	return start
}

// resultShapes returns the shapes of the results of one time step, found by building it in a temporary graph.
func resultShapes(step stepFunction, weights, states, sequences []*Node) (results []shapes.Shape) {
	trial := NewGraph(states[0].Graph().Backend(), "trial")
	defer trial.Finalize()
	like := func(nodes []*Node, drop int) []*Node {
		p := make([]*Node, len(nodes))
		for i, n := range nodes {
			p[i] = Parameter(trial, "", shapes.Make(n.DType(), n.Shape().Dimensions[drop:]...))
		}
		return p
	}
	_, now := step(like(weights, 0), like(states, 0), like(sequences, 1))
	for _, y := range now {
		results = append(results, shapes.Make(y.DType(), y.Shape().Dimensions...))
	}
	return results
}

// canLoop reports whether the backend supports loops. GoMLX's pure-Go backend lacks dynamic slices. (XLA supports While
// without listing it.)
func canLoop(b compute.Backend) bool {
	c := b.Capabilities()
	return c.Functions && c.Operations[compute.OpTypeDynamicSlice] && c.Operations[compute.OpTypeDynamicUpdateSlice]
}
