// Package training is the loop in which the example models and the lessons learn: epochs of mini-batches, the position
// from which an interrupted training resumes, clipping by the global norm, and an end when the training diverges.
//
// A model brings the graph of one training step and its mini-batches:
//
//	t, err := training.New(backend, store, training.Options{Name: "charlm", LearningRate: η, Clip: θ}, stepGraph)
//	err = t.Run(ctx, epochs, batches, training.Callbacks{})
//
// The step graph computes the loss, adds it up with [AddLoss], so that nothing leaves the device, and updates the
// parameters by [Gradients].
package training

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"birnn/birnnlib"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// ErrDiverged is the error of a training whose loss or parameters have become infinite or NaN.
var ErrDiverged = errors.New("the training diverged")

// Position says how many epochs and mini-batches are complete.
type Position struct {
	Epoch   int           // complete epochs
	Batch   int           // complete mini-batches of the running epoch
	Elapsed time.Duration // time spent in the running epoch
}

// Epoch summarises one finished epoch.
type Epoch struct {
	Number     int           // from 1
	Loss       float64       // mean loss over the epoch; of a step that returns its loss, that of the last mini-batch
	Perplexity float64       `json:"-"` // e^Loss
	Time       time.Duration // from the epoch's start to its end
}

// State is what a checkpoint holds of a training, apart from the variables.
type State struct {
	Position Position
	History  []Epoch // the finished epochs
}

// Callbacks follow a training. Each may be nil.
type Callbacks struct {
	// Batch is called after every mini-batch; batches is how many an epoch has.
	Batch func(position Position, batches int)
	// Epoch is called after every epoch. An error ends the training and is returned.
	Epoch func(Epoch) error
}

// Batches returns the number n of mini-batches of an epoch, which counts from 1, and the inputs of the step for those
// after the first from. They must depend on the epoch's number alone, so that a resumed training sees the same.
type Batches func(epoch, from int) (n int, batches iter.Seq[[]any], err error)

// Options hold the name and the settings that error messages quote; the step graph applies the learning rate and the clipping.
type Options struct {
	Name         string // prefix of the errors
	LearningRate float64
	Clip         float64 // largest global norm of the gradient; 0: not clipped
}

// Training trains the variables of a store. It must not be used from several goroutines at once.
type Training struct {
	options   Options
	state     State
	store     *model.Store
	step      *model.Exec
	loss      float64   // of the last mini-batch, if the step returns it
	lastCheck time.Time // of the loss
}

// New returns a training at its beginning. The step is a graph function for one mini-batch, as model.NewExec takes; it
// returns nothing, or the loss, a scalar of float32.
func New[F model.ExecGraphFn](backend compute.Backend, store *model.Store, options Options, step F) (*Training, error) {
	switch {
	case backend == nil:
		return nil, fmt.Errorf("%s: the backend is nil; open one with backend.Open", options.Name)
	case store == nil:
		return nil, fmt.Errorf("%s: the store is nil; make one with model.NewStore", options.Name)
	case reflect.ValueOf(step).IsNil():
		return nil, fmt.Errorf("%s: the step is nil; pass the graph function of one training step", options.Name)
	}
	exec, err := model.NewExec(backend, store, step)
	if err != nil {
		return nil, err
	}
	return &Training{options: options, store: store, step: exec}, nil
}

// Finalize frees the compiled step. The training must not be used after that.
func (t *Training) Finalize() { t.step.Finalize() }

// State returns the state, for a checkpoint.
func (t *Training) State() State { return t.state }

// Restore continues from the state of a checkpoint, whose variables the store must have.
func (t *Training) Restore(s State) {
	t.state = s
	for i := range s.History {
		s.History[i].Perplexity = math.Exp(s.History[i].Loss)
	}
}

// Loss returns the loss of the last mini-batch, for a step that returns it.
func (t *Training) Loss() float64 { return t.loss }

// checkEvery is how much time may pass before a loss that is added up on the device is looked at.
const checkEvery = time.Second

