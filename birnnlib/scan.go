package birnnlib

import (
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// stepFunction is the body of a recurrence: from weights, the states before and what belongs to time step t of each
// sequence, it computes the states after and what time step t adds to each result.
//
// It may become the body of a loop, a function of its own inside the graph. There GoMLX takes neither nodes from
// outside nor its helpers with a number in them, such as AddScalar or OneMinus, which share their constants across the
// whole graph; [constant] makes one that works. Nor can XLA reduce there; a product with ones can.
type stepFunction func(weights, before, at []*Node) (after, results []*Node)

// constant returns the number v in the dtype of x, for use inside a stepFunction.
func constant(x *Node, v float64) *Node {
	return Const(x.Graph(), shapes.CastAsDType(v, x.DType()))
}

// scan applies step to time steps 0 … T-1 of the sequences, each [T, …], or, reversed, to T-1 … 0:
//
//	states, results[t] = step(weights, states, sequences[t])
//
// and returns the last states and the results, each [T, …], in the order of time. It has no gradient.
//
// unroll is how many time steps lie in the body of the loop; with T or more there is no loop.
func scan(step stepFunction, weights, states, sequences []*Node, reversed bool, unroll int) (last, results []*Node) {
	T := sequences[0].Shape().Dim(0)
	if unroll >= T {
		return unrolled(step, weights, states, sequences, reversed)
	}
	// What does not fill a round of the loop goes after it, without a loop.
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
	g := states[0].Graph()
	T := sequences[0].Shape().Dim(0)
	// All that the loop reads or writes is passed from round to round: t, the states, the results, and what stays.
	carried := append([]*Node{Const(g, int32(0))}, states...)
	for _, shape := range resultShapes(step, weights, states, sequences) {
		shape.Dimensions = append([]int{T}, shape.Dimensions...)
		carried = append(carried, Zeros(g, shape))
	}
	firstResult, firstWeight := 1+len(states), len(carried)
	carried = append(append(carried, weights...), sequences...)
	firstSequence := firstWeight + len(weights)

	parameters := func(g *Graph) []*Node {
		p := make([]*Node, len(carried))
		for i, c := range carried {
			p[i] = Parameter(g, "", c.Shape())
		}
		return p
	}
	condition := NewClosure(g, func(g *Graph) []*Node {
		return []*Node{LessThan(parameters(g)[0], Const(g, int32(T)))}
	})
	body := NewClosure(g, func(g *Graph) []*Node {
		p := parameters(g)
		at := make([]*Node, len(sequences))
		for range unroll {
			t := p[0]
			if reversed {
				t = Sub(Const(g, int32(T-1)), t)
			}
			for k, s := range p[firstSequence:] {
				at[k] = Squeeze(DynamicSlice(s, position(t, s.Rank()), sliceAt(s)), 0)
			}
			after, now := step(p[firstWeight:firstSequence], p[1:firstResult], at)
			for k, y := range now {
				result := p[firstResult+k]
				p[firstResult+k] = DynamicUpdateSlice(result, InsertAxes(y, 0), position(t, result.Rank()))
			}
			copy(p[1:], after)
			p[0] = Add(p[0], Const(g, int32(1)))
		}
		return p
	})
	end := While(condition, body, carried...)
	return end[1:firstResult], end[firstResult:firstWeight]
}

// position returns the start of time step t in a sequence of that rank.
func position(t *Node, rank int) []*Node {
	start := []*Node{t}
	for range rank - 1 {
		start = append(start, Const(t.Graph(), int32(0)))
	}
	return start
}

// sliceAt returns the dimensions of one time step of the sequence s, [1, …].
func sliceAt(s *Node) []int {
	dims := append([]int{}, s.Shape().Dimensions...)
	dims[0] = 1
	return dims
}

// resultShapes returns the shapes of the results of one time step, by a trial in a graph that is thrown away.
func resultShapes(step stepFunction, weights, states, sequences []*Node) (results []shapes.Shape) {
	trial := NewGraph(states[0].Graph().Backend(), "trial")
	defer trial.Finalize()
	like := func(nodes []*Node, drop int) []*Node {
		p := make([]*Node, len(nodes))
		for i, n := range nodes {
			shape := n.Shape().Clone()
			shape.Dimensions = shape.Dimensions[drop:]
			p[i] = Parameter(trial, "", shape)
		}
		return p
	}
	_, now := step(like(weights, 0), like(states, 0), like(sequences, 1))
	for _, y := range now {
		results = append(results, y.Shape().Clone())
	}
	return results
}

// canLoop tells whether the backend has all that a loop needs. GoMLX's pure-Go backend has no dynamic slices. (XLA does
// not list its While, which it has.)
func canLoop(b compute.Backend) bool {
	c := b.Capabilities()
	return c.Functions && c.Operations[compute.OpTypeDynamicSlice] && c.Operations[compute.OpTypeDynamicUpdateSlice]
}
