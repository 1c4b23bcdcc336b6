package birnnlib

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// withGradient returns the outputs of f, which computes them from the inputs, with a gradient of their own in place of
// the one that GoMLX would derive: vjp gets what f kept for it, and the gradient v of the loss with respect to each
// output; it returns the gradient with respect to each input, nil where there is none. All outputs have the same dtype.
//
// GoMLX takes a gradient of one's own for a node of one input and one output only, which passes its input on. So f is
// cut off, and the gradient takes another way, along which nothing but zeros flow forward:
//
//	input → door → zero → gate → + output
//
// Backward the gate comes first: it gets the gradient of all outputs, packed, and has vjp compute those of all inputs.
// Then come the doors, one for each input, and hand them out. XLA removes all of it but the gradient itself.
func withGradient(inputs []*Node, f func() (outputs, kept []*Node), vjp func(kept, v []*Node) []*Node) []*Node {
	g := inputs[0].Graph()
	outputs, kept := f()
	var d []*Node // with respect to each input: the gate leaves it to the doors
	zero := Zeros(g, shapes.Make(outputs[0].DType()))
	sum := zero
	for i, x := range inputs {
		door := IdentityWithCustomGradient(x, func(_, _ *Node) *Node {
			if d[i] == nil {
				return Zeros(g, x.Shape())
			}
			return d[i]
		})
		never := Const(g, false) // a product with 0 would not do: x may be infinite
		sum = Add(sum, Where(never, ConvertDType(first(door), zero.DType()), zero))
	}
	size := 0
	for _, y := range outputs {
		size += y.Shape().Size()
	}
	gate := IdentityWithCustomGradient(BroadcastToDims(sum, size), func(_, v *Node) *Node {
		d = vjp(kept, unpack(v, outputs))
		return Zeros(g, v.Shape()) // only for GoMLX to go on to the doors
	})
	with := make([]*Node, len(outputs))
	for i, zeros := range unpack(gate, outputs) {
		with[i] = Add(StopGradient(outputs[i]), zeros)
	}
	return with
}

// first returns the first entry of x, a scalar.
func first(x *Node) *Node {
	axes := make([]SliceAxisSpec, x.Rank())
	for i := range axes {
		axes[i] = AxisElem(0)
	}
	if len(axes) > 0 {
		x = Slice(x, axes...)
	}
	return Reshape(x)
}

// unpack cuts a vector into parts of the shapes of like.
func unpack(packed *Node, like []*Node) []*Node {
	parts, start := make([]*Node, len(like)), 0
	for i, part := range like {
		end := start + part.Shape().Size()
		parts[i] = Reshape(Slice(packed, AxisRange(start, end)), part.Shape().Dimensions...)
		start = end
	}
	return parts
}
