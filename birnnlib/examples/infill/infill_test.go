package infill_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/infill"
	"birnn/birnnlib/examples/tag"
	"birnn/birnnlib/examples/text"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
)

func TestLines(t *testing.T) {
	got := infill.Lines("灯塔没有睡 海鸥  灯塔没有睡 我\n我 海鸥没有睡 ")
	if want := []string{"灯塔没有睡", "海鸥", "海鸥没有睡"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	train, test := infill.Split(strings.Fields("一 二 三 四 五 六 七 八 九 十 十一"))
	if !slices.Equal(test, []string{"五", "十"}) || len(train) != 9 || train[4] != "六" {
		t.Errorf("to learn %q, to test %q", train, test)
	}
	for _, line := range infill.Lines(text.Corpus(0)) {
		if strings.ContainsRune(line, infill.Gap) {
			t.Errorf("there is a gap in the lyrics: %q", line)
		}
	}
}

const (
	left   = "甲乙丙丁戊己"
	middle = "东南西北上下"
	right  = "子丑寅卯辰巳"
)

// lines are pairs: a cue and what comes after it, or what comes before it.
func lines() (lines []string) {
	l, m, r := []rune(left), []rune(middle), []rune(right)
	for i := range m {
		lines = append(lines, string(l[i])+string(m[i]), string(m[i])+string(r[i]))
	}
	return lines
}

func small() infill.Config {
	c := infill.Lesson()
	c.Hidden = []birnnlib.Sizes{{Forward: 12, Backward: 12}}
	c.Embedding, c.Dropout, c.Epochs, c.LearningRate, c.Batch, c.Lengths = 12, 0, 150, 0.05, 48, []int{4}
	return c
}

func trained(t *testing.T, b compute.Backend, config infill.Config) *infill.Model {
	t.Helper()
	m, err := infill.New(b, lines(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Train(t.Context(), lines(), tag.Callbacks{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestDirections: what follows from the character before is guessed by the networks that see the past, what follows from
// the one after by those that see the future, and what is hidden by none, since it is not there.
func TestDirections(t *testing.T) {
	b := backendtest.Go(t)
	for _, hidden := range []birnnlib.Sizes{{Forward: 12}, {Backward: 12}, {Forward: 12, Backward: 12}} {
		config := small()
		config.Hidden = []birnnlib.Sizes{hidden}
		m := trained(t, b, config)
		rightAfter, rightBefore := 0, 0
		for i, want := range []rune(middle) {
			guesses, err := m.Fill(t.Context(), 3, string([]rune(left)[i])+"□", "□"+string([]rune(right)[i]))
			if err != nil {
				t.Fatal(err)
			}
			if guesses[0][0][0].Character == want {
				rightAfter++
			}
			if guesses[1][0][0].Character == want {
				rightBefore++
			}
		}
		for name, got := range map[string]struct {
			right int
			can   bool
		}{"after the cue": {rightAfter, hidden.Forward > 0}, "before the cue": {rightBefore, hidden.Backward > 0}} {
			if got.can != (got.right == 6) || !got.can && got.right > 2 {
				t.Errorf("%v: %d of 6 right %s", hidden, got.right, name)
			}
		}
	}
}

func TestFill(t *testing.T) {
	m := trained(t, backendtest.Go(t), small())
	guesses, err := m.Fill(t.Context(), 2, "□□", "甲东", "龘□") // the last has a character that the model has never seen
	if err != nil {
		t.Fatal(err)
	}
	if len(guesses) != 3 || len(guesses[0]) != 2 || len(guesses[1]) != 0 || len(guesses[2]) != 1 {
		t.Fatalf("guesses %v, want those of two gaps, none and one", guesses)
	}
	for _, g := range guesses[0] {
		if len(g) != 2 || g[0].Probability < g[1].Probability || g[0].Probability > 1 || !strings.ContainsRune(left+middle+right, g[0].Character) {
			t.Errorf("guesses %v", g)
		}
	}
	if _, err := m.Fill(t.Context(), 2, ""); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("empty: error %v", err)
	}
}

// TestTest counts what Fill guesses, by hand.
func TestTest(t *testing.T) {
	m := trained(t, backendtest.Go(t), small())
	right, of, err := m.Test(t.Context(), lines())
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for _, line := range lines() {
		c := []rune(line)
		guesses, err := m.Fill(t.Context(), 1, "□"+string(c[1]), string(c[0])+"□")
		if err != nil {
			t.Fatal(err)
		}
		for i := range c {
			if guesses[i][0][0].Character == c[i] {
				want++
			}
		}
	}
	if right != want || of != 24 || right < 12 {
		t.Errorf("%d of %d right, want %d of 24, and at least half", right, of, want)
	}
}

func TestSaveAndLoad(t *testing.T) {
	b := backendtest.Go(t)
	config := small()
	config.Epochs = 4
	checkpoints, err := tag.OpenCheckpoints(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoints.Close()
	if _, _, err := infill.Load(checkpoints, b); !errors.Is(err, tag.ErrNoCheckpoint) {
		t.Errorf("nothing saved: error %v", err)
	}
	m, err := infill.New(b, lines(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = m.Train(ctx, lines(), tag.Callbacks{Epoch: func(e tag.Epoch) error {
		if e.Number == 2 {
			cancel()
		}
		return nil
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: error %v", err)
	}
	if err := checkpoints.Save(m.Tagger()); err != nil {
		t.Fatal(err)
	}
	loaded, damaged, err := infill.Load(checkpoints, b)
	if err != nil || damaged != nil {
		t.Fatal(err, damaged)
	}
	if d := loaded.Config().Difference(config); d != "" || !reflect.DeepEqual(loaded.Config(), config) {
		t.Errorf("the settings changed: %s", d)
	}
	var guesses [2][][][]infill.Guess
	for i, m := range []*infill.Model{m, loaded} { // going on hides the same characters
		if err := m.Train(t.Context(), lines(), tag.Callbacks{}); err != nil {
			t.Fatal(err)
		}
		if guesses[i], err = m.Fill(t.Context(), 5, "甲□", "□□子"); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(guesses[0], guesses[1]) {
		t.Errorf("the guesses differ after loading: %v, %v", guesses[0], guesses[1])
	}
	changed := config
	changed.Part = 0.5
	if changed.Difference(config) == "" {
		t.Error("another part of hidden characters is no difference")
	}
}

func TestNewErrors(t *testing.T) {
	b := backendtest.Go(t)
	config := small()
	config.Part = 1
	if _, err := infill.New(b, lines(), config); err == nil || !strings.Contains(err.Error(), "is 1") {
		t.Errorf("all hidden: error %v", err)
	}
	good, err := infill.New(b, lines(), small())
	if err != nil {
		t.Fatal(err)
	}
	for want, bad := range map[string][]string{
		"no lines; give at least one": nil,
		"line 2 is empty; leave it":   {"灯塔", "", "海鸥"},
		"line 1 contains □":           {"灯塔□有睡"},
		"line 1 contains \uFFFD":      {"灯塔\uFFFD"},
		"line 2 is not UTF-8":         {"灯塔", "\xff"},
	} {
		_, errNew := infill.New(b, bad, small())
		errTrain := good.Train(t.Context(), bad, tag.Callbacks{})
		_, _, errTest := good.Test(t.Context(), bad)
		for what, err := range map[string]error{"New": errNew, "Train": errTrain, "Test": errTest} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s of %q: error %v, want one that says %q", what, bad, err, want)
			}
		}
	}
	for _, most := range []int{0, -1} {
		if _, err := good.Fill(t.Context(), most, "□"); err == nil || !strings.Contains(err.Error(), "ask for at least 1") {
			t.Errorf("at most %d guesses: error %v", most, err)
		}
	}
	if _, err := good.Fill(t.Context(), 1, "□", "\xff□"); err == nil || !strings.Contains(err.Error(), "text 2 is not UTF-8") {
		t.Errorf("not UTF-8: error %v", err)
	}
}
