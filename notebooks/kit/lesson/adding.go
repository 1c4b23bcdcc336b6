package lesson

import (
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// AddingVariance is the variance of the target of [Adding], 2 × 1/12: the mean squared error of an answer that is always 1.
const AddingVariance = 1.0 / 6

// Adding draws n sequences of the adding problem: x [T, n, 2] has numbers, uniform on [0, 1], and with each a mark, which
// is 1 twice, once in the first half of the sequence and once in the second, and else 0. The target y [n] is the sum of
// the two marked numbers. T must be 2 at least.
//
// Source: S. Hochreiter and J. Schmidhuber, Long short-term memory, 1997, experiment 4; in this form (numbers from 0, a
// mark in either half) in M. Arjovsky, A. Shah and Y. Bengio, Unitary evolution recurrent neural networks, 2016.
func Adding(rng *rand.Rand, T, n int) (x, y *tensors.Tensor) {
	xs, ys := make([]float32, T*n*2), make([]float32, n)
	for b := range n {
		for t := range T {
			xs[(t*n+b)*2] = rng.Float32()
		}
		for _, t := range []int{rng.IntN(T / 2), T/2 + rng.IntN(T-T/2)} {
			xs[(t*n+b)*2+1] = 1
			ys[b] += xs[(t*n+b)*2]
		}
	}
	return tensors.FromFlatDataAndDimensions(xs, T, n, 2), tensors.FromFlatDataAndDimensions(ys, n)
}
