package tag_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/tag"
	"birnn/internal/backendtest"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// before, after and both are sequences of indices below 5, with the class of a time step, 0 or 1, by the step before it,
// the one after it, or both.
var task = tag.Task{Features: []tag.Feature{{Size: 5, Embedding: 4}, {Size: 2, Embedding: 1}}, Classes: 2, About: json.RawMessage(`"digits"`)}

func small() tag.Config {
	return tag.Config{
		Hidden: []birnnlib.Sizes{{Forward: 6, Backward: 5}}, Dropout: 0.1, Lengths: []int{4, 8}, Batch: 32,
		Epochs: 4, LearningRate: 0.02, Clip: 1, Seed: 3,
	}
}

// draw draws sequences of 1 to 8 time steps. The class is whether the index steps steps further on is above 2; where
// that is outside, it is Unknown. The second feature is noise.
func draw(n, steps int) (examples []tag.Example) {
	rng := rand.New(rand.NewPCG(5, 5))
	for len(examples) < n {
		e := tag.Example{Features: make([][]int32, 2)}
		known := false
		T := 1 + rng.IntN(8)
		for range T {
			e.Features[0] = append(e.Features[0], rng.Int32N(5))
			e.Features[1] = append(e.Features[1], rng.Int32N(2))
		}
		for t := range T {
			class := int32(tag.Unknown)
			if s := t + steps; s >= 0 && s < T {
				known = true
				class = 0
				if e.Features[0][s] > 2 {
					class = 1
				}
			}
			e.Classes = append(e.Classes, class)
		}
		if known {
			examples = append(examples, e)
		}
	}
	return examples
}

func always(examples []tag.Example) func(int) []tag.Example {
	return func(int) []tag.Example { return examples }
}

func newModel(t *testing.T, b compute.Backend, config tag.Config) *tag.Model {
	t.Helper()
	m, err := tag.New(b, task, config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// accuracy is the part of the known classes that have the largest score.
func accuracy(t *testing.T, m *tag.Model, examples []tag.Example) float64 {
	t.Helper()
	scores, err := m.Scores(t.Context(), examples)
	if err != nil {
		t.Fatal(err)
	}
	right, known := 0, 0
	for i, e := range examples {
		for step, class := range e.Classes {
			if class != tag.Unknown {
				known++
				if scores[i][step][class] > scores[i][step][1-class] {
					right++
				}
			}
		}
	}
	return float64(right) / float64(known)
}

// whole runs a test of which pure Go runs everything by default, and XLA, which takes seconds to compile a graph, a part.
func whole(t *testing.T, test func(t *testing.T, b compute.Backend, whole bool)) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) { test(t, b, strings.HasSuffix(t.Name(), "/go")) })
}

// long runs all of such a test on XLA.
func long(t *testing.T, test func(t *testing.T, b compute.Backend, whole bool)) {
	testall.Long(t)
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		if !strings.HasSuffix(t.Name(), "/go") {
			test(t, b, true)
		}
	})
}

// TestDirections: what stands before a time step is learned by the forward direction alone, what stands after it by the
// backward direction alone, and either by both. The other direction cannot, and is right about as often as by guessing.
func TestDirections(t *testing.T) {
	b := backendtest.Go(t)
	for _, steps := range []int{-1, 1} {
		for _, hidden := range []birnnlib.Sizes{{Forward: 12}, {Backward: 12}, {Forward: 8, Backward: 8}} {
			config := small()
			config.Hidden, config.Dropout, config.Epochs, config.Batch, config.LearningRate = []birnnlib.Sizes{hidden}, 0, 20, 160, 0.05
			m := newModel(t, b, config)
			if err := m.Train(t.Context(), always(draw(200, steps)), tag.Callbacks{}); err != nil {
				t.Fatal(err)
			}
			got := accuracy(t, m, draw(400, steps)[200:])
			can := steps < 0 && hidden.Forward > 0 || steps > 0 && hidden.Backward > 0
			if can && got < 0.98 || !can && got > 0.75 {
				t.Errorf("class by the step %+d, hidden sizes %v: %.3f right", steps, hidden, got)
			}
		}
	}
}

// TestLoss compares the loss of the first epoch, without learning worth the name and without dropout, with the mean
// over the known classes that follows from the scores: padding and unknown classes count nowhere, whatever the batches
// are.
func TestLoss(t *testing.T) { whole(t, testLoss) }

func TestLongLoss(t *testing.T) { long(t, testLoss) }

func testLoss(t *testing.T, b compute.Backend, whole bool) {
	for _, batch := range []int{32, 8, 1000} {
		if !whole && batch != 32 {
			continue
		}
		config := small()
		config.Dropout, config.LearningRate, config.Epochs, config.Batch = 0, 1e-30, 1, batch
		if !whole {
			config.Lengths = []int{8}
		}
		m := newModel(t, b, config)
		examples := draw(37, -2)
		scores, err := m.Scores(t.Context(), examples)
		if err != nil {
			t.Fatal(err)
		}
		want, known := 0.0, 0.0
		for i, e := range examples {
			if len(scores[i]) != len(e.Classes) {
				t.Fatalf("example %d has %d time steps and %d scores", i, len(e.Classes), len(scores[i]))
			}
			for step, row := range scores[i] {
				if p := math.Exp(float64(row[0])) + math.Exp(float64(row[1])); math.Abs(p-1) > 1e-5 {
					t.Fatalf("the probabilities add up to %g", p)
				}
				if e.Classes[step] != tag.Unknown {
					want -= float64(row[e.Classes[step]])
					known++
				}
			}
		}
		if err := m.Train(t.Context(), always(examples), tag.Callbacks{}); err != nil {
			t.Fatal(err)
		}
		if got := m.History()[0].Loss; math.Abs(got-want/known) > 1e-5 {
			t.Errorf("batches of %d: loss %g, want %g", batch, got, want/known)
		}
	}
}

