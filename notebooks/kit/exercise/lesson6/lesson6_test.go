package lesson6

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"birnn/internal/backendtest"
	"birnn/notebooks/kit/exercise/exercisetest"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "06-different-lengths") }

func TestMask(t *testing.T) {
	exercisetest.Right(t, Mask(maskOf))
	by := func(valid func(t, i int, lengths []int32) bool) func([]int32, int) [][]bool {
		return func(lengths []int32, T int) [][]bool {
			mask := make([][]bool, T)
			for t := range mask {
				for i := range lengths {
					mask[t] = append(mask[t], valid(t, i, lengths))
				}
			}
			return mask
		}
	}
	for _, wrong := range []struct {
		answer string
		maskOf func(lengths []int32, T int) [][]bool
		hint   string
	}{
		{"nothing yet", func([]int32, int) [][]bool { return nil }, "has 0 rows"},
		{"a row for each sequence", func(lengths []int32, T int) (mask [][]bool) {
			for _, length := range lengths {
				row := make([]bool, T)
				for t := range int(length) {
					row[t] = true
				}
				mask = append(mask, row)
			}
			return mask
		}, "has 4 rows; it is [T, n]"},
		{"as many rows as the longest sequence has steps", func(lengths []int32, _ int) [][]bool {
			return maskOf(lengths, int(slices.Max(lengths)))
		}, "has 5 rows"},
		{"empty rows", func(_ []int32, T int) [][]bool { return make([][]bool, T) }, "row 0 has 0 entries"},
		{"a step too many", by(func(t, i int, lengths []int32) bool { return t <= int(lengths[i]) }), "counted from 0"},
		{"a step too few", by(func(t, i int, lengths []int32) bool { return t+1 < int(lengths[i]) }), "counted from 0"},
		{"padding for valid", by(func(t, i int, lengths []int32) bool { return t >= int(lengths[i]) }), "counted from 0"},
		{"padding in front", by(func(t, i int, lengths []int32) bool { return t >= 6-int(lengths[i]) }), "counted from 0"},
		{"rows never made", func(lengths []int32, T int) [][]bool {
			mask := make([][]bool, T)
			mask[0][0] = true
			return mask
		}, "index out of range"},
	} {
		exercisetest.Wrong(t, wrong.answer, Mask(wrong.maskOf), wrong.hint)
	}
}

func TestLastStates(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, LastStates(b, lastStates))
	from := func(at func(h [][][]float32, length, k, hf int) int) func([][][]float32, []int32, int) [][]float32 {
		return func(h [][][]float32, lengths []int32, hf int) [][]float32 {
			last := make([][]float32, len(lengths))
			for i, length := range lengths {
				for k := range h[0][i] {
					last[i] = append(last[i], h[at(h, int(length), k, hf)][i][k])
				}
			}
			return last
		}
	}
	for _, wrong := range []struct {
		answer     string
		lastStates func(h [][][]float32, lengths []int32, hf int) [][]float32
		hint       string
	}{
		{"nothing yet", func([][][]float32, []int32, int) [][]float32 { return nil }, "0 states for 6 sequences"},
		{"h[T-1]", from(func(h [][][]float32, _, _, _ int) int { return len(h) - 1 }), "forward: where does it end"},
		{"h[length-1]", from(func(_ [][][]float32, length, _, _ int) int { return length - 1 }), "backward: where does it end"},
		{"h[0]", from(func(_ [][][]float32, _, _, _ int) int { return 0 }), "forward: where does it end"},
		{"the halves exchanged", from(func(_ [][][]float32, length, k, hf int) int {
			if k < hf {
				return 0
			}
			return length - 1
		}), "forward: where does it end"},
		{"one step early", from(func(_ [][][]float32, length, k, hf int) int {
			if k < hf {
				return max(0, length-2)
			}
			return 0
		}), "forward: where does it end"},
		{"one step late", from(func(h [][][]float32, length, k, hf int) int {
			if k < hf {
				return min(length, len(h)-1)
			}
			return 0
		}), "forward: where does it end"},
		{"the forward half alone", func(h [][][]float32, lengths []int32, hf int) [][]float32 {
			last := lastStates(h, lengths, hf)
			for i := range last {
				last[i] = last[i][:hf]
			}
			return last
		}, "3 entries instead of 5"},
		{"not a number", func(_ [][][]float32, lengths []int32, _ int) [][]float32 {
			return slices.Repeat([][]float32{slices.Repeat([]float32{float32(math.NaN())}, 5)}, len(lengths))
		}, "forward"},
		{"beyond the end", from(func(h [][][]float32, _, _, _ int) int { return len(h) }), "index out of range [20]"},
	} {
		exercisetest.Wrong(t, wrong.answer, LastStates(b, wrong.lastStates), wrong.hint)
	}
}

