package lesson7

import (
	"math"

	"birnn/birnnlib"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// This is the network of the lesson.

const loop, unrolled = 1, math.MaxInt

type function = func(scope *model.Scope, X *Node) []*Node

func f32(dims ...int) shapes.Shape { return shapes.Make(dtypes.Float32, dims...) }

// network returns H [T, n, h+h].
func network(h, form int) function {
	return func(scope *model.Scope, X *Node) []*Node {
		H, _ := birnnlib.New(scope, X, birnnlib.Sizes{Forward: h, Backward: h}).Activation(activation.TypeSigmoid).
			Initializer(birnnlib.TorchUniform().Seed(1)).Unroll(form).Done()
		return []*Node{H}
	}
}

// training returns H, and the gradients of a loss with respect to all parameters.
func training(h, form int) function {
	return func(scope *model.Scope, X *Node) []*Node {
		H := network(h, form)(scope, X)[0]
		var parameters []*Node
		for v := range scope.IterVariables() {
			parameters = append(parameters, v.NodeValue(X.Graph()))
		}
		return append([]*Node{H}, Gradient(ReduceAllMean(Mul(H, H)), parameters...)...)
	}
}
