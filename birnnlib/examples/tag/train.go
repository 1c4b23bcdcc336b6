package tag

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"slices"

	"birnn/birnnlib/examples/crf"
	"birnn/birnnlib/examples/training"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Position says how many epochs and mini-batches of a training are complete.
type Position = training.Position

// Epoch summarises one finished epoch. Its Loss is the mean cross-entropy of a time step, or with [Config.CRF] the negative
// log-likelihood for each time step.
type Epoch = training.Epoch

// Callbacks follow a training.
type Callbacks = training.Callbacks

// Train trains until Config.Epochs epochs are complete, from wherever the training stands. Examples returns what is to be
// learned in an epoch; it must depend on the epoch's number alone, which counts from 1.
//
// When the context is cancelled, Train stops after the running mini-batch and returns the context's error; nothing
// learned is lost, and calling Train again resumes as if nothing had happened. If the loss or a parameter becomes
// infinite or NaN, the error is [training.ErrDiverged].
func (m *Model) Train(ctx context.Context, examples func(epoch int) []Example, callbacks Callbacks) error {
	if examples == nil {
		return errors.New("tag: Train got no function that returns the examples of an epoch; pass one")
	}
	return m.train.Run(ctx, m.config.Epochs, func(epoch, from int) (int, iter.Seq[[]any], error) {
		learned := examples(epoch)
		if err := m.task.checkExamples(learned, m.config); err != nil {
			return 0, nil, err
		}
		batches := m.batches(learned, epoch)
		return len(batches), func(yield func([]any) bool) {
			for i, b := range batches[from:] { // Run checks from
				x, y, lengths := m.task.tensors(learned, b)
				done := (float64(epoch-1) + float64(from+i)/float64(len(batches))) / float64(m.config.Epochs)
				if !yield([]any{x, y, lengths, float32(m.config.LearningRate * (1 - done))}) {
					return
				}
			}
		}, nil
	}, callbacks)
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

// trainGraph is one training step on x [F, T, n], their classes y [T, n] and lengths [n], at the learning rate rate. The loss is added up in a
// variable, so that nothing leaves the device.
func (m *Model) trainGraph(scope *model.Scope, x, y, lengths, rate *Node) {
	g := x.Graph()
	m.store.SetTraining(g, true)
	o := m.outputs(scope, x, lengths)
	var l, count *Node
	if m.config.CRF {
		count = ConvertDType(ReduceAllSum(lengths), o.DType())
		l = Div(ReduceAllSum(crf.NegativeLogLikelihood(scope.In(crfScope), o, y, lengths)), count)
	} else {
		l, count = meanLoss(o, y)
	}
	training.AddLoss(scope, l, count)
	optimizer.LearningRateVar(scope, l.DType(), m.config.LearningRate).SetNodeValue(rate)
	adam := optimizer.Adam().LearningRate(m.config.LearningRate).Done().(train.OptimizeWithGradients)
	_, gradients := training.Gradients(scope, l, m.config.Clip)
	adam.UpdateGraphWithGradients(scope, gradients, l.DType())
}

// meanLoss returns the mean cross-entropy over the time steps whose class is known, and their number.
func meanLoss(o, y *Node) (l, count *Node) {
	known := GreaterOrEqual(y, ZerosLike(y))
	y = InsertAxes(Where(known, y, ZerosLike(y)), -1)
	l = loss.SparseCategoricalCrossEntropyLogits([]*Node{y, known}, []*Node{o})
	return l, ReduceAllSum(ConvertDType(known, l.DType()))
}
