package charlm_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/charlm"
	"birnn/internal/backendtest"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/loss"
)

const poem = "春眠不觉晓处处闻啼鸟夜来风雨声花落知多少床前明月光疑是地上霜举头望明月低头思故乡白日依山尽黄河入海流欲穷千里目更上一层楼"

// small is a model that trains in no time.
func small() charlm.Config {
	c := charlm.Post()
	c.Hidden = []birnnlib.Sizes{{Forward: 6, Backward: 5}}
	c.Steps, c.Batch, c.LearningRate = 4, 3, 0.5
	return c
}

func newModel(t *testing.T, b compute.Backend, config charlm.Config) *charlm.Model {
	t.Helper()
	m, err := charlm.New(b, poem, config)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// train trains m and returns the perplexity of each epoch.
func train(t *testing.T, m *charlm.Model, epochs int) (perplexities []float64) {
	t.Helper()
	err := m.Train(t.Context(), epochs, charlm.Callbacks{Epoch: func(e charlm.Epoch) error {
		perplexities = append(perplexities, e.Perplexity)
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return perplexities
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

// TestTrainingAgainstJAX compares whole trainings, clipped and unclipped steps among them, with a program in JAX; see
// testdata/jax_training.py. It fails if the state is not carried, or carried where it must not be.
func TestTrainingAgainstJAX(t *testing.T) { whole(t, trainingAgainstJAX) }

func TestLongTrainingAgainstJAX(t *testing.T) { long(t, trainingAgainstJAX) }

func trainingAgainstJAX(t *testing.T, b compute.Backend, whole bool) {
	blob, err := os.ReadFile("testdata/jax_training.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct {
		Text         string  `json:"text"`
		Batch        int     `json:"batch"`
		Steps        int     `json:"steps"`
		LearningRate float64 `json:"learning_rate"`
		Cases        map[string]struct {
			Sizes        [][2]int             `json:"sizes"`
			AsPosted     bool                 `json:"as_posted"`
			Activation   string               `json:"activation"`
			Clip         float64              `json:"clip"`
			Weights      map[string][]float32 `json:"weights"`
			Perplexities []float64            `json:"perplexities"`
			WHQ          []float32            `json:"W_hq"`
		} `json:"cases"`
	}
	if err := json.Unmarshal(blob, &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) != 4 {
		t.Fatalf("%d cases in the fixture, want 4", len(fixture.Cases))
	}
	for name, c := range fixture.Cases {
		if !whole && name != "two layers, sizes differ" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			config := charlm.Post()
			config.Steps, config.Batch = fixture.Steps, fixture.Batch
			config.LearningRate, config.Clip = fixture.LearningRate, c.Clip
			config.AsPosted, config.Activation, config.Hidden = c.AsPosted, c.Activation, nil
			for _, s := range c.Sizes {
				config.Hidden = append(config.Hidden, birnnlib.Sizes{Forward: s[0], Backward: s[1]})
			}
			m, err := charlm.New(b, fixture.Text, config)
			if err != nil {
				t.Fatal(err)
			}
			for path, values := range c.Weights {
				dims := []int{len(values)}
				if _, name, _ := strings.Cut("/"+path, "W_"); name != "" { // a matrix: its second axis is known
					columns := m.Vocabulary().Size()
					if strings.HasPrefix(path, "layer_") {
						s := c.Sizes[path[len("layer_")]-'1']
						columns = s[0]
						if strings.HasSuffix(path, "^b") {
							columns = s[1]
						}
					}
					dims = []int{len(values) / columns, columns}
				}
				if _, err := m.Store().CreateVariable(path, tensors.FromFlatDataAndDimensions(values, dims...)); err != nil {
					t.Fatal(err)
				}
			}
			got := train(t, m, len(c.Perplexities))
			for i, want := range c.Perplexities {
				if math.Abs(got[i]-want) > 1e-5*want {
					t.Errorf("epoch %d: perplexity %.9g, JAX has %.9g", i+1, got[i], want)
				}
			}
			whq := tensors.MustCopyFlatData[float32](m.Store().GetVariable("/W_hq").MustValue())
			for i, want := range c.WHQ {
				if math.Abs(float64(whq[i]-want)) > 1e-5 {
					t.Fatalf("after the training W_hq[%d] = %g, JAX has %g", i, whq[i], want)
				}
			}
		})
	}
}

// TestSampling distinguishes the two samplings by the state. With the weights at rest, random sampling starts both windows
// of the corpus from zeros, whatever their order, and consecutive sampling carries the forward state into the second,
// and in the post's reading the backward state too.
func TestSampling(t *testing.T) {
	b := backendtest.Go(t)
	for _, test := range []struct{ random, asPosted bool }{{true, false}, {true, true}, {false, false}, {false, true}} {
		config := small()
		config.Batch, config.LearningRate, config.Random, config.AsPosted = 1, 1e-30, test.random, test.asPosted
		corpus := poem[:len("春眠不觉晓处处闻啼")] // two windows of four characters, and the label of the last one
		m, err := charlm.New(b, corpus, config)
		if err != nil {
			t.Fatal(err)
		}
		indices, err := m.Vocabulary().Encode(corpus)
		if err != nil {
			t.Fatal(err)
		}
		// The definition, with weights large enough for the state to matter.
		want, err := model.CallOnce(b, m.Store(), func(scope *model.Scope, x *Node) *Node {
			var sum *Node
			var initial birnnlib.State
			for window := range 2 {
				read := func(from int) *Node { return Slice(x, AxisRange(from, from+4)) }
				h, final := birnnlib.New(scope.ResetVisited(), read(4*window), config.Hidden...).OneHot(m.Vocabulary().Size()).
					Activation(activation.TypeSigmoid).BothForward(test.asPosted).InitialStates(initial).Initializer(birnnlib.Normal(1).Seed(1)).Done()
				o := birnnlib.Output(scope, h, m.Vocabulary().Size(), birnnlib.Normal(1).Seed(1))
				l := loss.SparseCategoricalCrossEntropyLogits([]*Node{InsertAxes(read(4*window+1), -1)}, []*Node{o})
				if sum == nil {
					sum = l
				} else {
					sum = Add(sum, l)
				}
				if !test.random {
					initial.Forward = final[0].Forward
					if test.asPosted {
						initial.Backward = final[0].Backward
					}
				}
			}
			return Exp(DivScalar(sum, 2))
		}, tensors.FromFlatDataAndDimensions(indices, len(indices), 1))
		if err != nil {
			t.Fatal(err)
		}
		for epoch, got := range train(t, m, 3) {
			if want := float64(tensors.ToScalar[float32](want)); math.Abs(got-want) > 1e-5*want {
				t.Errorf("%+v, epoch %d: perplexity %g, want %g", test, epoch+1, got, want)
			}
		}
	}
}

// TestContinue compares the generated text with the definition: the likeliest character after the whole text so far,
// read by a fresh network of exactly that length.
func TestContinue(t *testing.T) { whole(t, testContinue) }

func TestLongContinue(t *testing.T) { long(t, testContinue) }

func testContinue(t *testing.T, b compute.Backend, whole bool) {
	n := 5
	if !whole {
		n = 1
	}
	for _, asPosted := range []bool{false, true} {
		if asPosted && !whole {
			continue
		}
		config := small()
		config.AsPosted = asPosted
		config.Hidden = append(config.Hidden, birnnlib.Sizes{Forward: 4, Backward: 7})
		config.LearningRate, config.Clip = 5, 1
		m := newModel(t, b, config)
		train(t, m, 30)
		got, err := m.Continue(t.Context(), "明月", n)
		if err != nil {
			t.Fatal(err)
		}
		indices, err := m.Vocabulary().Encode("明月")
		if err != nil {
			t.Fatal(err)
		}
		for range n {
			next, err := model.CallOnce(b, m.Store(), func(scope *model.Scope, x *Node) *Node {
				h, _ := birnnlib.New(scope, x, config.Hidden...).OneHot(m.Vocabulary().Size()).
					Activation(activation.TypeSigmoid).BothForward(asPosted).Done()
				o := birnnlib.Output(scope, h, m.Vocabulary().Size(), nil)
				return Reshape(ArgMax(Slice(o, AxisElem(len(indices)-1)), -1))
			}, tensors.FromFlatDataAndDimensions(append([]int32(nil), indices...), len(indices), 1))
			if err != nil {
				t.Fatal(err)
			}
			indices = append(indices, tensors.ToScalar[int32](next))
		}
		if want := m.Vocabulary().Decode(indices); got != want {
			t.Errorf("as posted %t: continued as %q, want %q", asPosted, got, want)
		}
	}
}

// TestContinueBesideTraining continues a text after every mini-batch of a training that carries its states: neither moves
// the states of the other.
func TestContinueBesideTraining(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		config := small()
		config.AsPosted = true
		config.LearningRate, config.Clip = 5, 1
		alone := newModel(t, b, config)
		want := train(t, alone, 3)
		text, err := alone.Continue(t.Context(), "明月", 4)
		if err != nil {
			t.Fatal(err)
		}
		m := newModel(t, b, config)
		var got []float64
		err = m.Train(t.Context(), 3, charlm.Callbacks{
			Batch: func(charlm.Position, int) {
				if _, err := m.Continue(t.Context(), "春", 2); err != nil {
					t.Error(err)
				}
			},
			Epoch: func(e charlm.Epoch) error { got = append(got, e.Perplexity); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("perplexities %v with texts in between, %v without", got, want)
		}
		if after, err := m.Continue(t.Context(), "明月", 4); err != nil || after != text {
			t.Errorf("continued as %q, %v; want %q", after, err, text)
		}
	})
}

func TestContinueErrors(t *testing.T) {
	m := newModel(t, backendtest.Go(t), small())
	for prefix, want := range map[string]string{"": "empty", "春x": "x"} {
		if _, err := m.Continue(t.Context(), prefix, 3); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("prefix %q: error %v, want one that says %q", prefix, err, want)
		}
	}
	if _, err := m.Continue(t.Context(), "春", -1); err == nil || !strings.Contains(err.Error(), "by -1 characters; give 0 or more") {
		t.Errorf("by -1 characters: error %v", err)
	}
	if got, err := m.Continue(t.Context(), "春", 0); err != nil || got != "春" {
		t.Errorf("continued by nothing: %q, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Continue(ctx, "春", 3); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

func TestNewErrors(t *testing.T) {
	b := backendtest.Go(t)
	for want, change := range map[string]func(*charlm.Config){
		"at least one layer":   func(c *charlm.Config) { c.Hidden = nil },
		"layer 2":              func(c *charlm.Config) { c.Hidden = append(c.Hidden, birnnlib.Sizes{Backward: -1}) },
		`"softplus"`:           func(c *charlm.Config) { c.Activation = "softplus" },
		"learning rate is -1":  func(c *charlm.Config) { c.LearningRate = -1 },
		"clipping norm is NaN": func(c *charlm.Config) { c.Clip = math.NaN() },
		"60 characters":        func(c *charlm.Config) { c.Steps = 60 },
		"the batch":            func(c *charlm.Config) { c.Batch = 0 },
	} {
		config := small()
		change(&config)
		if _, err := charlm.New(b, poem, config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if _, err := charlm.New(b, "", small()); err == nil {
		t.Error("an empty corpus is no error")
	}
}
