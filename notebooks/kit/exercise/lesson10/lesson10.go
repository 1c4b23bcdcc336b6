// Package lesson10 checks the answers to the exercises of lesson 10.
package lesson10

import (
	"math"
	"math/rand/v2"
	"slices"

	"birnn/notebooks/kit/exercise"
)

// Attend checks exercise 1: attend returns the outputs [T][h] of one head of attention for queries Q, keys K [T][d] and
// values V [T][h]; if causal, a time step sees none after it.
func Attend(attend func(Q, K, V [][]float64, causal bool) [][]float64) error {
	return exercise.Try(func() error {
		const T, d, h = 4, 3, 2
		rng := rand.New(rand.NewPCG(1, 10))
		Q, K, V := matrix(rng, T, d), matrix(rng, T, d), matrix(rng, T, h)
		for _, causal := range []bool{false, true} {
			english, chinese := "without a mask", "不用掩码时"
			if causal {
				english, chinese = "causal", "因果"
			}
			got := attend(Q, K, V, causal)
			if len(got) != T || slices.ContainsFunc(got, func(row []float64) bool { return len(row) != h }) {
				return exercise.Faultf("%[1]s: the result has %[2]d rows; it must be [T][h], here 4 rows of 2", "%[3]s：结果有%[2]d行；应当是[T][h]，这里是4行，每行2个数", english, len(got), chinese)
			}
			want := attention(Q, K, V, causal, math.Sqrt(d))
			if same(got, want) {
				continue
			}
			switch {
			case same(got, attention(Q, K, V, causal, 1)):
				return exercise.Fault{English: english + ": the scores are not divided by √d", Chinese: chinese + "：分数没有除以√d"}
			case same(got, attention(Q, K, V, causal, d)):
				return exercise.Fault{English: english + ": the scores are divided by d; divide by its square root", Chinese: chinese + "：分数除以了d；应当除以它的平方根"}
			case same(got, attention(K, Q, V, causal, math.Sqrt(d))):
				return exercise.Fault{English: english + ": queries and keys are exchanged; each row of the softmax belongs to one query", Chinese: chinese + "：查询和键对调了；softmax的每一行属于一个查询"}
			case causal && same(got, attention(Q, K, V, false, math.Sqrt(d))):
				return exercise.Faultf("causal: the first time step depends on later ones; which scores may its softmax see?", "因果：第一个时间步取决于后面的时间步；它的softmax可以看到哪些分数？")
			case causal && math.Abs(got[0][0]-V[0][0]) > 1e-9:
				return exercise.Faultf("causal: the first time step sees only itself, so its output must be its value %.3f; it is %.3f: do the weights still add up to 1?",
					"因果：第一个时间步只看得到自己，输出应当就是它的值%.3f；这里是%.3f：权重的和还是1吗？", V[0][0], got[0][0])
			}
			return exercise.Faultf("%[1]s: the first number is %.4[2]f instead of %.4[3]f; are the weights of each query, over all keys, positive with the sum 1?",
				"%[4]s：第一个数是%.4[2]f，应当是%.4[3]f；每个查询对所有键的权重，是不是正数，和为1？", english, got[0][0], want[0][0], chinese)
		}
		for _, row := range [][][]float64{Q, K} {
			for t := range row {
				for i := range row[t] {
					row[t][i] *= 100
				}
			}
		}
		if got := attend(Q, K, V, false); !same(got, attention(Q, K, V, false, math.Sqrt(d))) {
			return exercise.Faultf("with scores in the thousands the first number is %v; take the largest score off all of them before exp", "分数上千时，第一个数是%v；请在exp之前把所有分数减去其中最大的", got[0][0])
		}
		return nil
	})
}

// matrix draws rows of numbers.
func matrix(rng *rand.Rand, rows, columns int) [][]float64 {
	m := make([][]float64, rows)
	for i := range m {
		m[i] = make([]float64, columns)
		for j := range m[i] {
			m[i][j] = rng.NormFloat64()
		}
	}
	return m
}

// attention returns softmax(Q Kᵀ / scale) V.
func attention(Q, K, V [][]float64, causal bool, scale float64) (H [][]float64) {
	for t, q := range Q {
		seen := len(K)
		if causal {
			seen = t + 1
		}
		scores := make([]float64, seen)
		for s := range scores {
			for i := range q {
				scores[s] += q[i] * K[s][i] / scale
			}
		}
		largest, sum, row := slices.Max(scores), 0.0, make([]float64, len(V[0]))
		for _, score := range scores {
			sum += math.Exp(score - largest)
		}
		for s, score := range scores {
			for i := range row {
				row[i] += math.Exp(score-largest) / sum * V[s][i]
			}
		}
		H = append(H, row)
	}
	return H
}

