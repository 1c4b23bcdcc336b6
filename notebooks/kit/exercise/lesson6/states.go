// Package lesson6 checks the exercises of lesson 6, on sequences of different lengths.
package lesson6

import (
	"math"
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Mask checks exercise 1: maskOf returns the mask [T][n] of sequences of these lengths, true at the valid time steps.
func Mask(maskOf func(lengths []int32, T int) [][]bool) error {
	return exercise.Try(func() error {
		lengths, T := []int32{3, 0, 5, 1}, 6 // none has T steps
		mask := maskOf(lengths, T)
		if len(mask) != T {
			return exercise.Faultf("the mask has %d rows; it is [T, n], and T is %d",
				"掩码有%d行；它应当是[T, n]，T是%d", len(mask), T)
		}
		for t, row := range mask {
			if len(row) != len(lengths) {
				return exercise.Faultf("row %d has %d entries; there are %d sequences",
					"第%d行有%d个元素；序列有%d个", t, len(row), len(lengths))
			}
			for i, valid := range row {
				if valid != (t < int(lengths[i])) {
					return exercise.Faultf("a sequence of length %d: mask[%d] is %t; its valid steps are counted from 0",
						"长度为%d的序列：mask[%d]是%t；有效的时间步从0数起", lengths[i], t, valid)
				}
			}
		}
		return nil
	})
}

// LastStates checks exercise 2: lastStates picks the last state of each sequence out of the outputs h[t][i] of a
// bidirectional layer with hf forward units, at length-1 the forward half and at 0 the backward half.
func LastStates(b compute.Backend, lastStates func(h [][][]float32, lengths []int32, hf int) [][]float32) error {
	const hf, hb = 3, 2
	lengths := []int32{9, 20, 5, 1, 13, 6}
	return exercise.Try(func() error {
		h, final, err := outputs(b, lengths, hf, hb)
		if err != nil {
			return err
		}
		got := lastStates(h, lengths, hf)
		if len(got) != len(lengths) {
			return exercise.Faultf("there are %d states for %d sequences", "%d个状态，%d个序列", len(got), len(lengths))
		}
		for i, want := range final {
			if len(got[i]) != hf+hb {
				return exercise.Faultf("the state of sequence %d has %d entries instead of %d",
					"序列%d的状态有%d个元素，应当有%d个", i, len(got[i]), hf+hb)
			}
			for k := range want {
				switch {
				case near(got[i][k], want[k]):
				case k < hf:
					return exercise.Faultf("sequence %d is not right in its half forward: where does it end?",
						"序列%d的一半不对——正向：它在哪里结束？", i)
				default:
					return exercise.Faultf("sequence %d is not right in its half backward: where does it end?",
						"序列%d的一半不对——反向：它在哪里结束？", i)
				}
			}
		}
		return nil
	})
}

// outputs returns all outputs and the final states of a bidirectional GRU on random sequences of at most 20 steps.
func outputs(b compute.Backend, lengths []int32, hf, hb int) (h [][][]float32, final [][]float32, err error) {
	const T = 20
	n, rng := len(lengths), rand.New(rand.NewPCG(8, 8))
	x := make([]float32, T*n)
	for t := range T {
		for i := range n {
			if t < int(lengths[i]) {
				x[t*n+i] = rng.Float32()
			}
		}
	}
	result, err := model.CallOnceN(b, model.NewStore(), func(scope *model.Scope, in []*Node) []*Node {
		h, final := birnnlib.New(scope, in[0], birnnlib.Sizes{Forward: hf, Backward: hb}).Cell(birnnlib.GRU{}).
			Initializer(birnnlib.TorchUniform().Seed(1)).Lengths(in[1]).Done()
		return []*Node{h, final[0].Concat()}
	}, tensors.FromFlatDataAndDimensions(x, T, n, 1), lengths)
	if err != nil {
		return nil, nil, err
	}
	return result[0].Value().([][][]float32), result[1].Value().([][]float32), nil
}

// near reports whether two numbers are equal up to rounding; NaN is near nothing.
func near(a, b float32) bool { return math.Abs(float64(a-b)) <= 1e-6 }
