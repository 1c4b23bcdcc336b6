package lesson8

import (
	"context"
	"math"

	"birnn/birnnlib/examples/infill"
	"birnn/notebooks/kit/exercise"
)

// RightAt checks exercise 3: rightAt returns how often m, which is trained, guesses the first character of a line, or the
// last, with that character hidden and no other: from 0 to 1.
func RightAt(m *infill.Model, lines []string, rightAt func(m *infill.Model, lines []string, first bool) float64) error {
	return exercise.Try(func() error {
		first, last := rightAt(m, lines, true), rightAt(m, lines, false)
		switch {
		case first == 0 && last == 0:
			return exercise.Faultf("nothing is guessed yet: write rightAt", "一个也没猜中：请写出rightAt")
		case len(m.Tagger().History()) == 0:
			return exercise.Faultf("this network has not learned anything yet: run the cell that trains the three networks",
				"这个网络还什么都没有学到：先运行训练三个网络的单元格")
		}
		wantFirst, err := guessed(m, lines, true)
		if err != nil {
			return err
		}
		wantLast, err := guessed(m, lines, false)
		if err != nil {
			return err
		}
		same := func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }
		switch {
		case same(first, wantFirst) && same(last, wantLast):
			return nil
		case same(first, wantLast) && same(last, wantFirst):
			return exercise.Faultf("%.3f of the first characters and %.3f of the last: is it the other way round?",
				"句首猜中%.3f，句尾猜中%.3f：是不是颠倒了？", first, last)
		}
		for _, p := range []float64{first, last} {
			if n := p * float64(len(lines)); !(p >= 0 && p <= 1 && same(n, math.Round(n))) {
				return exercise.Faultf("%.4g is not a part of %d lines: one character of each, divided by how many there are",
					"%.4g不是%d句里的比例：每句一个字，再除以句数", p, len(lines))
			}
		}
		if same(first, last) {
			return exercise.Faultf("%.3f at both places: does first decide which character is hidden?",
				"两处都是%.3f：遮住哪个字，是由first决定的吗？", first)
		}
		return exercise.Faultf("%.3f of the first characters and %.3f of the last, it should be %.3f and %.3f: is one character of each line hidden, and the likeliest guess compared with it?",
			"句首猜中%.3f，句尾猜中%.3f，应当是%.3f和%.3f：每句是只遮住一个字，并且拿最可能的猜测与它比较吗？", first, last, wantFirst, wantLast)
	})
}

// guessed is how often m guesses the first character of a line, or the last.
func guessed(m *infill.Model, lines []string, first bool) (float64, error) {
	right := 0
	for _, line := range lines {
		hidden := []rune(line)
		t := 0
		if !first {
			t = len(hidden) - 1
		}
		want := hidden[t]
		hidden[t] = infill.Gap
		guesses, err := m.Fill(context.Background(), 1, string(hidden))
		if err != nil {
			return 0, err
		}
		if guesses[0][0][0].Character == want {
			right++
		}
	}
	return float64(right) / float64(len(lines)), nil
}
