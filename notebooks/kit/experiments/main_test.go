package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"birnn/birnnlib/examples/segment"
	"birnn/birnnlib/examples/text"
	"birnn/internal/backendtest"
	"birnn/internal/cli"
	kit "birnn/notebooks/kit/lesson"
)

// kept reads the file of a lesson.
func kept(t *testing.T, number int) (r record, blob []byte) {
	t.Helper()
	blob, err := os.ReadFile(filepath.Join("..", "..", fmt.Sprintf("%02d-experiments.json", number)))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(blob, &r); err != nil {
		t.Fatal(err)
	}
	return r, blob
}

// TestKept checks that the files hold the experiments that the command makes, with their settings and seeds.
func TestKept(t *testing.T) {
	for number, l := range lessons {
		r, blob := kept(t, number)
		if want := command(number, fmt.Sprintf("notebooks/%02d-experiments.json", number)); r.Command != want {
			t.Errorf("lesson %d: made by %q, want %q", number, r.Command, want)
		}
		if _, err := time.Parse(time.DateOnly, r.Date); err != nil || r.Backend != "xla:cpu" || r.CPU == "" {
			t.Errorf("lesson %d: made on %q by %q on %q", number, r.Date, r.Backend, r.CPU)
		}
		if again, err := r.encode(); err != nil || string(again) != string(blob) {
			t.Errorf("lesson %d: the file is not what the command writes (%v)", number, err)
		}
		plan, err := l.plan()
		if err != nil {
			t.Fatal(err)
		}
		var made []settings
		for _, e := range r.Experiments {
			made = append(made, e.settings)
			for _, v := range figures(e) {
				if !(v > 0) {
					t.Errorf("lesson %d, %s: a result is %g", number, e.settings, v)
				}
			}
			perplexities, epochs := map[int]int{1: e.Epochs / 10}[number], map[bool]int{true: e.Epochs}[e.Alone > 0]
			if e.Parameters == 0 || len(e.Perplexity) != perplexities || len(e.Development) != epochs || (e.Training > 0) != (e.Steps > 0) {
				t.Errorf("lesson %d, %s: %+v", number, e.settings, e.result)
			}
		}
		if !slices.Equal(made, plan) {
			t.Errorf("lesson %d: the settings are not those of the command; make the file again", number)
		}
	}
}

// figures returns the results of an experiment.
func figures(e experiment) (all []float64) {
	all = slices.Concat(e.Perplexity, e.Development)
	for _, v := range []float64{e.First, e.Training, e.Test, e.F1, e.Accuracy, e.Alone, e.Together} {
		if v != 0 {
			all = append(all, v)
		}
	}
	return all
}

// quoting lists cells that print figures of their lesson's file, and nothing else with decimals; lessons 8 and 10 print
// means.
var quoting = map[int][]string{
	1: {"lesson1-seeds", "lesson1-sigmoid", "lesson1-depths"},
	3: {"lesson3-depth-kept", "lesson3-dropout-kept", "lesson3-residual-kept"},
}

// TestQuoted checks that every figure that the lessons quote is in their files.
func TestQuoted(t *testing.T) {
	decimal := regexp.MustCompile(`\d+\.\d+(e[-+]\d+)?`)
	for number, cells := range quoting {
		r, _ := kept(t, number)
		for _, language := range []string{"en", "zh"} {
			printed := outputs(t, number, language)
			for _, id := range cells {
				quoted := decimal.FindAllString(printed[id], -1)
				if len(quoted) < 3 {
					t.Errorf("lesson %d, %s: cell %s quotes %d figures", number, language, id, len(quoted))
				}
				for _, q := range quoted {
					if !r.holds(q) {
						t.Errorf("lesson %d, %s: cell %s prints %s, which is not in the file", number, language, id, q)
					}
				}
			}
		}
	}
}

// holds reports whether a figure is a result or a setting, rounded to its decimals.
func (r record) holds(figure string) bool {
	mantissa, _, exponent := strings.Cut(figure, "e")
	_, decimals, _ := strings.Cut(mantissa, ".")
	format := byte('f')
	if exponent {
		format = 'e'
	}
	return slices.ContainsFunc(r.Experiments, func(e experiment) bool {
		return slices.ContainsFunc(append(figures(e), e.Dropout, e.RecurrentDropout, 0.01), func(v float64) bool {
			return strconv.FormatFloat(v, format, len(decimals), 64) == figure
		})
	})
}

