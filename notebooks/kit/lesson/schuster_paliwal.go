// Package lesson holds the tasks of the lessons and their training, so that the notebooks stay short.
//
// Tasks are drawn from a random number generator, so that the seed determines them. Sequences are time-major, as
// everywhere in birnnlib.
package lesson

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Margin is how many steps at either end of a sequence no measure of the task of Schuster and Paliwal counts: there the
// window of y(t) reaches out of the sequence, or a delayed output would.
const Margin = 20

// Weight returns the weight of x(t+k) in y(t), the target of the task by which bidirectional networks were introduced:
//
//	y(t) = 1/10 Σ_{k=-10..-1} x(t+k) (1 - |k|/10) + 1/20 Σ_{k=0..19} x(t+k) (1 - k/20)
//
// It is zero outside -9..19.
//
// Source: M. Schuster and K. K. Paliwal, Bidirectional recurrent neural networks, 1997.
func Weight(k int) float64 {
	switch j := math.Abs(float64(k)); {
	case -10 <= k && k < 0:
		return (1 - j/10) / 10
	case 0 <= k && k < 20:
		return (1 - j/20) / 20
	}
	return 0
}

// SchusterPaliwal draws n sequences of T steps: x [T, n, 1], uniform on [0, 1], and their targets y [T, n] by [Weight],
// without the terms that lie outside of the sequence. In the task of classification the class is 1 where y is above 0.5.
func SchusterPaliwal(rng *rand.Rand, T, n int) (x, y *tensors.Tensor) {
	xs, ys := make([]float32, T*n), make([]float32, T*n)
	for i := range xs {
		xs[i] = rng.Float32()
	}
	for t := range T {
		for k := max(-9, -t); k <= min(19, T-1-t); k++ {
			w := float32(Weight(k))
			for b := range n {
				ys[t*n+b] += w * xs[(t+k)*n+b]
			}
		}
	}
	return tensors.FromFlatDataAndDimensions(xs, T, n, 1), tensors.FromFlatDataAndDimensions(ys, T, n)
}
