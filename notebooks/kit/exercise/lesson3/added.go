package lesson3

import (
	"math/rand/v2"
	"slices"

	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Added checks exercise 5: added returns H + below where the sizes are equal, without a parameter, and else
// H + below W_res, with a trainable parameter W_res that is not zero at first.
func Added(b compute.Backend, added func(scope *model.Scope, H, below *Node) *Node) error {
	const T, n, h = 4, 2, 3
	rng := rand.New(rand.NewPCG(2, 2))
	noise := func(columns int) (values []float32) {
		for range T * n * columns {
			values = append(values, float32(rng.NormFloat64()))
		}
		return values
	}
	return exercise.Try(func() error {
		for _, d := range []int{h, 5, 2} {
			H, below, params := noise(h), noise(d), model.NewStore()
			got, err := sum(b, params, added, tensors.FromFlatDataAndDimensions(H, T, n, h), tensors.FromFlatDataAndDimensions(below, T, n, d))
			if err != nil {
				return err
			}
			if !slices.Equal(got.Shape().Dimensions, []int{T, n, h}) {
				return exercise.Faultf("the result has the shape %v; H has %v", "结果的形状是%v；H是%v",
					got.Shape().Dimensions, []int{T, n, h})
			}
			W, err := residual(params, d, h)
			if err != nil {
				return err
			}
			if !near(tensors.MustCopyFlatData[float32](got), H, below, W, d, h) {
				if d == h {
					return exercise.Faultf("sizes are equal: the result should be H + below", "大小相同：结果应当是H + below")
				}
				return exercise.Faultf("from d = %d to h = %d, the result is not H + below W_res", "从d = %d到h = %d，结果不是H + below W_res", d, h)
			}
		}
		return nil
	})
}

// sum returns what added computes the second time, with the parameters that it made the first time.
func sum(b compute.Backend, params *model.Store, added func(scope *model.Scope, H, below *Node) *Node, H, below *tensors.Tensor) (got *tensors.Tensor, err error) {
	for range 2 {
		outputs, err := model.CallOnceN(b, params, func(scope *model.Scope, in []*Node) []*Node {
			return []*Node{added(scope, in[0], in[1]), ReduceAllSum(in[0]), ReduceAllSum(in[1])} // an input that the answer lacks is used
		}, H, below)
		if err != nil {
			return nil, err
		}
		got = outputs[0]
	}
	return got, nil
}

// residual returns the entries of W_res, or nil where the sizes are equal.
func residual(params *model.Store, d, h int) ([]float32, error) {
	W := params.GetVariable("/W_res")
	switch {
	case d == h && params.NumVariables() > 0:
		return nil, exercise.Faultf("sizes are equal: no parameter is needed", "大小相同：不需要参数")
	case d == h:
		return nil, nil
	case W == nil:
		return nil, exercise.Faultf("sizes differ: there is no parameter W_res", "大小不同：没有参数W_res")
	case !slices.Equal(W.Shape().Dimensions, []int{d, h}):
		return nil, exercise.Faultf("W_res is %v; from d = %d to h = %d it is [%[2]d %[3]d]", "W_res是%v；从d = %d到h = %d应当是[%[2]d %[3]d]",
			W.Shape().Dimensions, d, h)
	case !W.Trainable:
		return nil, exercise.Faultf("W_res is not trained; it is a parameter like the others", "W_res不参加训练；它应当和别的参数一样")
	}
	entries := tensors.MustCopyFlatData[float32](W.MustValue())
	if !slices.ContainsFunc(entries, func(w float32) bool { return w != 0 }) {
		return nil, exercise.Faultf("W_res starts as zeros, so nothing of what is below gets through at first", "W_res一开始全是0，下面的东西一开始过不来")
	}
	return entries, nil
}

// near compares with H + below W; a nil W stands for the identity.
func near(got, H, below, W []float32, d, h int) bool {
	for i := range got {
		row, column := i/h, i%h
		want := H[i]
		if W == nil {
			want += below[i]
		}
		for k := range len(W) / h {
			want += below[row*d+k] * W[k*h+column]
		}
		if !(max(got[i]-want, want-got[i]) < 1e-4) {
			return false
		}
	}
	return true
}