// Run trains until the given number of epochs is complete, from wherever the training stands.
//
// When the context is cancelled, Run stops after the running mini-batch and returns the context's error; nothing learned
// is lost, and calling Run again resumes as if nothing had happened. A training that diverges ends with [ErrDiverged].
func (t *Training) Run(ctx context.Context, epochs int, batches Batches, callbacks Callbacks) error {
	if epochs < 0 {
		return fmt.Errorf("%s: Run got %d epochs; give 0 or more", t.options.Name, epochs)
	}
	if batches == nil {
		return fmt.Errorf("%s: Run got no function for the mini-batches of an epoch; pass one", t.options.Name)
	}
	for t.state.Position.Epoch < epochs {
		p := &t.state.Position
		start := time.Now().Add(-p.Elapsed)
		n, rest, err := batches(p.Epoch+1, p.Batch)
		if err != nil {
			return err
		}
		if n < 1 || p.Batch > n || rest == nil {
			return fmt.Errorf("%s: epoch %d has %d mini-batches, after %d that are complete; give at least one, and the same when a training goes on",
				t.options.Name, p.Epoch+1, n, p.Batch)
		}
		if p.Batch == 0 {
			if err := t.zeroSums(); err != nil {
				return err
			}
		}
		for inputs := range rest {
			if err := ctx.Err(); err != nil {
				return err
			}
			outputs, err := t.step.Call(inputs...)
			if err != nil {
				return fmt.Errorf("%s: training failed in epoch %d, mini-batch %d: %w", t.options.Name, p.Epoch+1, p.Batch+1, err)
			}
			p.Batch, p.Elapsed = p.Batch+1, time.Since(start)
			if err := t.checkLoss(outputs); err != nil {
				return err
			}
			if callbacks.Batch != nil {
				callbacks.Batch(*p, n)
			}
		}
		if p.Batch != n {
			return fmt.Errorf("%s: epoch %d was to have %d mini-batches and had %d; let Batches return their number", t.options.Name, p.Epoch+1, n, p.Batch)
		}
		l, err := t.meanLoss(n)
		if err != nil {
			return err
		}
		if err := t.finite(l); err != nil {
			return err
		}
		if err := t.CheckFinite(); err != nil {
			return err
		}
		finished := Epoch{p.Epoch + 1, l, math.Exp(l), time.Since(start)}
		t.state = State{Position{Epoch: finished.Number}, append(t.state.History, finished)}
		if callbacks.Epoch != nil {
			if err := callbacks.Epoch(finished); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkLoss looks at the loss that the step returned, or, once in a while, at the sum of the losses.
func (t *Training) checkLoss(outputs []*tensors.Tensor) error {
	if len(outputs) > 0 {
		if s := outputs[0].Shape(); !s.IsScalar() || s.DType != dtypes.Float32 {
			return fmt.Errorf("%s: the step returned %s; it must return the loss, a scalar of float32, or nothing and call AddLoss", t.options.Name, s)
		}
		t.loss = float64(tensors.ToScalar[float32](outputs[0]))
		return t.finite(t.loss)
	}
	if time.Since(t.lastCheck) < checkEvery {
		return nil
	}
	t.lastCheck = time.Now()
	sum, ok, err := t.sum(lossName)
	if err != nil || !ok {
		return err
	}
	return t.finite(sum)
}

func (t *Training) finite(loss float64) error {
	if isFinite(loss) {
		return nil
	}
	return t.diverged(fmt.Sprintf("the loss is %g", loss))
}

// CheckFinite returns an error, [ErrDiverged], if a variable holds an infinity or NaN. Call it before saving: such a model
// must not replace a good one.
func (t *Training) CheckFinite() error {
	for v := range t.store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return err
		}
		bad := false
		if err := value.ConstFlatData(func(flat any) {
			switch flat := flat.(type) {
			case []float32:
				bad = !allFinite(flat)
			case []float64:
				bad = !allFinite(flat)
			}
		}); err != nil {
			return err
		}
		if bad {
			return t.diverged(v.Path() + " is not finite")
		}
	}
	return nil
}

func (t *Training) diverged(what string) error {
	remedy := fmt.Sprintf("lower the learning rate (%g) or the clipping norm (%g)", t.options.LearningRate, t.options.Clip)
	if t.options.Clip == 0 {
		remedy = fmt.Sprintf("lower the learning rate (%g) or clip the gradient", t.options.LearningRate)
	}
	p := t.state.Position
	return fmt.Errorf("%s: %w after %d epochs and %d mini-batches: %s; %s", t.options.Name, ErrDiverged, p.Epoch, p.Batch, what, remedy)
}

func allFinite[T float32 | float64](values []T) bool {
	for _, v := range values {
		if v-v != 0 {
			return false
		}
	}
	return true
}

func isFinite(v float64) bool { return v-v == 0 }

// Names of the variables, in the scope "train", in which the step adds up what a mean loss takes.
const (
	trainScope = "train"
	lossName   = "loss_sum" // of the running epoch
	countName  = "count"    // of what the losses are a mean of; without it every mini-batch counts the same
)

// AddLoss adds the loss l of a mini-batch, a mean over count items, to the sum of its epoch, which is of float32. Both are
// scalars of a float type; if count is nil, all mini-batches have equally many.
func AddLoss(scope *model.Scope, l, count *Node) {
	for _, value := range []*Node{l, count} {
		if value != nil && !(value.IsScalar() && value.DType().IsFloat()) {
			Panicf("training.AddLoss: got %s; the loss and the count must be scalars of a float type", value.Shape())
		}
	}
	sums := scope.In(trainScope).WithInitializer(initializer.Zero)
	add := func(name string, value *Node) {
		value = ConvertDType(value, dtypes.Float32)
		sum := sums.VariableWithShape(name, shapes.Make(dtypes.Float32)).SetTrainable(false)
		sum.SetNodeValue(Add(sum.NodeValue(value.Graph()), value))
	}
	if count == nil {
		add(lossName, l)
		return
	}
	add(lossName, Mul(ConvertDType(l, dtypes.Float32), ConvertDType(count, dtypes.Float32)))
	add(countName, count)
}

// sum returns the value of a sum, and whether it is there: it is not before the first step.
func (t *Training) sum(name string) (sum float64, ok bool, err error) {
	v := t.store.GetVariable(model.JoinPath("/", trainScope, name))
	if v == nil {
		return 0, false, nil
	}
	value, err := v.Value()
	if err != nil {
		return 0, false, err
	}
	return float64(tensors.ToScalar[float32](value)), true, nil
}

func (t *Training) zeroSums() error {
	for _, name := range []string{lossName, countName} {
		if v := t.store.GetVariable(model.JoinPath("/", trainScope, name)); v != nil {
			if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
				return err
			}
		}
	}
	return nil
}

