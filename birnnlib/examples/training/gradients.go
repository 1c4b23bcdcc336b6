package training

import (
	"cmp"
	"slices"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Gradients returns the trainable variables below the scope that the loss l depends on, in the order that GoMLX's
// optimizers expect, and the gradients of l with respect to them. Clip is the largest global norm of the gradients; with 0
// they are not clipped.
//
// The norm is added up in the order of the variables' paths. GoMLX's own order is that of creation, which differs in a
// model that was loaded: the last bits of the norm would, too.
func Gradients(scope *model.Scope, l *Node, clip float64) (parameters []*model.Variable, gradients []*Node) {
	g := l.Graph()
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			parameters = append(parameters, v)
		}
	}
	if len(parameters) == 0 {
		Panicf("training.Gradients: the loss %s uses no trainable variable in the scope %s; pass the scope of the model", l.Shape(), scope.Scope())
	}
	order := make([]int, len(parameters))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(parameters[i].Path(), parameters[j].Path()) })
	values := make([]*Node, len(parameters))
	for k, i := range order {
		values[k] = parameters[i].NodeValue(g)
	}
	byPath := Gradient(l, values...)
	if clip != 0 {
		byPath = ClipByGlobalNorm(byPath, clip)
	}
	gradients = make([]*Node, len(parameters))
	for k, i := range order {
		gradients[i] = byPath[k]
	}
	return parameters, gradients
}

// ClipByGlobalNorm scales the gradients by min(1, θ/‖g‖), where ‖g‖ is the norm of all of them together and θ is positive.
func ClipByGlobalNorm(gradients []*Node, θ float64) []*Node {
	if !(θ > 0) || len(gradients) == 0 {
		Panicf("training.ClipByGlobalNorm: got %d gradients and the norm %g; pass at least one gradient and a positive norm", len(gradients), θ)
	}
	var squares *Node
	for _, g := range gradients {
		sum := L2NormSquare(g)
		if squares == nil {
			squares = sum
		} else {
			squares = Add(squares, sum)
		}
	}
	scale := MinScalar(MulScalar(Inverse(Sqrt(squares)), θ), 1) // 1 where the norm is zero: θ/0 is +∞
	clipped := make([]*Node, len(gradients))
	for i, g := range gradients {
		clipped[i] = Mul(g, scale)
	}
	return clipped
}
