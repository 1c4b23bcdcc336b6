package crf

import (
	"fmt"
	"math"
	"slices"
)

// Zero returns the transitions for q tags before any training, all scores 0: with them, [Transitions.Decode] takes the best
// tag of each time step by itself.
func Zero(q int) Transitions {
	t := Transitions{Start: make([]float64, q), End: make([]float64, q)}
	for range q {
		t.A = append(t.A, make([]float64, q))
	}
	return t
}

// Decode returns the tags y [T] with the largest score s(y) for the scores o [T, q] of one sequence, and that score; the
// score is -Inf if all sequences of tags are forbidden. Without time steps it returns nil and 0. It panics unless every
// time step has a score for each tag.
//
// It is the algorithm of Viterbi: best[j] is the largest score of the tags so far that end in tag j, and from[t][j] is the
// tag before it.
//
// Source: A. J. Viterbi, Error bounds for convolutional codes and an asymptotically optimum decoding algorithm, 1967.
func (tr Transitions) Decode(o [][]float32) (y []int32, score float64) {
	q := len(tr.Start)
	for t, row := range o {
		if len(row) != q {
			panic(fmt.Sprintf("crf: Decode got %d scores at time step %d; give one for each of the %d tags", len(row), t+1, q))
		}
	}
	if len(o) == 0 {
		return nil, 0
	}
	best := make([]float64, q)
	for j := range best {
		best[j] = tr.Start[j] + float64(o[0][j])
	}
	from := make([][]int32, len(o))
	for t := 1; t < len(o); t++ {
		now := slices.Repeat([]float64{math.Inf(-1)}, q)
		from[t] = make([]int32, q)
		for j := range now {
			for i, before := range best {
				if s := before + tr.A[i][j] + float64(o[t][j]); s > now[j] {
					now[j], from[t][j] = s, int32(i)
				}
			}
		}
		best = now
	}
	last := 0
	for j := range best {
		best[j] += tr.End[j]
		if best[j] > best[last] {
			last = j
		}
	}
	y = make([]int32, len(o))
	y[len(o)-1] = int32(last)
	for t := len(o) - 1; t > 0; t-- {
		y[t-1] = from[t][y[t]]
	}
	return y, best[last]
}