// outputs returns what the cells of a lesson print, as committed, by their IDs.
func outputs(t *testing.T, number int, language string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("..", "..", language, fmt.Sprintf("%02d-*.ipynb", number)))
	if err != nil || len(paths) != 1 {
		t.Fatalf("lesson %d has the files %q (%v)", number, paths, err)
	}
	blob, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	var notebook struct {
		Cells []struct {
			ID      string
			Outputs []struct{ Text []string }
		}
	}
	if err := json.Unmarshal(blob, &notebook); err != nil {
		t.Fatal(err)
	}
	printed := map[string]string{}
	for _, c := range notebook.Cells {
		for _, o := range c.Outputs {
			printed[c.ID] += strings.Join(o.Text, "")
		}
	}
	return printed
}

// TestMake trains a little in pure Go, an experiment of each kind.
func TestMake(t *testing.T) {
	b := backendtest.Go(t)
	vocabulary, err := text.NewVocabulary(text.Corpus(characters))
	if err != nil {
		t.Fatal(err)
	}
	read, fetch := corpus10, peoplesDaily
	t.Cleanup(func() { corpus10, peoplesDaily = read, fetch })
	peoplesDaily = func(context.Context) ([]segment.Line, error) {
		return slices.Repeat([]segment.Line{{"他", "马上", "下来"}, {"马上", "下来", "他"}}, 50), nil
	}
	corpus10 = func() (rows [2]*kit.Rows, err error) { // nothing is downloaded
		lines := []segment.Line{{"他", "马上", "下来"}, {"马上", "下来", "他"}}
		rows[0] = kit.NewRows(lines, rowT, nil)
		rows[1] = kit.NewRows(lines[:1], rowT, rows[0])
		return rows, nil
	}
	for number, l := range lessons {
		plan, err := l.plan()
		if err != nil {
			t.Fatal(err)
		}
		done := map[string]bool{}
		for _, s := range plan {
			if done[s.Name] {
				continue
			}
			done[s.Name] = true
			s.Steps = min(s.Steps, 2)
			if s.Epochs > 0 {
				s.Epochs, s.Hidden = 10, "4"
			}
			r, err := l.make(t.Context(), b, s)
			if err != nil {
				t.Fatalf("%s: %v", s, err)
			}
			q := vocabulary.Size()
			if number == 1 && (len(r.Perplexity) != 1 || r.First <= 1 || r.Parameters != count(q, 1, 4, q)) {
				t.Errorf("%s: %+v, want %d parameters", s, r, count(q, 1, 4, q))
			}
			if number == 3 && (r.Training <= 0 || r.Parameters == 0 || (r.Test > 0) == (s.Name == "eight layers")) {
				t.Errorf("%s: %+v", s, r)
			}
			if number == 8 && (r.Accuracy <= 0 && r.Together <= 0 || r.Parameters == 0) {
				t.Errorf("%s: %+v", s, r)
			}
			if number == 10 && (r.Training <= 0 || r.Test <= 0 || r.Parameters == 0) {
				t.Errorf("%s: %+v", s, r)
			}
		}
	}
}

// TestFair checks that the networks that lesson 10 compares have about the same number of parameters.
func TestFair(t *testing.T) {
	r, _ := kept(t, 10)
	first := map[string]int{}
	for _, e := range r.Experiments {
		of := e.Name
		if _, ok := first[of]; !ok {
			first[of] = e.Parameters
		}
		if share := float64(e.Parameters) / float64(first[of]); share < 0.9 || share > 1.1 {
			t.Errorf("%s has %d parameters, the first of its task %d", e.settings, e.Parameters, first[of])
		}
		if (e.F1 > 0) != (e.Name == "segmentation" || e.Name == "delay") {
			t.Errorf("%s has F1 %g", e.settings, e.F1)
		}
	}
}

func TestWithin(t *testing.T) {
	for layers, want := range map[int]string{1: "37+36", 2: "19+18,19+18", 3: "14,14,14", 4: "12+11,12+11,12+11,12+11"} { // as in the lesson
		if got := within(layers, 3000); got != want {
			t.Errorf("%d layers of %s, want %s", layers, got, want)
		}
	}
}

func TestWrongUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.json")
	for _, args := range [][]string{{}, {"-lesson", "2", "-o", path}, {"-lesson", "1"}, {"-lesson", "1", "-o", path, "more"}, {"-lesson", "x"}} {
		if err := run(t.Context(), args, io.Discard); err == nil {
			t.Errorf("%q is no error", args)
		}
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a file was written")
	}
}

// TestAwait checks that an interruption does not wait for the training.
func TestAwait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := cli.Await(ctx, func() (result, error) { select {} })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after an interruption the error is %v", err)
	}
}
