package lesson1_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/text"
	"birnn/internal/backendtest"
	"birnn/notebooks/kit/exercise/exercisetest"
	"birnn/notebooks/kit/exercise/lesson1"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "01-one-hidden-layer") }

func TestShapes(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, lesson1.Shapes(b, shapesOf))
	for _, test := range []struct {
		answer, name string
		shape        func(d, hf, hb, q int) []int
		hint         string
	}{
		{"nothing", "W_xh^f", func(d, hf, hb, q int) []int { return nil }, "W_xh^f has 0 axes"},
		{"rows and columns exchanged", "W_xh^b", func(d, hf, hb, q int) []int { return []int{hb, d} }, "exchanged"},
		{"a bias as a matrix", "b_h^f", func(d, hf, hb, q int) []int { return []int{1, hf} }, "b_h^f has 2 axes"},
		{"the other direction's size", "b_h^b", func(d, hf, hb, q int) []int { return []int{hf} }, "b_h^b has 7 entries"},
		{"a state of both directions", "W_hh^f", func(d, hf, hb, q int) []int { return []int{hf + hb, hf} }, "W_hh^f has 10 rows"},
		{"one direction in the output", "W_hq", func(d, hf, hb, q int) []int { return []int{hf, q} }, "W_hq has 7 rows"},
		{"h_f = h_b", "W_hq", func(d, hf, hb, q int) []int { return []int{2 * hf, q} }, "W_hq has 14 rows"},
		{"h_f is h_b + q", "W_hq", func(d, hf, hb, q int) []int { return []int{hf + hb, hf - hb} }, "W_hq has 4 columns"},
		{"h_b + q is h_f", "W_xh^f", func(d, hf, hb, q int) []int { return []int{d, hb + q} }, "W_xh^f has 5 columns"},
		{"d = q", "b_q", func(d, hf, hb, q int) []int { return []int{d} }, "b_q has 13 entries"},
		{"a name that no formula has", "W_hq^f", func(d, hf, hb, q int) []int { return []int{hf, q} }, `no "W_hq^f"`},
	} {
		exercisetest.Wrong(t, test.answer, lesson1.Shapes(b, func(d, hf, hb, q int) map[string][]int {
			shapes := shapesOf(d, hf, hb, q)
			shapes[test.name] = test.shape(d, hf, hb, q)
			return shapes
		}), test.hint)
	}
	exercisetest.Wrong(t, "a panic", lesson1.Shapes(b, func(d, hf, hb, q int) map[string][]int {
		return map[string][]int{"W_xh^f": make([]int, hb-hf)}
	}), "makeslice")
}

func TestSees(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, lesson1.Sees(b, sees))
	for answer, test := range map[string]struct {
		sees func(layer int, direction string, t, s int) bool
		hint string
	}{
		"nothing": {func(layer int, direction string, t, s int) bool { return false }, "in which order"},
		"all":     {func(layer int, direction string, t, s int) bool { return true }, "in which order"},
		"directions exchanged": {func(layer int, direction string, t, s int) bool {
			return layer == 2 || (direction == "b") == (s < t) || s == t
		}, "layer 1, direction f"},
		"both from front to back": {func(layer int, direction string, t, s int) bool { return layer == 2 || s <= t }, "layer 1, direction b"},
		"not the present": {func(layer int, direction string, t, s int) bool {
			return layer == 2 || direction == "f" && s < t || direction == "b" && s > t
		}, "t=1, s=1"},
		"layer 2 like layer 1": {func(layer int, direction string, t, s int) bool { return sees(1, direction, t, s) }, "what is in the input of this layer"},
	} {
		exercisetest.Wrong(t, answer, lesson1.Sees(b, test.sees), test.hint)
	}
}

func TestCount(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, lesson1.Count(b, count))
	for answer, test := range map[string]struct {
		count func(d, q int, layers ...birnnlib.Sizes) int
		hint  string
	}{
		"nothing": {func(d, q int, layers ...birnnlib.Sizes) int { return 0 }, "add up the sizes"},
		"no biases": {func(d, q int, layers ...birnnlib.Sizes) int {
			n := count(d, q, layers...) - q
			for _, l := range layers {
				n -= l.Forward + l.Backward
			}
			return n
		}, "the biases are missing"},
		"no bias of the output": {func(d, q int, layers ...birnnlib.Sizes) int { return count(d, q, layers...) - q }, "add up the sizes"},
		"two biases a direction": {func(d, q int, layers ...birnnlib.Sizes) int {
			n := count(d, q, layers...)
			for _, l := range layers {
				n += l.Forward + l.Backward
			}
			return n
		}, "add up the sizes"},
		"each layer reads d inputs": {func(d, q int, layers ...birnnlib.Sizes) int {
			n := 0
			for _, l := range layers {
				n += (d+l.Forward+1)*l.Forward + (d+l.Backward+1)*l.Backward
			}
			last := layers[len(layers)-1]
			return n + (last.Forward+last.Backward+1)*q
		}, "how many inputs has the next"},
		"a direction reads itself only": {func(d, q int, layers ...birnnlib.Sizes) int {
			f, b, n := d, d, 0
			for _, l := range layers {
				n += (f+l.Forward+1)*l.Forward + (b+l.Backward+1)*l.Backward
				f, b = l.Forward, l.Backward
			}
			return n + (f+b+1)*q
		}, "how many inputs has the next"},
		"the first layer only": {func(d, q int, layers ...birnnlib.Sizes) int { return count(d, q, layers[0]) }, "how many inputs has the next"},
		"a panic":              {func(d, q int, layers ...birnnlib.Sizes) int { return layers[len(layers)].Forward }, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson1.Count(b, test.count), test.hint)
	}
}

