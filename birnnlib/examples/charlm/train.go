package charlm

import (
	"context"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/text"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/pkg/errors"
)

// Epoch is what one epoch came to.
type Epoch struct {
	Number     int           // from 1
	Perplexity float64       // e to the mean cross-entropy of a character, over the epoch
	Time       time.Duration // from the epoch's start to its end
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
	trainScope  = "train"
	lossSumName = "loss_sum" // of the running epoch: the sum of the mini-batches' mean losses
)

// Train goes on until epochs epochs are complete in all, from wherever the training stands.
//
// When the context is cancelled, Train stops after the running mini-batch and returns the context's error; nothing
// learned is lost, and calling Train again goes on from there as if nothing had happened.
func (m *Model) Train(ctx context.Context, epochs int, callbacks Callbacks) error {
	for m.position.Epoch < epochs {
		start := time.Now().Add(-m.position.Elapsed)
		if m.position.Batch == 0 {
			if err := m.zeroTrainState(); err != nil {
				return err
			}
		}
		batches, err := m.batches()
		if err != nil {
			return err
		}
		i := 0
		for batch := range batches {
			if i++; i <= m.position.Batch {
				continue // done before an interruption
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			x := tensors.FromFlatDataAndDimensions(batch.X, batch.Steps, batch.Size)
			y := tensors.FromFlatDataAndDimensions(batch.Y, batch.Steps, batch.Size)
			if _, err := m.train.Call(x, y); err != nil {
				return errors.WithMessagef(err, "charlm: training failed in epoch %d, batch %d", m.position.Epoch+1, i)
			}
			m.position.Batch, m.position.Elapsed = i, time.Since(start)
			if callbacks.Batch != nil {
				callbacks.Batch(m.position, m.numBatches())
			}
		}
		lossSum, err := m.trainVariable(lossSumName).Value()
		if err != nil {
			return err
		}
		perplexity := math.Exp(float64(tensors.ToScalar[float32](lossSum)) / float64(m.numBatches()))
		m.position = Position{Epoch: m.position.Epoch + 1}
		if callbacks.Epoch != nil {
			if err := callbacks.Epoch(Epoch{m.position.Epoch, perplexity, time.Since(start)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// batches returns the mini-batches of the running epoch. Those of an epoch under random sampling depend on the seed and
// the epoch's number alone, so that a resumed training sees the same.
func (m *Model) batches() (iter.Seq[text.Batch], error) {
	if m.config.Random {
		rng := rand.New(rand.NewPCG(m.config.Seed, uint64(m.position.Epoch)))
		return text.Random(m.indices, m.config.Batch, m.config.Steps, rng)
	}
	return text.Consecutive(m.indices, m.config.Batch, m.config.Steps)
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
// stay in others for the next step: nothing leaves the device.
func (m *Model) trainGraph(scope *model.Scope, x, y *Node) {
	g := x.Graph()
	state := scope.In(trainScope).WithInitializer(initializer.Zero)
	layers := m.layers(scope, x)
	if !m.config.Random {
		layers.Stateful()
	}
	h, _ := layers.Done()
	o := m.output(scope, h)
	l := birnnlib.CrossEntropy(o, y)

	parameters := parametersOf(scope, g)
	values := make([]*Node, len(parameters))
	for i, p := range parameters {
		values[i] = p.NodeValue(g)
	}
	for i, gradient := range ClipByGlobalNorm(Gradient(l, values...), m.config.Clip) {
		parameters[i].SetNodeValue(Sub(values[i], MulScalar(gradient, m.config.LearningRate)))
	}
	optimizer.IncrementGlobalStep(g, dtypes.Int64)

	lossSum := state.VariableWithShape(lossSumName, shapes.Make(dtypes.Float32)).SetTrainable(false)
	lossSum.SetNodeValue(Add(lossSum.NodeValue(g), l))
}

// parametersOf returns the variables that the loss is minimised over, by path. GoMLX's own order is that of creation, which
// is another one in a model that was loaded: the norm would be added up otherwise, and its last bits would differ.
func parametersOf(scope *model.Scope, g *Graph) []*model.Variable {
	var parameters []*model.Variable
	for v := range scope.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			parameters = append(parameters, v)
		}
	}
	slices.SortFunc(parameters, func(a, b *model.Variable) int { return strings.Compare(a.Path(), b.Path()) })
	return parameters
}

// ClipByGlobalNorm scales the gradients by min(1, θ/‖g‖), where ‖g‖ is the norm of all of them together.
func ClipByGlobalNorm(gradients []*Node, θ float64) []*Node {
	var squares *Node
	for _, g := range gradients {
		sum := L2NormSquare(g)
		if squares == nil {
			squares = sum
		} else {
			squares = Add(squares, sum)
		}
	}
	scale := MinScalar(MulScalar(Inverse(Sqrt(squares)), θ), 1) // 1 where the norm is zero: θ/0 is +∞
	clipped := make([]*Node, len(gradients))
	for i, g := range gradients {
		clipped[i] = Mul(g, scale)
	}
	return clipped
}

// zeroTrainState zeroes the carried states and the sum of losses, as every epoch starts.
func (m *Model) zeroTrainState() error {
	if err := birnnlib.ResetStates(m.store.Scope("/")); err != nil {
		return err
	}
	if lossSum := m.trainVariable(lossSumName); lossSum != nil { // not before the first step
		return lossSum.SetValue(tensors.FromShape(lossSum.Shape()))
	}
	return nil
}

func (m *Model) trainVariable(name string) *model.Variable {
	return m.store.GetVariable(model.JoinPath("/", trainScope, name))
}
