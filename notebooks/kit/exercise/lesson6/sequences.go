package lesson6

import (
	"math"
	"slices"

	"birnn/notebooks/kit/exercise"
)

// Reversed checks exercise 3: reversed returns a copy of the sequence with its first length steps in reverse order, and
// the rest as it was.
func Reversed(reversed func(sequence []float32, length int) []float32) error {
	return exercise.Try(func() error {
		for _, length := range []int{4, 3, 6, 1, 0} {
			if err := reversedAt(length, reversed); err != nil {
				return err
			}
		}
		return nil
	})
}

func reversedAt(length int, reversed func(sequence []float32, length int) []float32) error {
	const padding = 0.1 // after a recurrence, padding holds anything
	sequence := []float32{0.3, -0.8, 0.5, 0.9, -0.2, 0.7}
	for t := length; t < len(sequence); t++ {
		sequence[t] = padding
	}
	given := slices.Clone(sequence)
	turned := reversed(sequence, length)
	switch {
	case !slices.Equal(sequence, given):
		return exercise.Faultf("the sequence that was given has changed; work on a copy", "给的序列被改动了；请在副本上做")
	case len(turned) != len(given):
		return exercise.Faultf("%d steps have become %d", "%d步变成了%d步", len(given), len(turned))
	case length > 1 && slices.Equal(turned, given):
		return exercise.Faultf("nothing is reversed", "什么也没有颠倒")
	case length > 0 && turned[0] == padding:
		return exercise.Faultf("%v: the padding has come to the front, where it is read first",
			"%v：填充到了前面，会被首先读到", turned)
	}
	for t, got := range turned {
		want := given[t]
		if t < length {
			want = given[length-1-t]
		}
		if got != want {
			return exercise.Faultf("of %v the first %d steps are reversed: step %d is %g, it should be %g",
				"把%v的前%d步颠倒：第%d步是%g，应当是%g", given, length, t, got, want)
		}
	}
	return nil
}

// Pooled checks exercise 4: pooled returns the mean of h[t][i] over the valid time steps of each sequence, and 0 for a
// sequence of length 0.
func Pooled(pooled func(h [][][]float32, lengths []int32) [][]float32) error {
	h := [][][]float32{
		{{1, 2}, {5, 5}, {9, 9}},
		{{3, 6}, {7, 1}, {9, 9}},
		{{100, 100}, {3, 3}, {9, 9}},
		{{100, 100}, {100, 100}, {9, 9}},
	}
	lengths, want := []int32{2, 3, 0}, [][]float32{{2, 4}, {5, 3}, {0, 0}}
	return exercise.Try(func() error {
		got := pooled(h, lengths)
		if len(got) != len(want) {
			return exercise.Faultf("there are %d means for %d sequences", "%d个平均，%d个序列", len(got), len(want))
		}
		for i, length := range lengths {
			if len(got[i]) != len(want[i]) {
				return exercise.Faultf("the mean of sequence %d has %d entries", "序列%d的平均有%d个元素", i, len(got[i]))
			}
			for k := range want[i] {
				if near(got[i][k], want[i][k]) {
					continue
				}
				english, chinese := "is it divided by the length?", "除以的是长度吗？"
				switch {
				case got[i][k] > 10:
					english, chinese = "there is padding in it", "里面有填充"
				case length == 0 || math.IsNaN(float64(got[i][k])):
					english, chinese = "a mean of nothing is 0 here", "空的平均在这里是0"
				}
				return exercise.Faultf("a sequence of length %d: %v, it should be %v; "+english,
					"长度为%d的序列：%v，应当是%v；"+chinese, length, got[i], want[i])
			}
		}
		return nil
	})
}