func TestReversed(t *testing.T) {
	exercisetest.Right(t, Reversed(reversed))
	for _, wrong := range []struct {
		answer   string
		reversed func(sequence []float32, length int) []float32
		hint     string
	}{
		{"nothing yet", func(sequence []float32, _ int) []float32 { return sequence }, "nothing is reversed"},
		{"padding reversed, too", func(sequence []float32, _ int) []float32 { return reversed(sequence, len(sequence)) }, "come to the front"},
		{"in place", func(sequence []float32, length int) []float32 {
			slices.Reverse(sequence[:length])
			return sequence
		}, "work on a copy"},
		{"without the padding", func(sequence []float32, length int) []float32 { return reversed(sequence, length)[:length] }, "6 steps have become 4"},
		{"other padding", func(sequence []float32, length int) []float32 {
			return append(reversed(sequence, length)[:length], make([]float32, len(sequence)-length)...)
		}, "step 4 is 0"},
		{"one step too few", func(sequence []float32, length int) []float32 { return reversed(sequence, max(0, length-1)) }, "step 0 is 0.5, it should be 0.9"},
		{"one step too many", func(sequence []float32, length int) []float32 {
			return reversed(sequence, min(length+1, len(sequence)))
		}, "come to the front"},
		{"the middle of three lost", func(sequence []float32, length int) []float32 {
			turned := make([]float32, len(sequence))
			copy(turned[length:], sequence[length:])
			for t := range length / 2 {
				turned[t], turned[length-1-t] = sequence[length-1-t], sequence[t]
			}
			return turned
		}, "step 1 is 0, it should be -0.8"},
		{"beyond the end", func(sequence []float32, length int) []float32 {
			turned := slices.Clone(sequence)
			for t := range length {
				turned[t] = sequence[len(sequence)-t]
			}
			return turned
		}, "index out of range"},
	} {
		exercisetest.Wrong(t, wrong.answer, Reversed(wrong.reversed), wrong.hint)
	}
}

func TestPooled(t *testing.T) {
	exercisetest.Right(t, Pooled(pooled))
	dividedBy := func(all bool, by func(T, n, length int) int) func([][][]float32, []int32) [][]float32 {
		return func(h [][][]float32, lengths []int32) [][]float32 {
			means := make([][]float32, len(lengths))
			for i, length := range lengths {
				means[i] = make([]float32, len(h[0][i]))
				for t := range h {
					for k, v := range h[t][i] {
						if all || t < int(length) {
							means[i][k] += v
						}
					}
				}
				for k := range means[i] {
					means[i][k] /= float32(by(len(h), len(lengths), int(length)))
				}
			}
			return means
		}
	}
	for _, wrong := range []struct {
		answer string
		pooled func(h [][][]float32, lengths []int32) [][]float32
		hint   string
	}{
		{"nothing yet", func([][][]float32, []int32) [][]float32 { return nil }, "0 means for 3 sequences"},
		{"all steps", dividedBy(true, func(T, _, _ int) int { return T }), "there is padding in it"},
		{"all steps, by the length", dividedBy(true, func(_, _, length int) int { return max(1, length) }), "there is padding in it"},
		{"divided by T", dividedBy(false, func(T, _, _ int) int { return T }), "divided by the length"},
		{"divided by n", dividedBy(false, func(_, n, _ int) int { return n }), "divided by the length"},
		{"the sum", dividedBy(false, func(_, _, _ int) int { return 1 }), "divided by the length"},
		{"0/0", dividedBy(false, func(_, _, length int) int { return length }), "a mean of nothing is 0"},
		{"a mean for each step", func(h [][][]float32, _ []int32) [][]float32 { return make([][]float32, len(h)) }, "4 means for 3 sequences"},
		{"empty means", func(_ [][][]float32, lengths []int32) [][]float32 { return make([][]float32, len(lengths)) }, "sequence 0 has 0 entries"},
		{"added to the first step", func(h [][][]float32, lengths []int32) (means [][]float32) {
			for i, length := range lengths {
				mean := slices.Clone(h[0][i])
				for t := 1; t < int(length); t++ {
					for k, v := range h[t][i] {
						mean[k] += v
					}
				}
				for k := range mean {
					mean[k] /= float32(max(1, length))
				}
				means = append(means, mean)
			}
			return means
		}, "a mean of nothing is 0"},
	} {
		exercisetest.Wrong(t, wrong.answer, Pooled(wrong.pooled), wrong.hint)
	}
}

