package birnnlib

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// withGradient returns the outputs of f, which computes them from the inputs, with the gradient that vjp computes in place
// of the one that GoMLX would derive: vjp gets what f kept for it, and the gradient v of the loss with respect to each
// output; it returns the gradient with respect to each input, nil where there is none. The inputs are of float types;
// outputs of other types have no gradient, and their v is nil.
//
// GoMLX takes a custom gradient for a node of one input and one output only, which passes its input on. So f is cut off,
// and the gradient takes another way, along which nothing but zeros flow forward:
//
//	input → door → zero → gate → + output
//
// Backward the gate comes first: it gets the gradient of all outputs, packed, and has vjp compute those of all inputs.
// Then come the doors, one for each input, and hand them out. XLA removes all of it but the gradient itself.
func withGradient(inputs []*Node, f func() (outputs, kept []*Node), vjp func(kept, v []*Node) []*Node) []*Node {
	outputs, kept := f()
	g, dtype := outputs[0].Graph(), widest(outputs)
	with := make([]*Node, len(outputs))
	for i, y := range outputs {
		with[i] = StopGradient(y)
	}
	if len(inputs) == 0 || len(floats(outputs)) == 0 {
		return with
	}
	var d []*Node // with respect to each input: the gate leaves it to the doors
	zero := Zeros(g, shapes.Make(dtype))
	sum := zero
	for i, x := range inputs {
		door := IdentityWithCustomGradient(x, func(_, _ *Node) *Node {
			if d[i] == nil {
				return Zeros(g, x.Shape())
			}
			return IdentityWithCustomGradient(d[i], func(_, _ *Node) *Node {
				Panicf("birnnlib: a recurrence and CrossEntropy have first derivatives only; this is the gradient of a gradient of one")
				return nil
			})
		})
		never := Const(g, false) // a product with 0 would not do: x may be infinite
		sum = Add(sum, Where(never, ConvertDType(first(door), dtype), zero))
	}
	size := 0
	for _, y := range floats(outputs) {
		size += y.Shape().Size()
	}
	gate := IdentityWithCustomGradient(BroadcastToDims(sum, size), func(_, v *Node) *Node {
		d = vjp(kept, unpack(v, outputs))
		return Zeros(g, v.Shape()) // only for GoMLX to go on to the doors
	})
	for i, zeros := range unpack(gate, outputs) {
		if zeros != nil {
			with[i] = Add(with[i], zeros)
		}
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

// unpack cuts a vector into parts of the shapes of like, and nil for those that are not of a float type.
func unpack(packed *Node, like []*Node) []*Node {
	parts, start := make([]*Node, len(like)), 0
	for i, part := range like {
		if !part.DType().IsFloat() {
			continue
		}
		end := start + part.Shape().Size()
		parts[i] = Reshape(ConvertDType(Slice(packed, AxisRange(start, end)), part.DType()), part.Shape().Dimensions...)
		start = end
	}
	return parts
}
