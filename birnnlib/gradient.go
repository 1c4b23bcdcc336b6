package birnnlib

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// withGradient returns the outputs of f, which computes them from the inputs, with vjp in place of the gradient that
// GoMLX would derive: vjp gets what f kept for it and the gradient v of the loss with respect to each output; it returns
// the gradient with respect to each input, nil for zero. The inputs are of float types. Outputs of other types have no
// gradient, and their v is nil.
//
// GoMLX takes a custom gradient only for a node of one input and one output that passes its input on. So f is cut off,
// and the gradient takes another way, along which nothing but zeros flow forward:
//
//	input → door → zero → + output → gate
//
// Backward the gates come first, one for each output, and keep its v. Then come the doors, one for each input: the first
// has vjp compute the gradients of all inputs, and each hands out its own. XLA removes all of it but the gradient itself;
// on a backend that runs node by node it costs two walks over each output.
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
	v := make([]*Node, len(outputs)) // with respect to each output, nil for zero
	var d []*Node                    // with respect to each input; nil until the first door
	backward := func() []*Node {
		for i, y := range outputs {
			if v[i] == nil && y.DType().IsFloat() {
				v[i] = Zeros(g, y.Shape())
			}
		}
		return vjp(kept, v)
	}
	sum := Zeros(g, shapes.Make(dtype))
	for i, x := range inputs {
		door := IdentityWithCustomGradient(x, func(_, _ *Node) *Node {
			if d == nil {
				d = backward()
			}
			if d[i] == nil {
				return Zeros(g, x.Shape())
			}
			return IdentityWithCustomGradient(d[i], func(_, _ *Node) *Node {
				Panicf("birnnlib: recurrences and CrossEntropy have first derivatives only, and this is the gradient of such a gradient")
				return nil
			})
		})
		never := Const(g, false) // a product with 0 would not do: x may be infinite
		sum = Add(sum, Where(never, ConvertDType(first(door), dtype), Zeros(g, shapes.Make(dtype))))
	}
	for i, y := range outputs {
		if !y.DType().IsFloat() {
			continue
		}
		zeros := BroadcastToDims(ConvertDType(sum, y.DType()), y.Shape().Dimensions...)
		with[i] = IdentityWithCustomGradient(Add(with[i], zeros), func(_, adjoint *Node) *Node {
			if d != nil { // from an earlier call of Gradient
				d = nil
				clear(v)
			}
			v[i] = adjoint
			return Zeros(g, y.Shape()) // only for GoMLX to go on to the doors
		})
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
