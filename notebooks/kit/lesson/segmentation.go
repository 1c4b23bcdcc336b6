package lesson

import (
	"math/rand/v2"
	"unicode/utf8"

	"birnn/birnnlib/examples/segment"

	"github.com/gomlx/gomlx/core/tensors"
)

// Rows are lines of a segmented corpus, cut between words into rows of at most T characters, for networks that read all
// rows of a mini-batch at once.
type Rows struct {
	T     int
	Lines []segment.Line // the words of each row

	characters map[rune]int32
}

// NewRows cuts the lines; of a word longer than T, which fits in no row, nothing is kept. The characters are numbered from
// 1, in the order in which they occur, if they occur twice at least; 0 is padding and every other character. Rows that are
// to be tested take the numbers of known, the rows that a network learned from; it is nil for those.
func NewRows(lines []segment.Line, T int, known *Rows) *Rows {
	r := &Rows{T: T}
	count := map[rune]int{}
	if known == nil {
		r.characters = map[rune]int32{}
	} else {
		r.characters = known.characters
	}
	for _, line := range lines {
		var row segment.Line
		length := 0
		for _, word := range line {
			n := utf8.RuneCountInString(word)
			if length+n > T {
				if length > 0 {
					r.Lines = append(r.Lines, row)
				}
				row, length = nil, 0
			}
			if n <= T {
				row, length = append(row, word), length+n
			}
			for _, c := range word {
				if count[c]++; known == nil && count[c] == 2 {
					r.characters[c] = int32(len(r.characters) + 1)
				}
			}
		}
		if length > 0 {
			r.Lines = append(r.Lines, row)
		}
	}
	return r
}

// Characters returns how many numbers there are for characters.
func (r *Rows) Characters() int { return len(r.characters) + 1 }

// Tensors returns rows as x [T+extra, n], the numbers of their characters, and y [T, n], their tags; in the padding, and in
// the extra time steps at the end, x is 0, and in the padding y is -1.
func (r *Rows) Tensors(lines []segment.Line, extra int) (x, y *tensors.Tensor) {
	n := len(lines)
	xs, ys := make([]int32, (r.T+extra)*n), make([]int32, r.T*n)
	for i := range ys {
		ys[i] = -1
	}
	for i, line := range lines {
		tags, t := segment.TagsOf(line), 0
		for _, c := range line.Text() {
			xs[t*n+i], ys[t*n+i] = r.characters[c], int32(tags[t])
			t++
		}
	}
	return tensors.FromFlatDataAndDimensions(xs, r.T+extra, n), tensors.FromFlatDataAndDimensions(ys, r.T, n)
}

// Draw returns n rows at random.
func (r *Rows) Draw(rng *rand.Rand, n int) (lines []segment.Line) {
	for range n {
		lines = append(lines, r.Lines[rng.IntN(len(r.Lines))])
	}
	return lines
}

// Score compares the words of lines with those that scores [T, n, 4] make: the sequence of tags with the largest sum of
// scores, logarithms of probabilities, among those that make words.
func Score(lines []segment.Line, scores *tensors.Tensor) (score segment.Score, err error) {
	dims := scores.Shape().Dimensions
	flat, n, tags := tensors.MustCopyFlatData[float32](scores), dims[1], dims[2]
	for i, line := range lines {
		characters := []rune(line.Text())
		rows := make([][]float32, len(characters))
		for t := range rows {
			at := (t*n + i) * tags
			rows[t] = flat[at : at+tags]
		}
		if err := score.Count(line, segment.Words(characters, segment.Decode(rows))); err != nil {
			return score, err
		}
	}
	return score, nil
}
