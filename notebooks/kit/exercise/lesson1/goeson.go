package lesson1

import (
	"math/rand/v2"
	"slices"

	"birnn/birnnlib/examples/text"
	"birnn/notebooks/kit/exercise"
)

// GoesOn checks exercise 4: goesOn reports whether every sequence of a mini-batch goes on where the same sequence of the
// one before ended. So it is true for mini-batches of consecutive sampling in their order, and false in another order,
// for random sampling, and where only one of the sequences goes on.
func GoesOn(goesOn func(before, next text.Batch) bool) error {
	const n, T = 3, 5
	indices := make([]int32, 101)
	for i := range indices {
		indices[i] = int32(i * 7 % 101) // no character twice
	}
	ordered, err := text.Consecutive(indices, n, T)
	if err != nil {
		return err
	}
	shuffled, err := text.Random(indices, n, T, rand.New(rand.NewPCG(1, 1)))
	if err != nil {
		return err
	}
	consecutive, random := slices.Collect(ordered), slices.Collect(shuffled)
	return exercise.Try(func() error {
		for k := range len(consecutive) - 1 {
			switch a, b := consecutive[k], consecutive[k+1]; {
			case !goesOn(a, b):
				return exercise.Faultf("consecutive sampling, after mini-batch %d: all sequences go on; the first one goes on with %d, which comes after its end",
					"相邻采样，小批量%d之后：每个序列都是接着走的；第一个序列从%d接着走，这正是它后面的字符", k+1, b.X[0])
			case goesOn(b, a):
				return exercise.Faultf("mini-batches %d and %d in the wrong order: they do not go on",
					"小批量%d和%d颠倒了次序：并没有接着走", k+2, k+1)
			}
		}
		if goesOn(random[0], random[1]) {
			return exercise.Faultf("random sampling does not go on: behind the first sequence comes %d, and it starts again with %d",
				"随机采样并没有接着走：第一个序列后面的字符是%d，下一次却从%d开始", random[0].Y[(T-1)*n], random[1].X[0])
		}
		for only := range n {
			if goesOn(consecutive[0], exchanged(consecutive[1], only)) {
				return exercise.Faultf("of three sequences, only sequence %d goes on; the others would get each other's state",
					"三个序列中只有序列%d接着走；另外两个会得到对方的状态", only)
			}
		}
		return nil
	})
}

// exchanged returns a mini-batch of three sequences, of which one stays and the other two change places.
func exchanged(b text.Batch, stays int) text.Batch {
	order := []int{(stays + 1) % 3, (stays + 2) % 3} // these two change places
	changed := text.Batch{X: slices.Clone(b.X), Y: slices.Clone(b.Y), Steps: b.Steps, Size: b.Size}
	for at := 0; at < len(b.X); at += b.Size {
		i, j := at+order[0], at+order[1]
		changed.X[i], changed.X[j] = b.X[j], b.X[i]
		changed.Y[i], changed.Y[j] = b.Y[j], b.Y[i]
	}
	return changed
}
