package charlm

import (
	"context"
	"iter"
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/text"
	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// Position says how many epochs and mini-batches of a training are complete.
type Position = training.Position

// Epoch summarises one finished epoch. Its Loss is the mean cross-entropy of a character.
type Epoch = training.Epoch

// Callbacks follow a training.
type Callbacks = training.Callbacks

// Train trains until epochs epochs in all are complete, from wherever the training stands.
//
// When the context is cancelled, Train stops after the running mini-batch and returns the context's error; nothing
// learned is lost, and calling Train again resumes as if nothing had happened. If the loss or a parameter becomes
// infinite or NaN, the error is [training.ErrDiverged].
func (m *Model) Train(ctx context.Context, epochs int, callbacks Callbacks) error {
	return m.train.Run(ctx, epochs, m.batches, callbacks)
}

// batches returns the mini-batches of an epoch after the first from, and prepares the model for the epoch.
func (m *Model) batches(epoch, from int) (int, iter.Seq[[]any], error) {
	batches, err := m.config.sample(m.indices, epoch)
	if err != nil {
		return 0, nil, err
	}
	if from == 0 { // the state is carried within an epoch
		if err := birnnlib.ResetStates(m.store.Scope("/")); err != nil {
			return 0, nil, err
		}
	}
	return m.numBatches(), func(yield func([]any) bool) {
		i := 0
		for b := range batches {
			if i++; i <= from {
				continue
			}
			x := tensors.FromFlatDataAndDimensions(b.X, b.Steps, b.Size)
			y := tensors.FromFlatDataAndDimensions(b.Y, b.Steps, b.Size)
			if !yield([]any{x, y}) {
				return
			}
		}
	}, nil
}

// sample cuts the corpus into the mini-batches of an epoch. Those of an epoch under random sampling depend on the seed and
// the epoch's number alone, so that a resumed training sees the same.
func (c *Config) sample(indices []int32, epoch int) (iter.Seq[text.Batch], error) {
	if c.Random {
		return text.Random(indices, c.Batch, c.Steps, rand.New(rand.NewPCG(c.Seed, uint64(epoch-1))))
	}
	return text.Consecutive(indices, c.Batch, c.Steps)
}

// numBatches returns how many mini-batches an epoch has.
func (m *Model) numBatches() int {
	count := text.ConsecutiveBatches
	if m.config.Random {
		count = text.RandomBatches
	}
	return count(len(m.indices), m.config.Batch, m.config.Steps)
}

// trainGraph is one training step on x and its labels y, both [T, n]. The loss is added up in a variable, and the states
// stay in others for the next step, so that nothing leaves the device.
func (m *Model) trainGraph(scope *model.Scope, x, y *Node) {
	g := x.Graph()
	layers := m.layers(scope, x)
	if !m.config.Random {
		layers.Stateful()
	}
	h, _ := layers.Done()
	l := birnnlib.CrossEntropy(m.output(scope, h), y)
	parameters, gradients := training.Gradients(scope, l, m.config.Clip)
	for i, p := range parameters {
		p.SetNodeValue(Sub(p.NodeValue(g), MulScalar(gradients[i], m.config.LearningRate)))
	}
	optimizer.IncrementGlobalStep(g, dtypes.Int64)
	training.AddLoss(scope, l, nil)
}
