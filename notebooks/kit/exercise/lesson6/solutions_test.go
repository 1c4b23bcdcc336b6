package lesson6

import (
	"math/rand/v2"
	"slices"
)

// The solutions, as in the notebook.

func maskOf(lengths []int32, T int) (mask [][]bool) {
	for t := range T {
		row := make([]bool, len(lengths))
		for i, length := range lengths {
			row[i] = t < int(length)
		}
		mask = append(mask, row)
	}
	return mask
}

func lastStates(h [][][]float32, lengths []int32, hf int) (last [][]float32) {
	for i, length := range lengths {
		last = append(last, append(slices.Clone(h[length-1][i][:hf]), h[0][i][hf:]...))
	}
	return last
}

func reversed(sequence []float32, length int) []float32 {
	sequence = slices.Clone(sequence)
	slices.Reverse(sequence[:length])
	return sequence
}

func pooled(h [][][]float32, lengths []int32) (means [][]float32) {
	for i, length := range lengths {
		mean := make([]float32, len(h[0][i]))
		for t := range int(length) {
			for k, v := range h[t][i] {
				mean[k] += v / float32(length)
			}
		}
		means = append(means, mean)
	}
	return means
}

func batches(rng *rand.Rand, lengths []int, n int) (indices [][]int) {
	order := rng.Perm(len(lengths))
	slices.SortStableFunc(order, func(a, b int) int { return lengths[a] - lengths[b] })
	indices = slices.Collect(slices.Chunk(order, n))
	full := len(lengths) / n
	rng.Shuffle(full, func(i, j int) { indices[i], indices[j] = indices[j], indices[i] })
	return indices
}
