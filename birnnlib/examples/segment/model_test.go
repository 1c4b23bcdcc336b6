package segment_test

import (
	"context"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/segment"
	"birnn/birnnlib/examples/tag"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
)

// lines are a corpus in which 马上 is a word before 来 and two words before 下.
func lines() (lines []segment.Line) {
	for _, who := range strings.Fields("他 我 你 她 老师 工人 小明 同学们") {
		for _, line := range []string{"%s 马上 来 。", "%s 在 马 上 下 棋 。", "%s 马上 来 吧 ， 快 ！", "%s １９９８年 来 了 。", "请 %s 在 马 上 下 棋 ！"} {
			lines = append(lines, strings.Fields(strings.Replace(line, "%s", who, 1)))
		}
	}
	return lines
}

func small() segment.Config {
	c := segment.Lesson()
	c.Hidden, c.Embedding = []birnnlib.Sizes{{Forward: 8, Backward: 8}}, 8
	c.Lengths, c.Batch, c.Epochs, c.LearningRate = []int{6, 12}, 96, 25, 0.02
	return c
}

func trained(t *testing.T, b compute.Backend, config segment.Config) *segment.Model {
	t.Helper()
	m, err := segment.New(b, lines(), config)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Train(t.Context(), lines(), tag.Callbacks{}); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSegment: a network learns a small corpus, and uses on others what it has learned.
func TestSegment(t *testing.T) {
	b := backendtest.Go(t)
	for _, kind := range []struct {
		bigrams int
		crf     bool
	}{{0, false}, {4, false}, {0, true}} {
		config := small()
		config.Bigrams, config.MinBigram, config.CRF = kind.bigrams, 2, kind.crf
		m := trained(t, b, config)
		score, err := m.Test(t.Context(), lines())
		if err != nil || score.F1() < 0.99 {
			t.Fatalf("%+v: on what it has learned %s, %v", kind, score, err)
		}
		texts := []string{
			"小明马上来。同学们在马上下棋！",
			"请你 在马\t上下棋！\n", // white space ends words
			"他1998年来了。",     // digits that are not of full width
			"",
			strings.Repeat("我马上来吧，快！", 30), // longer than any of Lengths
			"龘马上来。", // a character that it has never seen
		}
		want := []string{"小明 马上 来 。 同学们 在 马 上 下 棋 ！", "请 你 在 马 上 下 棋 ！", "他 1998年 来 了 。", "", strings.Repeat("我 马上 来 吧 ， 快 ！ ", 30), "龘 马上 来 。"}
		got, err := m.Segment(t.Context(), texts...)
		if err != nil {
			t.Fatal(err)
		}
		for i := range texts {
			if !slices.Equal(got[i], strings.Fields(want[i])) {
				t.Errorf("%+v: %q is cut into %q", kind, texts[i], got[i])
			}
		}
	}
}

// TestScores: there are four probabilities for each character, however the text is cut into pieces.
func TestScores(t *testing.T) {
	m := trained(t, backendtest.Go(t), small())
	texts := []string{"他马上来。", strings.Repeat("他马上来。", 9), "一二三四五六七八九十一二三四五六七八九十", ""}
	scores, err := m.Scores(t.Context(), texts...)
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range texts {
		if len(scores[i]) != len([]rune(text)) {
			t.Fatalf("%s has %d scores", text, len(scores[i]))
		}
		for _, row := range scores[i] {
			sum := 0.0
			for _, score := range row {
				sum += math.Exp(float64(score))
			}
			if len(row) != segment.Tags || math.Abs(sum-1) > 1e-5 {
				t.Fatalf("%s: probabilities %v", text, row)
			}
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	b := backendtest.Go(t)
	config := small()
	config.Bigrams, config.MinBigram, config.Epochs = 4, 3, 2
	checkpoints, err := tag.OpenCheckpoints(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer checkpoints.Close()
	if _, _, err := segment.Load(checkpoints, b); !errors.Is(err, tag.ErrNoCheckpoint) {
		t.Errorf("nothing saved: error %v", err)
	}
	m, err := segment.New(b, lines(), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = m.Train(ctx, lines(), tag.Callbacks{Epoch: func(tag.Epoch) error { cancel(); return nil }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled: error %v", err)
	}
	if err := checkpoints.Save(m.Tagger()); err != nil {
		t.Fatal(err)
	}
	loaded, damaged, err := segment.Load(checkpoints, b)
	if err != nil || damaged != nil {
		t.Fatal(err, damaged)
	}
	if d := loaded.Config().Difference(config); d != "" {
		t.Errorf("the settings changed: %s", d)
	}
	if loaded.Tagger().Position().Epoch != 1 {
		t.Errorf("position %+v, want one epoch", loaded.Tagger().Position())
	}
	if err := loaded.Train(t.Context(), lines()[1:], tag.Callbacks{}); err == nil || !strings.Contains(err.Error(), "other lines") {
		t.Errorf("another corpus: error %v", err)
	}
	for _, m := range []*segment.Model{m, loaded} {
		if err := m.Train(t.Context(), lines(), tag.Callbacks{}); err != nil {
			t.Fatal(err)
		}
	}
	want, err1 := m.Scores(t.Context(), "请老师在马上下棋！")
	got, err2 := loaded.Scores(t.Context(), "请老师在马上下棋！")
	if err1 != nil || err2 != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the scores differ after loading: %v, %v", err1, err2)
	}
}

func TestConfigDifference(t *testing.T) {
	a, b := segment.Full(), segment.Full()
	if d := a.Difference(b); d != "" {
		t.Errorf("equal settings differ: %s", d)
	}
	b.Bigrams, b.Seed = 0, 7
	if got, want := b.Difference(a), "seed 7 instead of 1, bigrams 0 instead of 32"; got != want {
		t.Errorf("difference %q, want %q", got, want)
	}
}

func TestNewErrors(t *testing.T) {
	bad := small()
	bad.Bigrams = -1
	for want, test := range map[string]struct {
		lines  []segment.Line
		config segment.Config
	}{
		"no character occurs twice":   {[]segment.Line{{"一", "二"}}, small()},
		"would know none; give more":  {nil, small()},
		"Bigrams -1":                  {lines(), bad},
		`line 2: "\xe4" is not UTF-8`: {[]segment.Line{{"一"}, {"一", "\xe4", "\xbd\xa0"}}, small()},
	} {
		if _, err := segment.New(backendtest.Go(t), test.lines, test.config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	m, err := segment.New(backendtest.Go(t), lines(), small())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Test(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no lines to test on") {
		t.Errorf("nothing to test on: error %v", err)
	}
}
