package tag

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"birnn/birnnlib/examples/charlm"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/pkg/errors"
)

// Position is how far the training has come.
type Position struct {
	Epoch   int           // complete epochs
	Batch   int           // complete mini-batches of the running epoch
	Elapsed time.Duration // time spent in the running epoch
}

// Epoch is what one epoch came to.
type Epoch struct {
	Number int           // from 1
	Loss   float64       // the mean cross-entropy of a time step, over the epoch
	Time   time.Duration // from the epoch's start to its end
}

// Callbacks are told how the training goes. Each may be nil.
type Callbacks struct {
	// Batch is called after every mini-batch; batches is how many an epoch has.
	Batch func(position Position, batches int)
	// Epoch is called after every epoch. An error ends the training and is returned.
	Epoch func(Epoch) error
}

// Names of the variables, in the scope "train", that hold the state of the training.
const (
	trainScope = "train"
	lossName   = "loss"  // of the running epoch: the sum of the cross-entropies
	countName  = "count" // … and of how many time steps
)

// Train goes on until Config.Epochs epochs are complete, from wherever the training stands. For every epoch, examples
// returns what is to be learned, always the same for an epoch of the same number, which counts from 1.
//
// When the context is cancelled, Train stops after the running mini-batch and returns the context's error; nothing
// learned is lost, and calling Train again goes on from there as if nothing had happened.
func (m *Model) Train(ctx context.Context, examples func(epoch int) []Example, callbacks Callbacks) error {
	for m.position.Epoch < m.config.Epochs {
		start := time.Now().Add(-m.position.Elapsed)
		epoch := m.position.Epoch + 1
		learned := examples(epoch)
		if err := m.task.checkExamples(learned, m.config.Lengths); err != nil {
			return err
		}
		batches := m.batches(learned, epoch)
		if m.position.Batch == 0 {
			if err := m.zeroSums(); err != nil {
				return err
			}
		}
		for i := m.position.Batch; i < len(batches); i++ {
			if err := ctx.Err(); err != nil {
				return err
			}
			b := batches[i]
			x, y, lengths := m.task.tensors(learned, b)
			done := (float64(epoch-1) + float64(i)/float64(len(batches))) / float64(m.config.Epochs)
			if _, err := m.train.Call(x, y, lengths, float32(m.config.LearningRate*(1-done))); err != nil {
				return errors.WithMessagef(err, "tag: training failed in epoch %d, mini-batch %d", epoch, i+1)
			}
			m.position.Batch, m.position.Elapsed = i+1, time.Since(start)
			if callbacks.Batch != nil {
				callbacks.Batch(m.position, len(batches))
			}
		}
		l, err := m.meanLoss()
		if err != nil {
			return err
		}
		m.position = Position{Epoch: epoch}
		m.history = append(m.history, Epoch{epoch, l, time.Since(start)})
		if callbacks.Epoch != nil {
			if err := callbacks.Epoch(m.history[epoch-1]); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch is some examples, by index, and the number of time steps to which they are padded. Size is how many sequences it
// has; beyond the examples they are empty, so that all mini-batches of a length are of one shape.
type batch struct {
	length, size int
	examples     []int
}

// batches deals the examples out in an order that depends on the seed and the epoch alone, so that a resumed training sees
// the same. Epoch 0 is the order in which they come.
func (m *Model) batches(examples []Example, epoch int) (batches []batch) {
	order := make([]int, len(examples))
	for i := range order {
		order[i] = i
	}
	rng := rand.New(rand.NewPCG(m.config.Seed, uint64(epoch)))
	if epoch > 0 {
		rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	open := map[int]*batch{} // by length
	for _, i := range order {
		length := m.config.padded(len(examples[i].Features[0]))
		b := open[length]
		if b == nil {
			b = &batch{length: length, size: max(1, m.config.Batch/length)}
			open[length] = b
		}
		if b.examples = append(b.examples, i); len(b.examples) == b.size {
			batches = append(batches, *b)
			delete(open, length)
		}
	}
	var rest []batch
	for _, b := range open {
		rest = append(rest, *b)
	}
	slices.SortFunc(rest, func(a, b batch) int { return cmp.Compare(a.length, b.length) })
	batches = append(batches, rest...)
	if epoch > 0 {
		rng.Shuffle(len(batches), func(i, j int) { batches[i], batches[j] = batches[j], batches[i] })
	}
	return batches
}

// padded returns the length to which a sequence is padded: one of Lengths, or, if it is longer than all of them, a
// multiple of the last.
func (c *Config) padded(length int) int {
	i, _ := slices.BinarySearch(c.Lengths, length)
	if i < len(c.Lengths) {
		return c.Lengths[i]
	}
	last := c.Lengths[len(c.Lengths)-1]
	return (length + last - 1) / last * last
}

// trainGraph is one training step on x [F, T, n], their classes y [T, n] and lengths [n]. The loss is added up in a
// variable: nothing leaves the device.
func (m *Model) trainGraph(scope *model.Scope, x, y, lengths, rate *Node) {
	g := x.Graph()
	m.store.SetTraining(g, true)
	o := m.outputs(scope, x, lengths)
	known := GreaterOrEqual(y, ZerosLike(y))
	y = InsertAxes(Where(known, y, ZerosLike(y)), -1)
	l := loss.SparseCategoricalCrossEntropyLogits([]*Node{y, known}, []*Node{o})

	sums := scope.In(trainScope).WithInitializer(initializer.Zero)
	count := ReduceAllSum(ConvertDType(known, l.DType()))
	add := func(name string, value *Node) {
		sum := sums.VariableWithShape(name, shapes.Make(dtypes.Float32)).SetTrainable(false)
		sum.SetNodeValue(Add(sum.NodeValue(g), value))
	}
	add(lossName, Mul(l, count))
	add(countName, count)
	optimizer.LearningRateVar(scope, l.DType(), m.config.LearningRate).SetNodeValue(rate)
	adam := optimizer.Adam().LearningRate(m.config.LearningRate).Done().(train.OptimizeWithGradients)
	adam.UpdateGraphWithGradients(scope, m.gradients(scope, l), l.DType())
}

// gradients returns the clipped gradients of l, in the order of the variables that the optimizer expects. Their norm is
// added up in the order of the paths: GoMLX's own is that of creation, which is another one in a model that was loaded,
// and the last bits would differ.
func (m *Model) gradients(scope *model.Scope, l *Node) []*Node {
	g := l.Graph()
	var parameters []*model.Variable
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			parameters = append(parameters, v)
		}
	}
	order := make([]int, len(parameters))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(parameters[i].Path(), parameters[j].Path()) })
	values := make([]*Node, len(parameters))
	for k, i := range order {
		values[k] = parameters[i].NodeValue(g)
	}
	gradients := make([]*Node, len(parameters))
	for k, clipped := range charlm.ClipByGlobalNorm(Gradient(l, values...), m.config.Clip) {
		gradients[order[k]] = clipped
	}
	return gradients
}

func (m *Model) sum(name string) *model.Variable {
	return m.store.GetVariable(model.JoinPath("/", trainScope, name))
}

// zeroSums zeroes the sums of the losses, as every epoch starts.
func (m *Model) zeroSums() error {
	for _, name := range []string{lossName, countName} {
		if v := m.sum(name); v != nil { // not before the first step
			if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Model) meanLoss() (float64, error) {
	var values [2]float64
	for i, name := range []string{lossName, countName} {
		value, err := m.sum(name).Value()
		if err != nil {
			return 0, err
		}
		values[i] = float64(tensors.ToScalar[float32](value))
	}
	return values[0] / values[1], nil
}
