package main

import (
	"context"
	"fmt"
	"iter"
	"math"

	"birnn/birnnlib/examples/charlm"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/tensors"
)

// postTrainer trains the post's model with package charlm, as the lesson and the command do.
type postTrainer struct {
	ctx    context.Context
	model  *charlm.Model
	next   func() (charlm.Position, error, bool)
	finish func()

	steps  int     // of the running epoch since the last call of loss
	before float64 // what that epoch's losses had added up to by then
}

func newPostTrainer(ctx context.Context, b compute.Backend, p postProblem) (*postTrainer, error) {
	m, err := charlm.New(b, p.corpus(), p.config())
	if err != nil {
		return nil, err
	}
	t := &postTrainer{ctx: ctx, model: m}
	// The training has no end, and waits after every step until the next one is wanted.
	t.next, t.finish = iter.Pull2(func(yield func(charlm.Position, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		err := m.Train(ctx, math.MaxInt, charlm.Callbacks{Batch: func(p charlm.Position, _ int) {
			if !yield(p, nil) {
				cancel()
			}
		}})
		if ctx.Err() == nil {
			yield(charlm.Position{}, err)
		}
	})
	return t, nil
}

func (t *postTrainer) step() error {
	position, err, ok := t.next()
	if !ok {
		return t.ctx.Err()
	}
	if err != nil {
		return err
	}
	if position.Batch == 1 {
		t.steps, t.before = 0, 0
	}
	t.steps++
	return nil
}

func (t *postTrainer) loss() (float64, error) {
	const path = "/train/loss_sum"
	lossSum := t.model.Store().GetVariable(path)
	if lossSum == nil {
		return 0, fmt.Errorf("charlm keeps no variable %s any more; this benchmark reads the loss there", path)
	}
	value, err := lossSum.Value() // waits for the device
	if err != nil {
		return 0, err
	}
	sum := float64(tensors.ToScalar[float32](value))
	mean := (sum - t.before) / float64(t.steps)
	t.steps, t.before = 0, sum
	return mean, nil
}

func (t *postTrainer) close() { t.finish() }
