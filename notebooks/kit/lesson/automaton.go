package lesson

import (
	"math/rand/v2"

	"github.com/gomlx/gomlx/core/tensors"
)

// Automaton draws n rows of T random cells, and the cells after K steps of an elementary cellular automaton. A cell is
// 0 or 1; in one step it becomes bit 4l + 2c + r of the rule, from 0 to 255, where c is the cell itself and l and r are
// its neighbours on the left and on the right. In x [T, n, 1] the cells are -1 and 1; the labels y [T-2K, n] are 0 and
// 1. K cells at either end have no label, since their neighbours are not all there: y[t] belongs to x[t+K]. T must be
// above 2K.
//
// With rule 90 a cell becomes the exclusive or of its neighbours.
//
// Source: S. Wolfram, Statistical mechanics of cellular automata, 1983.
func Automaton(rng *rand.Rand, rule uint8, K, T, n int) (x, y *tensors.Tensor) {
	cells, xs := make([]uint8, T*n), make([]float32, T*n) // time step by time step
	for i := range cells {
		cells[i] = uint8(rng.IntN(2))
		xs[i] = 2*float32(cells[i]) - 1
	}
	for range K {
		next := make([]uint8, len(cells)-2*n)
		for i := range next {
			next[i] = rule >> (4*cells[i] + 2*cells[i+n] + cells[i+2*n]) & 1
		}
		cells = next
	}
	ys := make([]int32, len(cells))
	for i, cell := range cells {
		ys[i] = int32(cell)
	}
	return tensors.FromFlatDataAndDimensions(xs, T, n, 1), tensors.FromFlatDataAndDimensions(ys, T-2*K, n)
}
