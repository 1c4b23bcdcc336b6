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
// GoMLX accepts a custom gradient only on an identity of one node. So StopGradient cuts the outputs off from the inputs,
// and a second path, which adds zero forward, carries the gradient:
//
//	input → door → zero → + output → gate
//
// In the backward pass each gate stores the v of its output. Then the first door calls vjp, and each door returns the
// gradient of its input. XLA removes the second path; a backend that runs node by node pays two passes over each output.
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
