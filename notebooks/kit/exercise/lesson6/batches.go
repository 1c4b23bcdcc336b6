package lesson6

import (
	"math"
	"math/rand/v2"
	"slices"

	"birnn/notebooks/kit/exercise"
)

// batchSize is the size of the mini-batches of exercise 5.
const batchSize = 32

// Batches checks exercise 5: batches cuts sequences of these lengths into mini-batches of n, of which only the last may
// have fewer. Each index is there once, less than 1 % of all time steps are padding, and rng decides on the order of the
// mini-batches, which is not by length.
func Batches(batches func(rng *rand.Rand, lengths []int, n int) [][]int) error {
	return exercise.Try(func() error {
		lengths := sentences()
		epoch := func(seed uint64) (cut [][]int, err error) {
			given := slices.Clone(lengths)
			cut = batches(rand.New(rand.NewPCG(seed, seed)), given, batchSize)
			if !slices.Equal(given, lengths) {
				return nil, exercise.Faultf("lengths has changed: sort the indices, not the lengths", "lengths被改动了：要排序的是下标，不是长度")
			}
			return cut, complete(cut, len(lengths))
		}
		first, err := epoch(1)
		if err != nil {
			return err
		}
		if share := padding(first, lengths); share >= 0.01 {
			return exercise.Faultf("padding is %.1f %%: do sequences of about the same length share a mini-batch?",
				"填充占%.1f %%：长度相近的序列在同一个小批量里吗？", 100*share)
		}
		if err := unsorted(first, lengths); err != nil {
			return err
		}
		again, err := epoch(1)
		if err != nil {
			return err
		}
		second, err := epoch(2)
		switch {
		case err != nil:
			return err
		case slices.EqualFunc(first, second, slices.Equal):
			return exercise.Faultf("every epoch has the same order", "每个迭代周期的次序都一样")
		case !slices.EqualFunc(first, again, slices.Equal):
			return exercise.Faultf("with the same rng the order is another one: take all random numbers from rng",
				"同一个rng，次序却不同：随机数都要取自rng")
		}
		return nil
	})
}

// sentences returns the lengths of ten thousand sentences, as in the lesson.
func sentences() []int {
	lengths, rng := make([]int, 10_000), rand.New(rand.NewPCG(7, 7))
	for i := range lengths {
		lengths[i] = min(60, 5+int(15*rng.ExpFloat64()))
	}
	return lengths
}

// complete checks the sizes of the mini-batches, and that each of so many indices is there once.
func complete(batches [][]int, indices int) error {
	seen := make([]bool, indices)
	count := 0
	for k, batch := range batches {
		if len(batch) != max(0, min(batchSize, indices-k*batchSize)) || len(batch) == 0 {
			return exercise.Faultf("mini-batch %d has %d sequences instead of %d; only the last one may have fewer",
				"小批量%d有%d个序列而不是%d个；只有最后一个可以不满", k, len(batch), batchSize)
		}
		for _, i := range batch {
			if i < 0 || i >= indices || seen[i] {
				return exercise.Faultf("index %d is there twice, or is none", "下标%d出现了两次，或者不存在", i)
			}
			seen[i] = true
			count++
		}
	}
	if count != indices {
		return exercise.Faultf("%d of %d sequences are there", "有%d个序列，应当有%d个", count, indices)
	}
	return nil
}

// padding returns the share of padding.
func padding(batches [][]int, lengths []int) float64 {
	valid, all := 0, 0
	for _, batch := range batches {
		longest := 0
		for _, i := range batch {
			valid += lengths[i]
			longest = max(longest, lengths[i])
		}
		all += len(batch) * longest
	}
	return 1 - float64(valid)/float64(all)
}

// unsorted checks that the order of the full mini-batches looks like a random one: that both halves have about the same
// mean length, and that neighbours differ about as much as any two.
func unsorted(batches [][]int, lengths []int) error {
	var means []float64
	for _, batch := range batches {
		sum := 0
		for _, i := range batch {
			sum += lengths[i]
		}
		if len(batch) == batchSize {
			means = append(means, float64(sum)/batchSize)
		}
	}
	var trend, neighbours, pairs float64 // sums, then means
	for i, mean := range means {
		if 2*i < len(means) {
			trend += mean
		} else {
			trend -= mean
		}
		if i > 0 {
			neighbours += math.Abs(mean - means[i-1])
		}
		for _, other := range means[:i] {
			pairs += math.Abs(mean - other)
		}
	}
	n := float64(len(means))
	trend, neighbours, pairs = trend/(n/2), neighbours/(n-1), pairs/(n*(n-1)/2)
	switch {
	case neighbours > 1.3*pairs:
		return exercise.Faultf("the order is not random: short and long mini-batches take turns", "次序不是随机的：短的和长的小批量轮流出现")
	case math.Abs(trend) > 6:
		return exercise.Faultf("the order is not random: one half has the short sequences, the other the long ones",
			"次序不是随机的：一半是短的序列，另一半是长的")
	case neighbours < 0.7*pairs:
		return exercise.Faultf("the order is not random: a mini-batch is about as long as the one before it",
			"次序不是随机的：每个小批量都与前一个差不多长")
	}
	return nil
}
