package training_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib/examples/training"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

const perEpoch = 4

// line is a training of w to the mean of x by plain gradient descent on (w - x)²/2: each step takes w to w + η (x - w).
type line struct {
	*training.Training
	store *model.Store
	drawn []string // the mini-batches that were computed
}

func newLine(t *testing.T, b compute.Backend, η float64) *line {
	t.Helper()
	l := &line{store: model.NewStore()}
	var err error
	l.Training, err = training.New(b, l.store, training.Options{Name: "line", LearningRate: η, Clip: 1e30}, func(scope *model.Scope, x *Node) {
		loss := MulScalar(ReduceAllMean(Square(Sub(scope.VariableWithValue("w", float32(0)).NodeValue(x.Graph()), x))), 0.5)
		parameters, gradients := training.Gradients(scope, loss, 1e30)
		for i, p := range parameters {
			p.SetNodeValue(Sub(p.NodeValue(x.Graph()), MulScalar(gradients[i], η)))
		}
		training.AddLoss(scope, loss, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// batches are those of an epoch: the x of mini-batch i of epoch e is e + i.
func (l *line) batches(epoch, from int) (int, iter.Seq[[]any], error) {
	return perEpoch, func(yield func([]any) bool) {
		for i := from + 1; i <= perEpoch; i++ {
			l.drawn = append(l.drawn, fmt.Sprint(epoch, ".", i))
			if !yield([]any{[]float32{float32(epoch + i)}}) {
				return
			}
		}
	}, nil
}

func (l *line) w() float64 {
	return float64(tensors.ToScalar[float32](l.store.GetVariable("/w").MustValue()))
}

// TestRun compares parameters, losses and callbacks with the definition, on each backend.
func TestRun(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		const η = 0.25
		l := newLine(t, b, η)
		var positions []string
		var epochs []training.Epoch
		err := l.Run(t.Context(), 2, l.batches, training.Callbacks{
			Batch: func(p training.Position, n int) {
				positions = append(positions, fmt.Sprint(p.Epoch, ".", p.Batch, "/", n))
			},
			Epoch: func(e training.Epoch) error { epochs = append(epochs, e); return nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if want := strings.Fields("0.1/4 0.2/4 0.3/4 0.4/4 1.1/4 1.2/4 1.3/4 1.4/4"); !slices.Equal(positions, want) {
			t.Errorf("positions %v, want %v", positions, want)
		}
		w := 0.0
		for e := 1; e <= 2; e++ {
			sum := 0.0
			for i := 1; i <= perEpoch; i++ {
				x := float64(e + i)
				sum += (w - x) * (w - x) / 2
				w += η * (x - w)
			}
			got, loss := epochs[e-1], sum/perEpoch
			if got.Number != e || math.Abs(got.Loss-loss) > 1e-5 || got.Perplexity != math.Exp(got.Loss) {
				t.Errorf("epoch %+v, want number %d and loss %g", got, e, loss)
			}
		}
		if math.Abs(l.w()-w) > 1e-5 {
			t.Errorf("w = %g, want %g", l.w(), w)
		}
		if s := l.State(); s.Position != (training.Position{Epoch: 2}) || !reflect.DeepEqual(s.History, epochs) {
			t.Errorf("state %+v", s)
		}
	})
}

// TestInterrupt cancels after every possible number of mini-batches, and resumes: on the same training, or on another one
// from its state. No mini-batch is computed twice, and the result is the same to the last bit.
func TestInterrupt(t *testing.T) {
	b := backendtest.Go(t)
	whole := newLine(t, b, 0.25)
	if err := whole.Run(t.Context(), 3, whole.batches, training.Callbacks{}); err != nil {
		t.Fatal(err)
	}
	for after := 1; after < 3*perEpoch; after++ {
		for _, other := range []bool{false, true} {
			l := newLine(t, b, 0.25)
			ctx, cancel := context.WithCancel(t.Context())
			left := after
			err := l.Run(ctx, 3, l.batches, training.Callbacks{Batch: func(training.Position, int) {
				if left--; left == 0 {
					cancel()
				}
			}})
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("interrupted: error %v", err)
			}
			if p := l.State().Position; p.Epoch*perEpoch+p.Batch != after {
				t.Errorf("interrupted after %d mini-batches at %+v", after, p)
			}
			drawn := l.drawn[:after] // one more may have been drawn, but not computed
			if other {
				resumed := newLine(t, b, 0.25)
				for v := range l.store.IterVariables() {
					if _, err := resumed.store.CreateVariable(v.Path(), v.MustValue()); err != nil {
						t.Fatal(err)
					}
				}
				resumed.Restore(l.State())
				l = resumed
			} else {
				l.drawn = nil
			}
			if err := l.Run(t.Context(), 3, l.batches, training.Callbacks{}); err != nil {
				t.Fatal(err)
			}
			if all := slices.Concat(drawn, l.drawn); !slices.Equal(all, whole.drawn) {
				t.Errorf("after %d, another training %t: mini-batches %v, want %v", after, other, all, whole.drawn)
			}
			same := slices.EqualFunc(l.State().History, whole.State().History, func(a, b training.Epoch) bool {
				return a.Number == b.Number && a.Loss == b.Loss && a.Perplexity == b.Perplexity
			})
			if l.w() != whole.w() || !same {
				t.Errorf("after %d, another training %t: w %g and %+v, want %g and %+v", after, other, l.w(), l.State().History, whole.w(), whole.State().History)
			}
		}
	}
}

// TestDiverged: at a learning rate of 1e20 the loss overflows in a few steps, at the latest by the end of an epoch it is
// noticed, and no callback hears of what comes after.
func TestDiverged(t *testing.T) {
	l := newLine(t, backendtest.Go(t), 1e20)
	epochs := 0
	err := l.Run(t.Context(), 5, l.batches, training.Callbacks{Epoch: func(training.Epoch) error { epochs++; return nil }})
	if !errors.Is(err, training.ErrDiverged) || epochs > 0 {
		t.Fatalf("error %v after %d epochs", err, epochs)
	}
	for _, want := range []string{"line: ", "lower the learning rate (1e+20)", "clipping norm (1e+30)", "0 epochs"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not say %q", err, want)
		}
	}
	if err := l.CheckFinite(); !errors.Is(err, training.ErrDiverged) {
		t.Errorf("the variables: error %v", err)
	}
	// A parameter can be infinite before a loss is.
	l = newLine(t, backendtest.Go(t), 0.25)
	if err := l.Run(t.Context(), 1, l.batches, training.Callbacks{}); err != nil {
		t.Fatal(err)
	}
	if err := l.CheckFinite(); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []*tensors.Tensor{tensors.FromValue(float32(math.Inf(1))), tensors.FromValue([]float32{1, float32(math.NaN())}), tensors.FromValue(math.Inf(-1))} {
		v, err := l.store.CreateVariable("bad", bad)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CheckFinite(); !errors.Is(err, training.ErrDiverged) || !strings.Contains(err.Error(), v.Path()) {
			t.Errorf("%v: error %v", bad, err)
		}
		if err := l.store.DeleteVariable(v.Path()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestErrors: errors of the mini-batches, the step and the callback end the training.
func TestErrors(t *testing.T) {
	l, stop := newLine(t, backendtest.Go(t), 0.25), errors.New("stop")
	err := l.Run(t.Context(), 1, func(int, int) (int, iter.Seq[[]any], error) { return 0, nil, stop }, training.Callbacks{})
	if err != stop {
		t.Errorf("mini-batches: error %v", err)
	}
	wrong := func(int, int) (int, iter.Seq[[]any], error) { return 1, slices.Values([][]any{{"no tensor"}}), nil }
	if err := l.Run(t.Context(), 1, wrong, training.Callbacks{}); err == nil || !strings.Contains(err.Error(), "epoch 1, mini-batch 1") {
		t.Errorf("the step: error %v", err)
	}
	for want, batches := range map[string]training.Batches{
		"no function for the mini-batches":            nil,
		"epoch 1 has 0 mini-batches, after 0":         func(int, int) (int, iter.Seq[[]any], error) { return 0, nil, nil },
		"epoch 1 has 5 mini-batches, after 0":         func(int, int) (int, iter.Seq[[]any], error) { return 5, nil, nil },
		"was to have 5 mini-batches and had 4; let B": func(e, from int) (int, iter.Seq[[]any], error) { _, b, err := l.batches(e, from); return 5, b, err },
	} {
		l, batched := newLine(t, backendtest.Go(t), 0.25), batches
		if err := l.Run(t.Context(), 1, batched, training.Callbacks{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if err := l.Run(t.Context(), -1, l.batches, training.Callbacks{}); err == nil || !strings.Contains(err.Error(), "got -1 epochs") {
		t.Errorf("-1 epochs: error %v", err)
	}
	fewer := newLine(t, backendtest.Go(t), 0.25)
	fewer.Restore(training.State{Position: training.Position{Epoch: 1, Batch: 5}})
	if err := fewer.Run(t.Context(), 2, fewer.batches, training.Callbacks{}); err == nil || !strings.Contains(err.Error(), "epoch 2 has 4 mini-batches, after 5") {
		t.Errorf("fewer mini-batches after an interruption: error %v", err)
	}
	if err := l.Run(t.Context(), 3, l.batches, training.Callbacks{Epoch: func(training.Epoch) error { return stop }}); err != stop || l.State().Position.Epoch != 1 {
		t.Errorf("the callback: error %v at %+v", err, l.State().Position)
	}
}

// TestGraphErrors: what a step builds or returns is checked.
func TestGraphErrors(t *testing.T) {
	b := backendtest.Go(t)
	run := func(backend compute.Backend, store *model.Store, step func(scope *model.Scope, x *Node) *Node) error {
		l, err := training.New(backend, store, training.Options{Name: "step"}, step)
		if err != nil {
			return err
		}
		return l.Run(t.Context(), 1, func(int, int) (int, iter.Seq[[]any], error) {
			return 1, slices.Values([][]any{{[]float64{1, 2}}}), nil
		}, training.Callbacks{})
	}
	w := func(scope *model.Scope, x *Node) *Node { return scope.VariableWithValue("w", 1.0).NodeValue(x.Graph()) }
	for want, step := range map[string]func(scope *model.Scope, x *Node) *Node{
		"the step is nil":                           nil,
		"the step returned (Float64)[2]":            func(_ *model.Scope, x *Node) *Node { return x },
		"AddLoss: got (Float64)[2]":                 func(s *model.Scope, x *Node) *Node { training.AddLoss(s, x, nil); return x },
		"AddLoss: got (Int32)":                      func(s *model.Scope, x *Node) *Node { training.AddLoss(s, Const(x.Graph(), int32(1)), nil); return x },
		"uses no trainable variable in the scope /": func(s *model.Scope, x *Node) *Node { training.Gradients(s, ReduceAllSum(x), 0); return x },
		"got 1 gradients and the norm -1":           func(s *model.Scope, x *Node) *Node { training.Gradients(s, w(s, x), -1); return x },
		"got 0 gradients and the norm 1":            func(_ *model.Scope, x *Node) *Node { training.ClipByGlobalNorm(nil, 1); return x },
	} {
		if err := run(b, model.NewStore(), step); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if err := run(nil, model.NewStore(), w); err == nil || !strings.Contains(err.Error(), "backend is nil") {
		t.Errorf("no backend: error %v", err)
	}
	if err := run(b, nil, w); err == nil || !strings.Contains(err.Error(), "store is nil") {
		t.Errorf("no store: error %v", err)
	}
}

// TestFloat64: the loss of a model in float64 can be added up.
func TestFloat64(t *testing.T) {
	l, err := training.New(backendtest.Go(t), model.NewStore(), training.Options{Name: "float64"}, func(scope *model.Scope, x *Node) {
		training.AddLoss(scope, ReduceAllMean(x), Const(x.Graph(), 2.0))
	})
	if err != nil {
		t.Fatal(err)
	}
	err = l.Run(t.Context(), 1, func(int, int) (int, iter.Seq[[]any], error) {
		return 2, slices.Values([][]any{{[]float64{1, 3}}, {[]float64{4, 4}}}), nil
	}, training.Callbacks{})
	if err != nil || l.State().History[0].Loss != 3 {
		t.Errorf("history %v, error %v; want the loss 3", l.State().History, err)
	}
}

// TestGradients compares with values by hand: l = a + 2b + 2c has the gradient (1, 2, 2), of norm 3. The variables are in
// the order in which they were made.
func TestGradients(t *testing.T) {
	b := backendtest.Go(t)
	for clip, want := range map[float64][]float32{0: {2, 1, 2}, 30: {2, 1, 2}, 1.5: {1, 0.5, 1}} {
		store := model.NewStore()
		var order []string
		outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, x *Node) []*Node {
			of := func(name string) *Node { return scope.VariableWithValue(name, float32(0)).NodeValue(x.Graph()) }
			B, A, C := of("b"), of("a"), of("c")
			of("unused")
			l := Add(Add(Mul(A, x), MulScalar(B, 2)), MulScalar(C, 2))
			parameters, gradients := training.Gradients(scope, l, clip)
			for _, p := range parameters {
				order = append(order, p.Path())
			}
			return gradients[:3]
		}, float32(1))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(order[:3], []string{"/b", "/a", "/c"}) {
			t.Errorf("order %v", order)
		}
		for i, g := range outputs {
			if got := tensors.ToScalar[float32](g); math.Abs(float64(got-want[i])) > 1e-6 {
				t.Errorf("clip %g: gradient of %s is %g, want %g", clip, order[i], got, want[i])
			}
		}
	}
}

// TestAddLoss: with counts, the mean is that of the items.
func TestAddLoss(t *testing.T) {
	store := model.NewStore()
	l, err := training.New(backendtest.Go(t), store, training.Options{Name: "counts"}, func(scope *model.Scope, l, count *Node) {
		training.AddLoss(scope, l, count)
	})
	if err != nil {
		t.Fatal(err)
	}
	batches := func(epoch, from int) (int, iter.Seq[[]any], error) {
		return 2, slices.Values([][]any{{float32(1), float32(3)}, {float32(5), float32(1)}}[from:]), nil
	}
	for range 2 { // the second epoch starts from zero
		if err := l.Run(t.Context(), l.State().Position.Epoch+1, batches, training.Callbacks{}); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range l.State().History {
		if e.Loss != 2 {
			t.Errorf("loss %g, want (1·3 + 5·1) / 4 = 2", e.Loss)
		}
	}
}

func TestCheckPositive(t *testing.T) {
	for v, good := range map[float64]bool{1e-300: true, 0: false, -1: false, math.Inf(1): false, math.NaN(): false} {
		if err := training.CheckPositive("the rate", v); (err == nil) != good || err != nil && !strings.Contains(err.Error(), "the rate is") {
			t.Errorf("%g: error %v", v, err)
		}
	}
}
