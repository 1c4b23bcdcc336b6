package birnnlib

import (
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// A product is y = x W in a step, where W is captured and each row of y, along the first axis, comes from the same row of x.
// So one product can take the rows of all time steps at once.
type product struct{ y, x, w *Node }

// products returns the products of the computation, and the captured nodes that are used in nothing else.
func (t *traced) products() (products []product, only map[*Node]bool) {
	only = map[*Node]bool{}
	for _, c := range t.captured {
		only[c] = !slices.Contains(t.outputs, c)
	}
	t.any(func(n *Node) bool {
		inputs := n.Inputs()
		found := n.Type() == NodeTypeDotGeneral && t.dependent(inputs[0]) && slices.Contains(t.captured, inputs[1]) && rowwise(n)
		if found {
			products = append(products, product{n, inputs[0], inputs[1]})
		}
		for i, input := range inputs {
			if _, captured := only[input]; captured && !(found && i == 1) {
				only[input] = false
			}
		}
		return false
	})
	return products, only
}

// rowwise reports whether twice as many rows of the first factor make twice as many rows of the product y.
func rowwise(y *Node) bool {
	x, w := y.Inputs()[0], y.Inputs()[1]
	if x.Rank() < 2 {
		return false
	}
	var twice *Node
	if TryCatch[error](func() { twice = y.CloneWithInputs(Concatenate([]*Node{x, x}, 0), w) }) != nil {
		return false // the first axis is summed over, or shared with W
	}
	want := y.Shape().Clone()
	want.Dimensions[0] *= 2
	return y.Shape().Dim(0) == x.Shape().Dim(0) && twice.Shape().Equal(want)
}

// over returns the product for x [T, rows, …], shaped [T, rows, …].
func (p product) over(x *Node) *Node {
	y := p.y.CloneWithInputs(merged(x), p.w)
	return Reshape(y, slices.Concat(x.Shape().Dimensions[:2], y.Shape().Dimensions[1:])...)
}

// gradient returns Σ_t x_tᵀ dy_t, the gradient with respect to W, from x and dy of all time steps.
func (p product) gradient(x, dy *Node) *Node {
	return Gradient(ReduceAllSum(Mul(p.over(StopGradient(x)), StopGradient(dy))), p.w)[0]
}

// merged returns x with its first two axes as one.
func merged(x *Node) *Node {
	return Reshape(x, slices.Concat([]int{-1}, x.Shape().Dimensions[2:])...)
}
