package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// withGradient returns the outputs of f for the inputs, with a gradient of their own in place of the one that GoMLX
// would derive: vjp gets what f kept for it, and the gradient v of the loss with respect to each output; it returns the
// gradient with respect to each input, nil where there is none.
//
// All inputs and outputs have the same dtype.
//
// GoMLX takes a gradient of one's own for a node of one input and one output only. So the inputs go through such a node
// packed into one vector, with room for the outputs. There a zero is added to each output, and so its gradient comes
// back, while f itself is cut off. XLA removes all of the packing.
func withGradient(inputs []*Node, f func() (outputs, kept []*Node), vjp func(kept, v []*Node) []*Node) []*Node {
	g := inputs[0].Graph()
	outputs, kept := f()
	var parts []*Node
	for _, x := range inputs {
		parts = append(parts, x)
	}
	for i, y := range outputs {
		outputs[i] = StopGradient(y)
		parts = append(parts, Zeros(g, y.Shape()))
	}
	through := IdentityWithCustomGradient(pack(parts), func(_, v *Node) *Node {
		d := vjp(kept, unpack(v, parts)[len(inputs):])
		for i, x := range inputs {
			if d[i] == nil {
				d[i] = Zeros(g, x.Shape())
			}
		}
		return pack(append(d, parts[len(inputs):]...))
	})
	with := make([]*Node, len(outputs))
	for i, zero := range unpack(through, parts)[len(inputs):] {
		with[i] = Add(outputs[i], zero)
	}
	return with
}

// pack returns the values of all parts in one vector.
func pack(parts []*Node) *Node {
	flat := make([]*Node, len(parts))
	for i, part := range parts {
		flat[i] = Reshape(part, -1)
	}
	return Concatenate(flat, 0)
}

// unpack undoes pack for parts of the shapes of like.
func unpack(packed *Node, like []*Node) []*Node {
	parts, start := make([]*Node, len(like)), 0
	for i, part := range like {
		end := start + part.Shape().Size()
		parts[i] = Reshape(Slice(packed, AxisRange(start, end)), part.Shape().Dimensions...)
		start = end
	}
	return parts
}
