package lesson1_test

import (
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/text"
)

func shapesOf(d, hf, hb, q int) map[string][]int {
	return map[string][]int{
		"W_xh^f": {d, hf},
		"W_hh^f": {hf, hf},
		"b_h^f":  {hf},
		"W_xh^b": {d, hb},
		"W_hh^b": {hb, hb},
		"b_h^b":  {hb},
		"W_hq":   {hf + hb, q},
		"b_q":    {q},
	}
}

func sees(layer int, direction string, t, s int) bool {
	if layer == 2 {
		return true
	}
	if direction == "f" {
		return s <= t
	}
	return s >= t
}

func count(d, q int, layers ...birnnlib.Sizes) int {
	n := 0
	for _, l := range layers {
		n += (d+l.Forward+1)*l.Forward + (d+l.Backward+1)*l.Backward
		d = l.Forward + l.Backward
	}
	return n + (d+1)*q
}

func goesOn(before, next text.Batch) bool {
	for i := range next.Size {
		if before.Y[(before.Steps-1)*before.Size+i] != next.X[i] {
			return false
		}
	}
	return true
}

func hide(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
	for _, row := range X {
		input = append(input, append([]int32{}, row...))
		weights = append(weights, make([]float32, len(row)))
	}
	for i := range X[0] {
		t := rng.IntN(len(X))
		input[t][i], weights[t][i] = mask, 1
	}
	return input, X, weights
}
