package lesson8

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/birnnlib/examples/infill"
	"birnn/birnnlib/examples/segment"
	"birnn/birnnlib/examples/tag"
	"birnn/internal/backendtest"
	"birnn/internal/testall"
	"birnn/notebooks/kit/exercise/exercisetest"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "08-what-it-is-good-for") }

func TestTags(t *testing.T) {
	exercisetest.Right(t, Tags(bmes))
	each := func(letters func(n int) string) func(words []string) string {
		return func(words []string) (all string) {
			for _, word := range words {
				all += letters(len([]rune(word)))
			}
			return all
		}
	}
	for _, wrong := range []struct {
		answer string
		bmes   func(words []string) string
		hint   string
	}{
		{"nothing yet", func([]string) string { return "" }, "0 letters for 14 characters"},
		{"bytes", func(words []string) (all string) {
			for _, word := range words {
				all += "B" + strings.Repeat("M", len(word)-2) + "E"
			}
			return all
		}, "a letter for each byte"},
		{"BE for each", each(func(int) string { return "BE" }), "18 letters for 14 characters"},
		{"no M", each(func(n int) string { return strings.Repeat("B", n-1) + "S" }), "it should be BE"},
		{"E for a single character", each(func(n int) string { return "BMMMMMMM"[:n-1] + "E" }), "it should be"},
		{"no E", each(func(n int) string {
			if n == 1 {
				return "S"
			}
			return "B" + strings.Repeat("M", n-1)
		}), "it should be BE"},
		{"no word longer than two", each(func(n int) string { return []string{"S", "BE"}[n-1] }), "index out of range"},
		{"three letters for all that are longer", each(func(n int) string { return []string{"S", "BE", "BME", "BME", "BME"}[n-1] }), "letters for 15 characters"},
		{"with spaces", func(words []string) string {
			var all []string
			for _, word := range words {
				all = append(all, bmes([]string{word}))
			}
			return strings.Join(all, " ")
		}, "letters for 14 characters"},
	} {
		exercisetest.Wrong(t, wrong.answer, Tags(wrong.bmes), wrong.hint)
	}
}

func TestF1(t *testing.T) {
	exercisetest.Right(t, F1(f1))
	counted := func(f func(right, words, found float64) float64) func(words, found []string) float64 {
		return func(words, found []string) float64 {
			var score segment.Score
			if err := score.Count(words, found); err != nil {
				t.Fatal(err)
			}
			return f(float64(score.Right), float64(score.True), float64(score.Found))
		}
	}
	f1Of := func(right float64, words, found []string) float64 { return 2 * right / float64(len(words)+len(found)) }
	for _, wrong := range []struct {
		answer string
		f1     func(words, found []string) float64
		hint   string
	}{
		{"nothing yet", func(_, _ []string) float64 { return 0 }, "it should be 1.0000"},
		{"always right", func(_, _ []string) float64 { return 1 }, "it should be"},
		{"the precision", counted(func(right, _, found float64) float64 { return right / found }), "that is the precision"},
		{"the recall", counted(func(right, words, _ float64) float64 { return right / words }), "that is the recall"},
		{"0/0", counted(func(right, words, found float64) float64 {
			P, R := right/found, right/words
			return 2 * P * R / (P + R)
		}), "if no word is right, F1 is 0"},
		{"the mean", counted(func(right, words, found float64) float64 { return (right/found + right/words) / 2 }), "harmonic mean"},
		{"words wherever they stand", func(words, found []string) float64 {
			right, isWord := 0.0, map[string]bool{}
			for _, word := range words {
				isWord[word] = true
			}
			for _, word := range found {
				if isWord[word] {
					right++
				}
			}
			return f1Of(right, words, found)
		}, "by where they stand"},
		{"words by their number", func(words, found []string) float64 {
			right := 0.0
			for i := range min(len(words), len(found)) {
				if words[i] == found[i] {
					right++
				}
			}
			return f1Of(right, words, found)
		}, "by where they stand"},
		{"where words begin", func(words, found []string) float64 {
			begins := map[int]bool{}
			for span := range spans(words) {
				begins[span[0]] = true
			}
			right := 0.0
			for span := range spans(found) {
				if begins[span[0]] {
					right++
				}
			}
			return f1Of(right, words, found)
		}, "by where they stand"},
		{"as many words found as there are", func(words, found []string) float64 {
			for i := range words {
				_ = found[i]
			}
			return f1(words, found)
		}, "index out of range [4] with length 4"},
	} {
		exercisetest.Wrong(t, wrong.answer, F1(wrong.f1), wrong.hint)
	}
}

