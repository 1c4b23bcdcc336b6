package lesson3_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"birnn/birnnlib"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func sizesOf(shapes map[string][]int) (sizes []birnnlib.Sizes) {
	for l := 1; ; l++ {
		f, hasF := shapes[fmt.Sprintf("layer_%d/W_hh^f", l)]
		b, hasB := shapes[fmt.Sprintf("layer_%d/W_hh^b", l)]
		var s birnnlib.Sizes
		if hasF {
			s.Forward = f[0]
		}
		if hasB {
			s.Backward = b[0]
		}
		if !hasF && !hasB {
			return sizes
		}
		sizes = append(sizes, s)
	}
}

var (
	ofPast   = [2]float64{0.05, -0.03}
	ofFuture = [2]float64{0.05, -0.03}
)

func far() (w network, steps int) {
	return network{sizes: slices.Repeat([]birnnlib.Sizes{{Forward: 16, Backward: 16}}, 2), cell: tanh, seed: 1}, 600
}

func single(scope *model.Scope, x *Node) *Node {
	H, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 8, Backward: 8}).Cell(tanh).Merge(birnnlib.MergeProduct).Initializer(birnnlib.Glorot().Seed(1)).Done()
	return H
}

func added(scope *model.Scope, H, below *Node) *Node {
	T, n, d, h := below.Shape().Dim(0), below.Shape().Dim(1), below.Shape().Dim(2), H.Shape().Dim(2)
	if d == h {
		return Add(H, below)
	}
	W, rng := make([][]float32, d), rand.New(rand.NewPCG(1, 1))
	for i := range W {
		for range h {
			W[i] = append(W[i], float32(rng.NormFloat64()/math.Sqrt(float64(d))))
		}
	}
	projection := scope.VariableWithValue("W_res", W).NodeValue(H.Graph())
	return Add(H, Reshape(Dot(Reshape(below, T*n, d), projection).Product(), T, n, h))
}

func best() (w network, steps int) {
	return network{sizes: within(4, 3000), cell: tanh, seed: 1}, 1500
}
