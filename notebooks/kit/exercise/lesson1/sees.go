package lesson1

import (
	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// Sees checks exercise 2: sees agrees with the gradients of the states of a network with two hidden layers, for either
// direction and all pairs of time steps.
func Sees(b compute.Backend, sees func(layer int, direction string, t, s int) bool) error {
	const T = 5
	states, err := influences(b, T)
	if err != nil {
		return err
	}
	return exercise.Try(func() error {
		for k, gradients := range states {
			layer, direction := k/2+1, []string{"f", "b"}[k%2]
			for i, g := range gradients {
				s, t := i/T+1, i%T+1
				if (g != 0) != sees(layer, direction, t, s) {
					return unseen(layer, direction, t, s, g)
				}
			}
		}
		return nil
	})
}

// unseen says where the answer and the gradient differ.
func unseen(layer int, direction string, t, s int, gradient float32) error {
	if layer == 1 {
		return exercise.Faultf("layer 1, direction %s, t=%d, s=%d: the gradient is %.1g; in which order does this direction walk?",
			"第1层，方向%s，t=%d，s=%d：梯度是%.1g；这个方向按什么次序走？", direction, t, s, gradient)
	}
	return exercise.Faultf("layer 2, direction %s, t=%d, s=%d: the gradient is %.1g; what is in the input of this layer already?",
		"第2层，方向%s，t=%d，s=%d：梯度是%.1g；这一层的输入里已经有了什么？", direction, t, s, gradient)
}

// influences returns for the states of layer 1, forward and backward, then of layer 2, their gradients with respect to
// X_s at time step t, at s*T+t.
func influences(b compute.Backend, T int) (states [][]float32, err error) {
	X, ones := make([]float32, T*T), make([]float32, T*T) // T equal sequences; in sequence t, only step t counts
	for t := range T {
		ones[t*T+t] = 1
		for s := range T {
			X[s*T+t] = float32(s) / float32(T)
		}
	}
	gradients, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, X, ones *Node) (gradients []*Node) {
		for layers := 1; layers <= 2; layers++ {
			sizes := []birnnlib.Sizes{{Forward: 8, Backward: 8}, {Forward: 8, Backward: 8}}[:layers]
			hf, hb, _ := birnnlib.New(scope.In("%d", layers), X, sizes...).Activation(activation.TypeSigmoid).
				Initializer(birnnlib.TorchUniform().Seed(1)).DoneApart()
			for _, h := range []*Node{hf, hb} {
				gradients = append(gradients, Gradient(ReduceAllSum(Mul(h, ones)), X)[0])
			}
		}
		return gradients
	}, tensors.FromFlatDataAndDimensions(X, T, T, 1), tensors.FromFlatDataAndDimensions(ones, T, T, 1))
	if err != nil {
		return nil, err
	}
	for _, gradient := range gradients {
		states = append(states, tensors.MustCopyFlatData[float32](gradient))
	}
	return states, nil
}