func TestBatches(t *testing.T) {
	exercisetest.Right(t, Batches(batches))
	sorted := func(lengths []int) []int {
		order := rand.New(rand.NewPCG(1, 1)).Perm(len(lengths))
		slices.SortStableFunc(order, func(a, b int) int { return lengths[a] - lengths[b] })
		return order
	}
	chunks := func(order []int, n int) [][]int { return slices.Collect(slices.Chunk(order, n)) }
	// inOrder is the solution with another order of the full mini-batches: of the one at place k, the place it had.
	inOrder := func(place func(rng *rand.Rand, full, k int) int) func(*rand.Rand, []int, int) [][]int {
		return func(rng *rand.Rand, lengths []int, n int) [][]int {
			cut := chunks(sorted(lengths), n)
			full := len(lengths) / n
			moved := slices.Clone(cut)
			for k := range full {
				moved[k] = cut[place(rng, full, k)]
			}
			return moved
		}
	}
	for _, wrong := range []struct {
		answer  string
		batches func(rng *rand.Rand, lengths []int, n int) [][]int
		hint    string
	}{
		{"nothing yet", func(*rand.Rand, []int, int) [][]int { return nil }, "0 of 10000 sequences"},
		{"as they come", func(_ *rand.Rand, lengths []int, n int) [][]int {
			order := make([]int, len(lengths))
			for i := range order {
				order[i] = i
			}
			return chunks(order, n)
		}, "about the same length"},
		{"at random", func(rng *rand.Rand, lengths []int, n int) [][]int { return chunks(rng.Perm(len(lengths)), n) }, "about the same length"},
		{"the lengths sorted, not the indices", func(rng *rand.Rand, lengths []int, n int) [][]int {
			slices.Sort(lengths)
			order := make([]int, len(lengths))
			for i := range order {
				order[i] = i
			}
			cut := chunks(order, n)
			rng.Shuffle(len(lengths)/n, func(i, j int) { cut[i], cut[j] = cut[j], cut[i] })
			return cut
		}, "sort the indices"},
		{"lengths for indices", func(_ *rand.Rand, lengths []int, n int) [][]int {
			return chunks(slices.Sorted(slices.Values(lengths)), n)
		}, "there twice"},
		{"from short to long", inOrder(func(_ *rand.Rand, _, k int) int { return k }), "one half has the short sequences"},
		{"from long to short", inOrder(func(_ *rand.Rand, full, k int) int { return full - 1 - k }), "one half has the short sequences"},
		{"from short to long and back", inOrder(func(_ *rand.Rand, full, k int) int { return min(2*k, 2*(full-k)-1) }), "about as long as the one before"},
		{"short and long in turn", inOrder(func(_ *rand.Rand, full, k int) int {
			if k%2 == 0 {
				return k / 2
			}
			return full - 1 - k/2
		}), "take turns"},
		{"the same in every epoch", inOrder(func() func(*rand.Rand, int, int) int {
			places := rand.New(rand.NewPCG(3, 3)).Perm(len(sentences()) / batchSize)
			return func(_ *rand.Rand, _, k int) int { return places[k] }
		}()), "every epoch has the same order"},
		{"without rng", func(_ *rand.Rand, lengths []int, n int) [][]int {
			return batches(rand.New(rand.NewPCG(rand.Uint64(), 0)), lengths, n)
		}, "from rng"},
		{"the last one shuffled, too", func(rng *rand.Rand, lengths []int, n int) [][]int {
			cut := batches(rng, lengths, n)
			cut[0], cut[len(cut)-1] = cut[len(cut)-1], cut[0]
			return cut
		}, "mini-batch 0 has 16 sequences instead of 32"},
		{"the last one dropped", func(rng *rand.Rand, lengths []int, n int) [][]int {
			return batches(rng, lengths, n)[:len(lengths)/n]
		}, "9984 of 10000"},
		{"the last one in two", func(rng *rand.Rand, lengths []int, n int) [][]int {
			cut := batches(rng, lengths, n)
			last := cut[len(cut)-1]
			return append(cut[:len(cut)-1], last[:8], last[8:])
		}, "only the last one may have fewer"},
		{"an empty one", func(rng *rand.Rand, lengths []int, n int) [][]int { return append(batches(rng, lengths, n), nil) }, "has 0 sequences"},
	} {
		exercisetest.Wrong(t, wrong.answer, Batches(wrong.batches), wrong.hint)
	}
}

// TestRandom checks that an order by chance is never taken for one by length.
func TestRandom(t *testing.T) {
	lengths := sentences()
	for seed := range uint64(200) {
		if err := unsorted(batches(rand.New(rand.NewPCG(seed, 0)), lengths, batchSize), lengths); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}