func TestGreedy(t *testing.T) {
	exercisetest.Right(t, Greedy(greedy))
	// choosing returns the likeliest of the tags that may follow, of which opened and not opened are two.
	choosing := func(first, opened, closed []segment.Tag) func(scores [][]float32) []segment.Tag {
		return func(scores [][]float32) (tags []segment.Tag) {
			may := first
			for _, row := range scores {
				best := may[0]
				for _, k := range may {
					if row[k] > row[best] {
						best = k
					}
				}
				tags = append(tags, best)
				if may = closed; best == segment.Begin || best == segment.Middle {
					may = opened
				}
			}
			return tags
		}
	}
	const B, M, E, S = segment.Begin, segment.Middle, segment.End, segment.Single
	for _, wrong := range []struct {
		answer string
		greedy func(scores [][]float32) []segment.Tag
		hint   string
	}{
		{"nothing yet", segment.Likeliest, "the first is B or S"},
		{"the best of all sequences", segment.Decode, "allowed and likelier"},
		{"no tags", func([][]float32) []segment.Tag { return nil }, "0 tags for 1 characters"},
		{"all single", func(scores [][]float32) (tags []segment.Tag) {
			for range scores {
				tags = append(tags, S)
			}
			return tags
		}, "allowed and likelier"},
		{"anything first", choosing([]segment.Tag{B, M, E, S}, []segment.Tag{M, E}, []segment.Tag{B, S}), "the first is B or S"},
		{"S inside a word", choosing([]segment.Tag{B, S}, []segment.Tag{M, E, S}, []segment.Tag{B, S}), "S is not allowed after"},
		{"no M", choosing([]segment.Tag{B, S}, []segment.Tag{E}, []segment.Tag{B, S}), "but M is allowed and likelier"},
		{"the least likely", func(scores [][]float32) []segment.Tag {
			turned := make([][]float32, len(scores))
			for t, row := range scores {
				for _, score := range row {
					turned[t] = append(turned[t], -score)
				}
			}
			return greedy(turned)
		}, "allowed and likelier"},
		{"a word closed at the end", func(scores [][]float32) []segment.Tag {
			tags := greedy(scores)
			if last := len(tags) - 1; tags[last] == B {
				tags[last] = S
			} else if tags[last] == M {
				tags[last] = E
			}
			return tags
		}, "allowed and likelier"},
		{"a tag that does not exist", func(scores [][]float32) []segment.Tag {
			tags := greedy(scores)
			tags[0] = segment.Tags
			return tags
		}, "index out of range [4]"},
	} {
		exercisetest.Wrong(t, wrong.answer, Greedy(wrong.greedy), wrong.hint)
	}
}