// TestScores compares with the formulas, built for one sequence alone.
func TestScores(t *testing.T) { whole(t, testScores) }

func TestLongScores(t *testing.T) { long(t, testScores) }

func testScores(t *testing.T, b compute.Backend, whole bool) {
	config := small()
	config.Hidden = append(config.Hidden, birnnlib.Sizes{Forward: 3})
	m := newModel(t, b, config)
	examples := draw(9, 1)
	if !whole {
		examples = examples[:1]
	}
	longer := tag.Example{Features: [][]int32{{0, 1, 2, 3, 4, 0, 1, 2, 3, 4}, make([]int32, 10)}} // than Lengths
	if whole {
		examples = append(examples, longer)
	}
	scores, err := m.Scores(t.Context(), examples)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range examples {
		T := len(e.Features[0])
		want, err := model.CallOnce(b, m.Store(), func(scope *model.Scope, x, y *Node) *Node {
			E := func(i int) *Node { return scope.In("embedding_%d", i).GetVariable("E").NodeValue(x.Graph()) }
			X := Concatenate([]*Node{Gather(E(1), x), Gather(E(2), y)}, -1) // [T, 1, 5]
			h, _ := birnnlib.New(scope, X, config.Hidden...).Cell(birnnlib.LSTM{}).Done()
			return LogSoftmax(birnnlib.Output(scope, h, 2, nil))
		}, tensors.FromFlatDataAndDimensions(slices.Clone(e.Features[0]), T, 1, 1), tensors.FromFlatDataAndDimensions(slices.Clone(e.Features[1]), T, 1, 1))
		if err != nil {
			t.Fatal(err)
		}
		flat := tensors.MustCopyFlatData[float32](want)
		for k, w := range flat {
			if got := scores[i][k/2][k%2]; math.Abs(float64(got-w)) > 1e-5 {
				t.Fatalf("sequence %d, time step %d: score %g, want %g", i, k/2+1, got, w)
			}
		}
	}
}

func TestErrors(t *testing.T) {
	b := backendtest.Go(t)
	for want, change := range map[string]func(*tag.Config, *tag.Task){
		"at least one layer":     func(c *tag.Config, _ *tag.Task) { c.Hidden = nil },
		"layer 1":                func(c *tag.Config, _ *tag.Task) { c.Hidden[0].Forward = -1 },
		"dropout is 1":           func(c *tag.Config, _ *tag.Task) { c.Dropout = 1 },
		"[8 4]":                  func(c *tag.Config, _ *tag.Task) { c.Lengths = []int{8, 4} },
		"7 time steps":           func(c *tag.Config, _ *tag.Task) { c.Batch = 7 },
		"at least one length":    func(c *tag.Config, _ *tag.Task) { c.Lengths = nil },
		"0 epochs":               func(c *tag.Config, _ *tag.Task) { c.Epochs = 0 },
		"learning rate is -1":    func(c *tag.Config, _ *tag.Task) { c.LearningRate = -1 },
		"clipping norm is NaN":   func(c *tag.Config, _ *tag.Task) { c.Clip = math.NaN() },
		"1 classes":              func(_ *tag.Config, t *tag.Task) { t.Classes = 1 },
		"feature 2 has 2 values": func(_ *tag.Config, t *tag.Task) { t.Features[1].Embedding = 0 },
	} {
		config, changed := small(), task
		changed.Features = slices.Clone(task.Features)
		change(&config, &changed)
		if _, err := tag.New(b, changed, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	m := newModel(t, b, small())
	good := tag.Example{Features: [][]int32{{1, 2}, {0, 1}}, Classes: []int32{0, tag.Unknown}}
	for want, change := range map[string]func(*tag.Example){
		"1 features":             func(e *tag.Example) { e.Features = e.Features[:1] },
		"feature 2 has 1 time":   func(e *tag.Example) { e.Features = [][]int32{{1, 2}, {1}} },
		"feature 1 is 5 at":      func(e *tag.Example) { e.Features = [][]int32{{1, 5}, {0, 1}} },
		"3 classes":              func(e *tag.Example) { e.Classes = []int32{0, 0, 0} },
		"class 2 at time step 1": func(e *tag.Example) { e.Classes = []int32{2, 0} },
		"example 2 are unknown":  func(e *tag.Example) { e.Classes = []int32{tag.Unknown, tag.Unknown} },
		"9 time steps and 9 classe": func(e *tag.Example) {
			*e = tag.Example{[][]int32{make([]int32, 9), make([]int32, 9)}, make([]int32, 9)}
		},
	} {
		bad := good
		change(&bad)
		if err := m.Train(t.Context(), always([]tag.Example{good, bad}), tag.Callbacks{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if err := m.Train(t.Context(), always(nil), tag.Callbacks{}); err == nil {
		t.Error("no examples are no error")
	}
	if err := m.Train(t.Context(), nil, tag.Callbacks{}); err == nil || !strings.Contains(err.Error(), "no function") {
		t.Errorf("no function: error %v", err)
	}
	if _, err := tag.New(nil, task, small()); err == nil || !strings.Contains(err.Error(), "backend.Open") {
		t.Errorf("no backend: error %v", err)
	}
	if _, err := m.Scores(t.Context(), []tag.Example{{Features: [][]int32{{7}, {0}}}}); err == nil || !strings.Contains(err.Error(), "sequence 1") {
		t.Errorf("scores: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Scores(ctx, []tag.Example{good}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}
