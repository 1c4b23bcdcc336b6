package birnnlib

import (
	"hash/fnv"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Initializer returns the initial value of the weight matrix at the given path of its store, of shape [inputs, outputs].
type Initializer func(path string, shape shapes.Shape) *tensors.Tensor

// Normal draws every weight from N(0, σ²). The numbers depend on nothing but the seed, the path and the shape: they are
// the same on every backend and in whatever order the layers are built.
func Normal(σ float64, seed uint64) Initializer {
	return func(path string, shape shapes.Shape) *tensors.Tensor {
		key := fnv.New64a()
		_, _ = key.Write([]byte(path)) // never fails
		rng := rand.New(rand.NewPCG(seed, key.Sum64()))
		values := make([]float64, shape.Size())
		for i := range values {
			values[i] = σ * rng.NormFloat64()
		}
		return tensors.FromFlatDataAndDimensions(values, shape.Dimensions...)
	}
}

// weight returns the weight matrix called name in the scope, made by the initializer if it is not there yet.
func weight(scope *model.Scope, initial Initializer, g *Graph, name string, dtype dtypes.DType, dims ...int) *Node {
	path := model.JoinPath(scope.Scope(), name)
	scope = scope.WithInitializer(func(g *Graph, shape shapes.Shape) *Node {
		return ConvertDType(ConstTensor(g, initial(path, shape)), shape.DType)
	})
	return scope.VariableWithShape(name, shapes.Make(dtype, dims...)).NodeValue(g)
}

// bias returns the bias called name in the scope, zero if it is not there yet.
func bias(scope *model.Scope, g *Graph, name string, dtype dtypes.DType, dim int) *Node {
	scope = scope.WithInitializer(initializer.Zero)
	return scope.VariableWithShape(name, shapes.Make(dtype, dim)).NodeValue(g)
}