// TestRightAt has lines of two characters, of which the second follows from the first, and a network that walks forward.
func TestRightAt(t *testing.T) {
	b := backendtest.Go(t)
	lines := []string{"甲东", "乙南", "丙西", "丁北", "戊上", "己下"}
	config := infill.Lesson()
	config.Hidden = []birnnlib.Sizes{{Forward: 12}}
	config.Embedding, config.Dropout, config.Epochs, config.LearningRate, config.Batch, config.Lengths = 12, 0, 100, 0.05, 24, []int{2}
	m := must(infill.New(b, lines, config))
	if err := m.Train(t.Context(), lines, tag.Callbacks{}); err != nil {
		t.Fatal(err)
	}
	exercisetest.Right(t, RightAt(m, lines, rightAt))
	type answer = func(m *infill.Model, lines []string, first bool) float64
	for _, wrong := range []struct {
		answer  string
		rightAt answer
		hint    string
	}{
		{"nothing yet", func(*infill.Model, []string, bool) float64 { return 0 }, "nothing is guessed yet"},
		{"always right", func(*infill.Model, []string, bool) float64 { return 1 }, "1.000 at both places"},
		{"a half", func(*infill.Model, []string, bool) float64 { return 0.5 }, "0.500 at both places"},
		{"no part of the lines", func(*infill.Model, []string, bool) float64 { return 0.3 }, "0.3 is not a part of 6 lines"},
		{"the number of lines", func(m *infill.Model, lines []string, first bool) float64 {
			return rightAt(m, lines, first) * float64(len(lines))
		}, "is not a part of 6 lines"},
		{"the other way round", func(m *infill.Model, lines []string, first bool) float64 { return rightAt(m, lines, !first) }, "the other way round"},
		{"always the last", func(m *infill.Model, lines []string, _ bool) float64 { return rightAt(m, lines, false) }, "at both places"},
		{"how often not", func(m *infill.Model, lines []string, first bool) float64 { return 1 - rightAt(m, lines, first) }, "it should be"},
		{"all characters", func(m *infill.Model, lines []string, _ bool) float64 {
			right, of, err := m.Test(t.Context(), lines)
			return float64(must(right, err)) / float64(of)
		}, ""},
		{"nothing hidden", func(m *infill.Model, lines []string, first bool) float64 {
			return float64(must(m.Fill(t.Context(), 1, lines[0]))[0][0][0].Character)
		}, "index out of range"},
		{"not a number", func(*infill.Model, []string, bool) float64 { return math.NaN() }, "is not a part of 6 lines"},
	} {
		exercisetest.Wrong(t, wrong.answer, RightAt(m, lines, wrong.rightAt), wrong.hint)
	}
	untrained := must(infill.New(b, lines, config))
	exercisetest.Wrong(t, "not trained", RightAt(untrained, lines, func(*infill.Model, []string, bool) float64 { return 1 }), "has not learned anything yet")
}

// corpus returns lines of words of which no two have a character in common.
func corpus(n int) (lines []segment.Line) {
	words, rng := strings.Fields("我 的 人民 银行 新华社 图书馆 —— 。"), rand.New(rand.NewPCG(1, 1))
	for range n {
		var line segment.Line
		for range 6 {
			line = append(line, words[rng.IntN(len(words))])
		}
		lines = append(lines, line)
	}
	return lines
}

func TestBetter(t *testing.T) {
	b := backendtest.Go(t)
	train, test := corpus(400), corpus(20)
	small := segment.Lesson()
	small.Hidden, small.Embedding = []birnnlib.Sizes{{Forward: 8, Backward: 8}}, 8
	small.Lengths, small.Batch, small.LearningRate = []int{16}, 128, 0.05
	dir := t.TempDir()
	for range 2 { // the second time, what is kept
		score, err := reach(b, dir, small, train, test, 0.9)
		exercisetest.Right(t, err)
		if score.F1() < 0.9 {
			t.Errorf("the score is %s", score)
		}
	}
	slow, long, none := small, small, small
	slow.LearningRate = 1e-6
	long.LearningRate, long.Epochs = 1e-6, 1000
	none.Hidden = nil
	for _, wrong := range []struct {
		answer string
		config segment.Config
		hint   string
	}{
		{"nothing yet", segment.Config{}, "begin with segment.Lesson()"},
		{"no layer", none, "begin with segment.Lesson()"},
		{"too slow", slow, "it should reach 0.90"},
		{"1,000 epochs", long, "it should reach 0.90"},
	} {
		_, err := reach(b, dir, wrong.config, train, test, 0.9)
		exercisetest.Wrong(t, wrong.answer, err, wrong.hint)
	}
}

// TestLongBetter trains on the People's Daily, which it downloads if it is not there.
func TestLongBetter(t *testing.T) {
	testall.Long(t)
	b, err := backend.Open(t.Context(), backend.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Backend.Finalize()
	path := must(segment.FetchPeoplesDaily(t.Context(), "", segment.FetchOptions{}))
	train, _ := segment.Split(must(segment.Read(path)))
	if b.IsPureGo() {
		train = train[:len(train)/8]
	}
	train, development := segment.Split(train)
	_, err = Better(b, filepath.Join(t.TempDir(), "better"), better(), train, development)
	exercisetest.Right(t, err)
	_, err = Better(b, filepath.Join(t.TempDir(), "lesson"), segment.Lesson(), train, development)
	exercisetest.Wrong(t, "the lesson's settings", err, "two characters at once")
}
