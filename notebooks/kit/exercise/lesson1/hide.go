package lesson1

import (
	"math/rand/v2"
	"slices"

	"birnn/notebooks/kit/exercise"
)

// A hiding is an answer to exercise 5.
type hiding func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32)

// Hide checks exercise 5: hide puts the mask in the place of one character of each sequence, drawn from rng among all time
// steps, gives that character as the label and weight 1 to that place only, leaves X as it is, and returns the same input
// whatever the hidden characters are.
func Hide(hide func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32)) error {
	const T, n, mask = 12, 4, 50
	X, rng := make([][]int32, T), rand.New(rand.NewPCG(1, 1))
	for t := range X {
		for range n {
			X[t] = append(X[t], rng.Int32N(mask))
		}
	}
	return exercise.Try(func() error {
		input, at, err := hiding(hide).call(1, X, mask)
		if err != nil {
			return err
		}
		if _, again, err := hiding(hide).call(1, X, mask); err != nil {
			return err
		} else if !slices.Equal(again, at) {
			return exercise.Faultf("two generators with the same seed give different time steps; draw from rng",
				"种子相同的两个生成器给出了不同的时间步；请用rng抽取")
		}
		other := make([][]int32, T)
		for t := range X {
			other[t] = slices.Clone(X[t])
		}
		for i, t := range at {
			other[t][i] = (X[t][i] + 1) % mask
		}
		if now, _, err := hiding(hide).call(1, other, mask); err != nil {
			return err
		} else if !slices.EqualFunc(now, input, slices.Equal) {
			return exercise.Faultf("a leak: with other characters in the hidden places, the input changes; something of them can be read in it",
				"有泄漏：遮住的地方换了字符，输入就跟着变；从输入里能读到它们")
		}
		return hiding(hide).random(X, mask)
	})
}

// random checks that the hidden places are drawn for each sequence, among all time steps.
func (hide hiding) random(X [][]int32, mask int32) error {
	const draws = 200
	T, n, together, unmoved := len(X), len(X[0]), 0, 0
	often := make([]int, T)
	var before []int
	for seed := range uint64(draws) {
		_, at, err := hide.call(seed, X, mask)
		if err != nil {
			return err
		}
		if slices.Min(at) == slices.Max(at) {
			together++
		}
		if slices.Equal(at, before) {
			unmoved++
		}
		before = at
		for _, t := range at {
			often[t]++
		}
	}
	switch never := slices.Index(often, 0); {
	case unmoved > draws/10:
		return exercise.Faultf("the hidden characters are mostly in the same places as before; draw them from rng",
			"遮住的位置大多与上一次相同；请用rng抽取")
	case together > draws/10:
		return exercise.Faultf("all sequences have their hidden character at the same time step; draw one for each sequence",
			"每个序列遮住的都是同一个时间步；请对每个序列分别抽取")
	case never >= 0:
		return exercise.Faultf("of %d characters, none was hidden at time step %d of %d; draw from all of them",
			"遮住了%d个字符，却没有一个在时间步%d（共%d步）；请从全部时间步中抽取", draws*n, never+1, T)
	}
	return nil
}

// call calls hide with a generator of this seed and checks the form of what it returns. It also returns the hidden time
// step of each sequence.
func (hide hiding) call(seed uint64, X [][]int32, mask int32) (input [][]int32, at []int, err error) {
	before := make([][]int32, len(X))
	for t := range X {
		before[t] = slices.Clone(X[t])
	}
	input, labels, weights := hide(rand.New(rand.NewPCG(seed, seed)), X, mask)
	if !slices.EqualFunc(X, before, slices.Equal) {
		for t := range X {
			copy(X[t], before[t])
		}
		return nil, nil, exercise.Faultf("X, which was given, has changed; work on a copy", "给的X被改动了；请在副本上做")
	}
	at, err = places(X, input, labels, weights, mask)
	return input, at, err
}

// places returns the hidden time step of each sequence, where the weight is 1, or what is wrong with the form of the
// answer.
func places(X, input, labels [][]int32, weights [][]float32, mask int32) ([]int, error) {
	if len(input) != len(X) || len(labels) != len(X) || len(weights) != len(X) {
		return nil, exercise.Faultf("%d time steps of input, %d of labels and %d of weights; X has %d",
			"输入有%d个时间步，标签有%d个，权重有%d个；X有%d个", len(input), len(labels), len(weights), len(X))
	}
	at := slices.Repeat([]int{-1}, len(X[0]))
	for t := range X {
		if n := len(X[t]); len(input[t]) != n || len(labels[t]) != n || len(weights[t]) != n {
			return nil, exercise.Faultf("time step %d: %d sequences of input, %d of labels and %d of weights; X has %d",
				"时间步%d：输入有%d个序列，标签有%d个，权重有%d个；X有%d个", t+1, len(input[t]), len(labels[t]), len(weights[t]), n)
		}
		for i, character := range X[t] {
			switch w := weights[t][i]; {
			case w == 0 && input[t][i] != character:
				return nil, exercise.Faultf("sequence %d, time step %d: the input is another one than in X, and the weight is 0",
					"序列%d，时间步%d：输入与X不同，权重却是0", i+1, t+1)
			case w == 1 && labels[t][i] != character:
				return nil, exercise.Faultf("sequence %d, time step %d: the label is %d, and the hidden character %d",
					"序列%d，时间步%d：标签是%d，被遮住的字符是%d", i+1, t+1, labels[t][i], character)
			case w == 1 && input[t][i] != mask:
				return nil, exercise.Faultf("sequence %d, time step %d: the weight is 1, but the input is %d and not the mask, %d, which no character has",
					"序列%d，时间步%d：权重是1，输入却是%d，不是专门用来遮住字符的%d", i+1, t+1, input[t][i], mask)
			case w == 1 && at[i] >= 0:
				return nil, exercise.Faultf("sequence %d has more than one hidden character", "序列%d遮住了不止一个字符", i+1)
			case w == 1:
				at[i] = t
			case w != 0:
				return nil, exercise.Faultf("sequence %d, time step %d: the weight is %g", "序列%d，时间步%d：权重是%g", i+1, t+1, w)
			}
		}
	}
	if i := slices.Index(at, -1); i >= 0 {
		return nil, exercise.Faultf("sequence %d has no hidden character", "序列%d没有遮住字符", i+1)
	}
	return at, nil
}
