package text

import (
	"fmt"
	"iter"
	"math/rand/v2"
)

// Batch is one mini-batch of Size sequences of Steps characters. X and Y are
// time-major and flat, [Steps, Size]: X[t*Size+b] is the index of the character
// at time step t of sequence b, Y[t*Size+b] that of the character after it.
// The slices of a batch belong to the receiver, which may keep and change them.
type Batch struct {
	Steps, Size int
	X, Y        []int32
}

// Consecutive cuts the text into batch equal rows (what does not fill a row is
// dropped) and walks along all of them at once, steps characters at a time.
// Sequence b of one batch goes on where sequence b of the batch before it
// ended, so a recurrent network can carry its state from batch to batch. It is
// the book's data_iter_consecutive: ConsecutiveBatches(len(indices), batch,
// steps) batches, the same ones each time the result is ranged over.
//
// It fails when the text is too short for one batch. The indices must not
// change while the result is in use.
func Consecutive(indices []int32, batch, steps int) (iter.Seq[Batch], error) {
	if err := checkSizes(batch, steps); err != nil {
		return nil, fmt.Errorf("consecutive sampling: %w", err)
	}
	batches := ConsecutiveBatches(len(indices), batch, steps)
	if batches == 0 {
		// One batch: a row of steps characters and the label of the last of
		// them, for each sequence.
		return nil, tooShort("consecutive", len(indices), batch, steps,
			float64(batch)*(float64(steps)+1), "batch × (steps + 1)")
	}
	row := len(indices) / batch
	return func(yield func(Batch) bool) {
		starts := make([]int, batch)
		for i := range batches {
			for b := range starts {
				starts[b] = b*row + i*steps
			}
			if !yield(cut(indices, starts, steps)) {
				return
			}
		}
	}, nil
}

// ConsecutiveBatches returns the number of batches that [Consecutive] makes of
// a text of length characters: 0 when the text is too short, or when batch or
// steps is not positive.
func ConsecutiveBatches(length, batch, steps int) int {
	if length < 1 || batch < 1 || steps < 1 {
		return 0
	}
	// A row's last character has no label within its row.
	return max(0, length/batch-1) / steps
}

// Random cuts the text into sequences of steps characters that do not overlap
// and deals them out in an order drawn from rng, batch at a time; what does not
// fill a batch is dropped. Neighbouring batches have nothing to do with each
// other, so a recurrent network starts each from its initial state. It is the
// book's data_iter_random: RandomBatches(len(indices), batch, steps) batches,
// in a new order each time the result is ranged over.
//
// It fails when the text is too short for one batch, or rng is nil. The indices
// must not change, nor another goroutine use rng, while the result is in use.
func Random(indices []int32, batch, steps int, rng *rand.Rand) (iter.Seq[Batch], error) {
	if err := checkSizes(batch, steps); err != nil {
		return nil, fmt.Errorf("random sampling: %w", err)
	}
	if rng == nil {
		return nil, fmt.Errorf("random sampling: the random source is nil: pass one, such as rand.New(rand.NewPCG(seed, 0))")
	}
	if RandomBatches(len(indices), batch, steps) == 0 {
		// One batch: its sequences end to end, and the label of the last
		// character.
		return nil, tooShort("random", len(indices), batch, steps,
			float64(batch)*float64(steps)+1, "batch × steps + 1")
	}
	examples := (len(indices) - 1) / steps
	return func(yield func(Batch) bool) {
		deal(indices, batch, steps, rng.Perm(examples))(yield)
	}, nil
}

// RandomBatches returns the number of batches that [Random] makes of a text of
// length characters: 0 when the text is too short, or when batch or steps is
// not positive.
func RandomBatches(length, batch, steps int) int {
	if length < 1 || batch < 1 || steps < 1 {
		return 0
	}
	// The text's last character has no label.
	return (length - 1) / steps / batch
}

// deal yields the examples in the given order, batch at a time. Example i
// starts at character i*steps.
func deal(indices []int32, batch, steps int, order []int) iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		starts := make([]int, batch)
		for ; len(order) >= batch; order = order[batch:] {
			for b, example := range order[:batch] {
				starts[b] = example * steps
			}
			if !yield(cut(indices, starts, steps)) {
				return
			}
		}
	}
}

// cut returns the batch whose sequence b is the steps characters from starts[b].
func cut(indices []int32, starts []int, steps int) Batch {
	size := len(starts)
	batch := Batch{Steps: steps, Size: size, X: make([]int32, steps*size), Y: make([]int32, steps*size)}
	for b, start := range starts {
		for t := range steps {
			batch.X[t*size+b] = indices[start+t]
			batch.Y[t*size+b] = indices[start+t+1]
		}
	}
	return batch
}

func checkSizes(batch, steps int) error {
	if batch < 1 {
		return fmt.Errorf("the batch size is %d: it must be at least 1", batch)
	}
	if steps < 1 {
		return fmt.Errorf("the number of steps is %d: it must be at least 1", steps)
	}
	return nil
}

// tooShort reports a text that is too short for one batch. The need comes as a
// float64, which absurd sizes do not overflow.
func tooShort(sampling string, length, batch, steps int, need float64, formula string) error {
	return fmt.Errorf("%s sampling: the text has %d characters, but one batch of %d sequences of %d steps needs %.0f (%s): use a smaller batch, fewer steps or a longer text",
		sampling, length, batch, steps, need, formula)
}
