package lesson10_test

import (
	"math"
	"slices"
	"testing"

	"birnn/notebooks/kit/exercise/exercisetest"
	"birnn/notebooks/kit/exercise/lesson10"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "10-when-not-to-use-one") }

// scaled returns the answer with Q multiplied by factor, as if the scores were divided by something else.
func scaled(factor float64) func(Q, K, V [][]float64, causal bool) [][]float64 {
	return func(Q, K, V [][]float64, causal bool) [][]float64 {
		larger := make([][]float64, len(Q))
		for t, row := range Q {
			for _, q := range row {
				larger[t] = append(larger[t], q*factor)
			}
		}
		return attend(larger, K, V, causal)
	}
}

// weighted returns Σ weight V for the exponentials of all scores, after change.
func weighted(change func(weights [][]float64, causal bool)) func(Q, K, V [][]float64, causal bool) [][]float64 {
	return func(Q, K, V [][]float64, causal bool) [][]float64 {
		weights := make([][]float64, len(Q))
		for t := range Q {
			weights[t] = make([]float64, len(K))
			for s := range K {
				score := 0.0
				for i := range Q[t] {
					score += Q[t][i] * K[s][i]
				}
				weights[t][s] = math.Exp(score / math.Sqrt(float64(len(Q[t]))))
			}
		}
		change(weights, causal)
		H := make([][]float64, len(Q))
		for t := range Q {
			H[t] = make([]float64, len(V[0]))
			for s := range V {
				for i := range H[t] {
					H[t][i] += weights[t][s] * V[s][i]
				}
			}
		}
		return H
	}
}

// rows divides each row by its sum.
func rows(weights [][]float64) {
	for _, row := range weights {
		sum := 0.0
		for _, w := range row {
			sum += w
		}
		for s := range row {
			row[s] /= sum
		}
	}
}

// mask sets the weights of later time steps to 0.
func mask(weights [][]float64) {
	for t, row := range weights {
		for s := t + 1; s < len(row); s++ {
			row[s] = 0
		}
	}
}

func TestAttend(t *testing.T) {
	exercisetest.Right(t, lesson10.Attend(attend))
	for answer, test := range map[string]struct {
		attend func(Q, K, V [][]float64, causal bool) [][]float64
		hint   string
	}{
		"nothing":            {func(Q, K, V [][]float64, causal bool) [][]float64 { return nil }, "must be [T][h]"},
		"the values":         {func(Q, K, V [][]float64, causal bool) [][]float64 { return V }, "positive with the sum 1"},
		"no scale":           {scaled(math.Sqrt(3)), "not divided by √d"},
		"divided by d":       {scaled(1 / math.Sqrt(3)), "its square root"},
		"exchanged":          {func(Q, K, V [][]float64, causal bool) [][]float64 { return attend(K, Q, V, causal) }, "queries and keys are exchanged"},
		"never causal":       {func(Q, K, V [][]float64, causal bool) [][]float64 { return attend(Q, K, V, false) }, "depends on later ones"},
		"no normalisation":   {weighted(func([][]float64, bool) {}), "sum 1"},
		"overflow":           {weighted(func(w [][]float64, causal bool) { ifCausal(w, causal); rows(w) }), "scores in the thousands"},
		"masked too late":    {weighted(func(w [][]float64, causal bool) { rows(w); ifCausal(w, causal) }), "still add up to 1"},
		"itself not visible": {weighted(func(w [][]float64, causal bool) { strict(w, causal); rows(w) }), "sees only itself"},
	} {
		exercisetest.Wrong(t, answer, lesson10.Attend(test.attend), test.hint)
	}
}

func ifCausal(weights [][]float64, causal bool) {
	if causal {
		mask(weights)
	}
}

// strict also hides each time step from itself, except the first from the second.
func strict(weights [][]float64, causal bool) {
	if causal {
		mask(weights)
		for t, row := range weights {
			row[t] = 0
			row[max(t-1, 0)] += 1e-9
		}
		weights[0][0], weights[0][1] = 0, 1
	}
}

func TestCombine(t *testing.T) {
	exercisetest.Right(t, lesson10.Combine(combine))
	for answer, test := range map[string]struct {
		combine func(first, second [2]float64) [2]float64
		hint    string
	}{
		"nothing":         {func(first, second [2]float64) [2]float64 { return [2]float64{} }, "multiplied by 0.5 and then by 0.25"},
		"the other order": {func(first, second [2]float64) [2]float64 { return combine(second, first) }, "is the order right"},
		"only sums": {func(first, second [2]float64) [2]float64 {
			return [2]float64{first[0] + second[0], first[1] + second[1]}
		}, "by 0.125"},
		"b added": {func(first, second [2]float64) [2]float64 {
			return [2]float64{first[0] * second[0], first[1] + second[1]}
		}, "do to the 1"},
		"the last only": {func(first, second [2]float64) [2]float64 { return [2]float64{first[0] * second[0], second[1]} }, "do to the 1"},
		"for this pair": {func(first, second [2]float64) [2]float64 { return [2]float64{0.125, 3.25} }, "15 combinations"},
	} {
		exercisetest.Wrong(t, answer, lesson10.Combine(test.combine), test.hint)
	}
}

func TestDelayed(t *testing.T) {
	exercisetest.Right(t, lesson10.Delayed(delayed))
	for answer, test := range map[string]struct {
		delayed func(tags []int, D int) []int
		hint    string
	}{
		"no delay": {func(tags []int, D int) []int { return tags }, "answered after the end"},
		"too early": {func(tags []int, D int) []int {
			return append(slices.Clone(tags), slices.Repeat([]int{-1}, D)...)
		}, "it must come 1 steps later"},
		"zeros": {func(tags []int, D int) []int { return append(make([]int, D), tags...) }, "0 is a tag"},
		"the last tags at the beginning": {func(tags []int, D int) []int {
			D %= len(tags)
			return append(slices.Clone(tags[len(tags)-D:]), tags[:len(tags)-D]...)
		}, "answered after the end"},
		"one too many": {func(tags []int, D int) []int { return append(delayed(tags, D), -1) }, "want T+D"},
		"backwards": {func(tags []int, D int) []int {
			answers := delayed(tags, D)
			slices.Reverse(answers[D:])
			return answers
		}, "want [0 2 3 0 1 2]"},
	} {
		exercisetest.Wrong(t, answer, lesson10.Delayed(test.delayed), test.hint)
	}
}
