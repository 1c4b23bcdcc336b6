package lesson2

import (
	"math"
	"math/rand/v2"

	"birnn/notebooks/kit/exercise"
	"birnn/notebooks/kit/lesson"
)

// BestGuess checks exercise 2: bestGuess returns Σ w_k x(t+k), with 1/2 for each x(t+k) that is not seen: nothing missing,
// then what the networks of the lesson do not see, then any other gaps.
func BestGuess(bestGuess func(x []float64) float64) error {
	rng := rand.New(rand.NewPCG(6, 6))
	for _, r := range []struct {
		english, chinese string
		sees             func(k int) bool
	}{
		{"both directions", "双向", func(k int) bool { return true }},
		{"forward", "正向", func(k int) bool { return k <= 0 }},
		{"delay 5", "延迟5步", func(k int) bool { return k <= 5 }},
		{"backward", "反向", func(k int) bool { return k >= 0 }},
		{"with gaps", "有空缺", func(k int) bool { return rng.IntN(2) == 0 }},
	} {
		if err := exercise.Try(func() error { return guesses(bestGuess, rng, r.english, r.chinese, r.sees) }); err != nil {
			return err
		}
	}
	return nil
}

// guesses compares the guess with the best one in windows of which only a part is seen.
func guesses(bestGuess func(x []float64) float64, rng *rand.Rand, english, chinese string, sees func(k int) bool) error {
	const windows = 2000
	bias, worst, all := 0.0, 0.0, true
	for range windows {
		x, best := make([]float64, newest-oldest+1), 0.0
		for i := range x {
			if x[i] = rng.Float64(); sees(i + oldest) {
				best += lesson.Weight(i+oldest) * x[i]
			} else {
				best += lesson.Weight(i+oldest) / 2
				x[i], all = math.NaN(), false
			}
		}
		guess := bestGuess(x)
		if math.IsNaN(guess) {
			return exercise.Faultf("%[1]s: the guess is NaN: a number that is not seen was used", "%[2]s：猜测是NaN：用了看不到的数", english, chinese)
		}
		bias, worst = bias+(guess-best)/windows, max(worst, math.Abs(guess-best))
	}
	switch {
	case worst < 1e-9:
		return nil
	case all:
		return exercise.Faultf("%[1]s, all is seen, and the guess is off by up to %.3[3]f: are the weights right?",
			"%[2]s，什么都看得到，猜测却偏了，最多偏%.3[3]f：权重对吗？", english, chinese, worst)
	case math.Abs(bias) > 0.001:
		return exercise.Faultf("%[1]s: on average the guesses are off by %+.3[3]f; what is the mean of what is not seen?",
			"%[2]s：猜测平均偏了%+.3[3]f；看不到的部分均值是多少？", english, chinese, bias)
	}
	return exercise.Faultf("%[1]s: on average the guesses are right, but one is off by %.3[3]f; is all that is seen used, and always the same mean for the rest?",
		"%[2]s：猜测平均是对的，但是有的偏了%.3[3]f；看到的都用上了吗？其余的总是用同一个均值吗？", english, chinese, worst)
}