// meanLoss returns the mean loss of an epoch of n mini-batches.
func (t *Training) meanLoss(n int) (float64, error) {
	sum, ok, err := t.sum(lossName)
	if err != nil {
		return 0, err
	}
	if !ok {
		return t.loss, nil
	}
	count, ok, err := t.sum(countName)
	if !ok {
		count = float64(n)
	}
	return sum / count, err
}

// CheckPositive returns an error if v is not a positive number. What names the value.
func CheckPositive(what string, v float64) error {
	if v > 0 && isFinite(v) {
		return nil
	}
	return fmt.Errorf("%s is %g; it must be a positive number", what, v)
}

// Differences lists the settings in which two configurations differ.
type Differences []string

// Add adds a setting if its values differ.
func (d *Differences) Add(name string, a, b any) {
	if as, bs := text(a), text(b); as != bs {
		*d = append(*d, fmt.Sprintf("%s %s instead of %s", name, as, bs))
	}
}

// String returns the list; "" for none.
func (d Differences) String() string { return strings.Join(d, ", ") }

func text(v any) string {
	if sizes, ok := v.([]birnnlib.Sizes); ok {
		return FormatSizes(sizes)
	}
	return fmt.Sprint(v)
}

// FormatSizes writes the hidden sizes of several layers as [ParseSizes] reads them.
func FormatSizes(sizes []birnnlib.Sizes) string {
	parts := make([]string, len(sizes))
	for i, s := range sizes {
		parts[i] = s.String()
	}
	return strings.Join(parts, ",")
}

// ParseSizes reads the hidden sizes of several layers in the form of [birnnlib.Sizes.String], separated by commas: "256" is
// one layer, "256+128,64" two, the first of different sizes forward and backward.
func ParseSizes(s string) ([]birnnlib.Sizes, error) {
	var sizes []birnnlib.Sizes
	for layer := range strings.SplitSeq(s, ",") {
		forward, backward, differ := strings.Cut(layer, "+")
		if !differ {
			backward = forward
		}
		hf, errF := strconv.Atoi(strings.TrimSpace(forward))
		hb, errB := strconv.Atoi(strings.TrimSpace(backward))
		if errF != nil || errB != nil || hf < 0 || hb < 0 || hf+hb == 0 {
			return nil, fmt.Errorf("hidden sizes %q: layer %d is %q; write numbers, as in 256 or 256+128,64 (256+0 is forward only)", s, len(sizes)+1, layer)
		}
		sizes = append(sizes, birnnlib.Sizes{Forward: hf, Backward: hb})
	}
	return sizes, nil
}