func TestGoesOn(t *testing.T) {
	exercisetest.Right(t, lesson1.GoesOn(goesOn))
	// ends returns the character after the end of sequence i.
	ends := func(b text.Batch, i int) int32 { return b.Y[(b.Steps-1)*b.Size+i] }
	for answer, test := range map[string]struct {
		goesOn func(before, next text.Batch) bool
		hint   string
	}{
		"never":                   {func(before, next text.Batch) bool { return false }, "all sequences go on"},
		"always":                  {func(before, next text.Batch) bool { return true }, "wrong order"},
		"the first sequence only": {func(before, next text.Batch) bool { return ends(before, 0) == next.X[0] }, "only sequence 0"},
		"the last sequence only": {func(before, next text.Batch) bool {
			return before.Y[len(before.Y)-1] == next.X[next.Size-1]
		}, "only sequence 2"},
		"any sequence": {func(before, next text.Batch) bool {
			for i := range next.Size {
				if ends(before, i) == next.X[i] {
					return true
				}
			}
			return false
		}, "only sequence 0"},
		"the last character, not the one after it": {func(before, next text.Batch) bool {
			return before.X[(before.Steps-1)*before.Size] == next.X[0]
		}, "all sequences go on"},
		"sequence after sequence": {func(before, next text.Batch) bool {
			for i := range next.Size {
				if before.Y[i*before.Steps+before.Steps-1] != next.X[i*next.Steps] {
					return false
				}
			}
			return true
		}, "all sequences go on"},
		"a panic": {func(before, next text.Batch) bool { return before.Y[before.Steps*before.Size] == next.X[0] }, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson1.GoesOn(test.goesOn), test.hint)
	}
}

func TestHide(t *testing.T) {
	exercisetest.Right(t, lesson1.Hide(hide))
	// at returns an answer that is right except for where it hides.
	at := func(place func(rng *rand.Rand, X [][]int32, i int) int) func(*rand.Rand, [][]int32, int32) ([][]int32, [][]int32, [][]float32) {
		return func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			for _, row := range X {
				input = append(input, slices.Clone(row))
				weights = append(weights, make([]float32, len(row)))
			}
			for i := range X[0] {
				t := place(rng, X, i)
				input[t][i], weights[t][i] = mask, 1
			}
			return input, X, weights
		}
	}
	for answer, test := range map[string]struct {
		hide func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32)
		hint string
	}{
		"nothing": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			return X, X, nil
		}, "12 time steps of input, 12 of labels and 0 of weights"},
		"index 0 instead of the mask": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			return hide(rng, X, 0)
		}, "not the mask, 50"},
		"in X itself": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			input, _, weights = hide(rng, X, mask)
			for t := range X {
				copy(X[t], input[t])
			}
			return X, X, weights
		}, "work on a copy"},
		"nothing hidden": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			_, labels, weights = hide(rng, X, mask)
			return X, labels, weights
		}, "not the mask"},
		"the mask as the label": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			input, _, weights = hide(rng, X, mask)
			return input, input, weights
		}, "the label is 50"},
		"the next character as the label": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			input, _, weights = hide(rng, X, mask)
			return input, append(slices.Clone(X[1:]), X[0]), weights
		}, "and the hidden character"},
		"weight 1 everywhere": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			input, labels, weights = hide(rng, X, mask)
			for _, row := range weights {
				for i := range row {
					row[i] = 1
				}
			}
			return input, labels, weights
		}, "the weight is 1, but the input is"},
		"one row of weights for all": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			input, labels, _ = hide(rng, X, mask)
			return input, labels, make([][]float32, len(X))
		}, "0 of weights; X has 4"},
		"always the same step":     {at(func(rng *rand.Rand, X [][]int32, i int) int { return len(X) / 2 }), "same places"},
		"another generator":        {at(func(rng *rand.Rand, X [][]int32, i int) int { return rand.IntN(len(X)) }), "draw from rng"},
		"never the first step":     {at(func(rng *rand.Rand, X [][]int32, i int) int { return 1 + rng.IntN(len(X)-1) }), "time step 1 of 12"},
		"chosen by the characters": {at(func(rng *rand.Rand, X [][]int32, i int) int { return largest(X, i) }), "a leak"},
		"a panic":                  {at(func(rng *rand.Rand, X [][]int32, i int) int { return len(X) }), "index out of range"},
		"one step for all": {func(rng *rand.Rand, X [][]int32, mask int32) (input, labels [][]int32, weights [][]float32) {
			t := rng.IntN(len(X))
			return at(func(*rand.Rand, [][]int32, int) int { return t })(rng, X, mask)
		}, "one for each sequence"},
	} {
		exercisetest.Wrong(t, answer, lesson1.Hide(test.hide), test.hint)
	}
}

// largest returns the time step of the largest index in sequence i.
func largest(X [][]int32, i int) (at int) {
	for t := range X {
		if X[t][i] > X[at][i] {
			at = t
		}
	}
	return at
}