// same reports whether two matrices are the same up to rounding; a NaN is never the same.
func same(a, b [][]float64) bool {
	return slices.EqualFunc(a, b, func(a, b []float64) bool {
		return slices.EqualFunc(a, b, func(a, b float64) bool { return math.Abs(a-b) <= 1e-9 })
	})
}

// Combine checks exercise 2: a step h ↦ a h + b of a linear recurrence is {a, b}, and combine returns the one step that
// does what first and then second do.
func Combine(combine func(first, second [2]float64) [2]float64) error {
	return exercise.Try(func() error {
		first, second := [2]float64{0.5, 1}, [2]float64{0.25, 3}
		got := combine(first, second)
		switch want := [2]float64{0.125, 3.25}; {
		case got == want:
		case got == [2]float64{0.125, 2.5}:
			return exercise.Faultf("h = 0 becomes %g by {0.5, 1} and then {0.25, 3}, and by yours %g: is the order right?", "h = 0先经过{0.5, 1}再经过{0.25, 3}变成%g，经过你的变成%g：顺序对吗？", want[1], got[1])
		case got[0] != want[0]:
			return exercise.Faultf("what was there before is multiplied by 0.5 and then by 0.25, so by 0.125; yours multiplies it by %g", "先前的状态乘以0.5，再乘以0.25，也就是乘以0.125；你的乘以%g", got[0])
		default:
			return exercise.Faultf("h = 0 becomes 1 by {0.5, 1}, and that becomes %g by {0.25, 3}; by yours 0 becomes %g: what does the second step do to the 1?", "h = 0经过{0.5, 1}变成1，再经过{0.25, 3}变成%g；经过你的，0变成%g：第二步把1变成了什么？", want[1], got[1])
		}
		rng, steps, h := rand.New(rand.NewPCG(2, 10)), make([][2]float64, 16), 0.7
		for t := range steps {
			steps[t] = [2]float64{rng.Float64(), rng.NormFloat64()}
			h = steps[t][0]*h + steps[t][1]
		}
		for len(steps) > 1 { // in four rounds, pairs at a time
			for i := range len(steps) / 2 {
				steps[i] = combine(steps[2*i], steps[2*i+1])
			}
			steps = steps[:len(steps)/2]
		}
		if all := steps[0][0]*0.7 + steps[0][1]; math.Abs(all-h) > 1e-9 {
			return exercise.Faultf("16 steps one by one lead from 0.7 to %.4f, your 15 combinations of them to %.4f", "16步逐个走，从0.7走到%.4f；用你的函数合并15次，走到%.4f", h, all)
		}
		return nil
	})
}

// Delayed checks exercise 3: delayed returns what a network with a delay of D should answer at each of its T+D time steps,
// for the tags of T characters: -1 where it should answer nothing.
func Delayed(delayed func(tags []int, D int) []int) error {
	return exercise.Try(func() error {
		tags := []int{0, 2, 3, 0, 1, 2}
		for _, D := range []int{0, 1, 2, 8} {
			want := append(slices.Repeat([]int{-1}, D), tags...)
			got := delayed(slices.Clone(tags), D)
			if slices.Equal(got, want) {
				continue
			}
			switch {
			case len(got) == len(tags) && D > 0:
				return exercise.Faultf("D=%d: there are %d answers for %d characters; the last characters are answered after the end, so there must be %d", "D=%d：%[3]d个字有%[2]d个答案；最后几个字要在末尾之后才回答，所以应当有%[4]d个", D, len(got), len(tags), len(want))
			case len(got) != len(want):
				return exercise.Faultf("D=%d: there are %d answers, want T+D = %d", "D=%d：有%d个答案，应当有T+D = %d个", D, len(got), len(want))
			case slices.Equal(got[:len(tags)], tags):
				return exercise.Faultf("D=%d: the first answer is for the first character, before any of the future was read; it must come %[1]d steps later", "D=%d：第一个答案就是第一个字的，这时还没有读过后面的字；它应当晚%[1]d步", D)
			case slices.Equal(got[D:], tags):
				return exercise.Faultf("D=%d: the first answers are %v; -1 says that there is nothing to answer yet, and 0 is a tag", "D=%d：最前面的答案是%v；-1表示还没有什么可答，而0是一个标签", D, got[:D])
			}
			return exercise.Faultf("D=%d: the answers are %v, want %v", "D=%d：答案是%v，应当是%v", D, got, want)
		}
		return nil
	})
}
