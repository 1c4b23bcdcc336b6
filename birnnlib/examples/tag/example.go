package tag

import (
	"context"
	"errors"
	"fmt"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Example is a sequence of T time steps.
type Example struct {
	Features [][]int32 // [F, T]: of each feature, its index at every time step
	Classes  []int32   // [T]: from 0 to q-1, or Unknown
}

// Unknown is the class of a time step from which nothing is learned.
const Unknown = -1

// checkExamples returns an error that names the first wrong example.
func (t *Task) checkExamples(examples []Example, config Config) error {
	if len(examples) == 0 {
		return errors.New("tag: no examples; give at least one")
	}
	longest := config.Lengths[len(config.Lengths)-1]
	for i, e := range examples {
		if err := t.checkFeatures(e); err != nil {
			return fmt.Errorf("tag: example %d: %w", i+1, err)
		}
		if len(e.Classes) != len(e.Features[0]) || len(e.Classes) > longest {
			return fmt.Errorf("tag: example %d has %d time steps and %d classes; give one class per time step, at most %d (the last of Config.Lengths)", i+1, len(e.Features[0]), len(e.Classes), longest)
		}
		known := 0
		for step, class := range e.Classes {
			if class < Unknown || int(class) >= t.Classes {
				return fmt.Errorf("tag: example %d is of class %d at time step %d; it must be from 0 to %d, or Unknown", i+1, class, step+1, t.Classes-1)
			}
			if class != Unknown {
				known++
			}
		}
		if config.CRF && known < len(e.Classes) {
			return fmt.Errorf("tag: a class of example %d is unknown; with Config.CRF all must be known", i+1)
		}
		if known == 0 {
			return fmt.Errorf("tag: all classes of example %d are unknown; leave it out", i+1)
		}
	}
	return nil
}

func (t *Task) checkFeatures(e Example) error {
	if len(e.Features) != len(t.Features) {
		return fmt.Errorf("there are %d features; the task has %d", len(e.Features), len(t.Features))
	}
	for f, indices := range e.Features {
		if len(indices) != len(e.Features[0]) {
			return fmt.Errorf("feature %d has %d time steps and feature 1 has %d; give every feature the same number", f+1, len(indices), len(e.Features[0]))
		}
		for step, index := range indices {
			if index < 0 || int(index) >= t.Features[f].Size {
				return fmt.Errorf("feature %d is %d at time step %d; it must be from 0 to %d", f+1, index, step+1, t.Features[f].Size-1)
			}
		}
	}
	return nil
}

// tensors returns a mini-batch: features x [F, T, n], classes y [T, n] and lengths [n].
func (t *Task) tensors(examples []Example, b batch) (x, y, lengths *tensors.Tensor) {
	F, T, n := len(t.Features), b.length, b.size
	xs, ys, ls := make([]int32, F*T*n), make([]int32, T*n), make([]int32, n)
	for i := range ys {
		ys[i] = Unknown
	}
	for k, i := range b.examples {
		e := examples[i]
		ls[k] = int32(len(e.Features[0]))
		for f, indices := range e.Features {
			for step, index := range indices {
				xs[(f*T+step)*n+k] = index
			}
		}
		for step, class := range e.Classes {
			ys[step*n+k] = class
		}
	}
	return tensors.FromFlatDataAndDimensions(xs, F, T, n), tensors.FromFlatDataAndDimensions(ys, T, n), tensors.FromFlatDataAndDimensions(ls, n)
}

// Scores returns for each example and each of its time steps the logarithms of the probabilities of the classes,
// log softmax(O_t), [T, q], or with [Config.CRF] the scores O_t, which [crf.Transitions.Decode] takes; the classes of the
// examples are not looked at.
func (m *Model) Scores(ctx context.Context, examples []Example) ([][][]float32, error) {
	scores := make([][][]float32, len(examples))
	for i, e := range examples {
		if err := m.task.checkFeatures(e); err != nil {
			return nil, fmt.Errorf("tag: sequence %d: %w", i+1, err)
		}
	}
	for _, b := range m.batches(examples, 0) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		found, err := m.scoreBatch(examples, b)
		if err != nil {
			return nil, err
		}
		for k, i := range b.examples {
			scores[i] = found[k]
		}
	}
	return scores, nil
}

// scoreBatch returns the scores of a mini-batch, in its order.
func (m *Model) scoreBatch(examples []Example, b batch) ([][][]float32, error) {
	x, _, lengths := m.task.tensors(examples, b)
	outputs, err := m.score.Call(x, lengths)
	if err != nil {
		return nil, err
	}
	flat, err := tensors.CopyFlatData[float32](outputs[0])
	if err != nil {
		return nil, err
	}
	q := m.task.Classes
	scores := make([][][]float32, len(b.examples))
	for k, i := range b.examples {
		scores[k] = make([][]float32, len(examples[i].Features[0]))
		for t := range scores[k] {
			at := (t*b.size + k) * q
			scores[k][t] = flat[at : at+q : at+q]
		}
	}
	return scores, nil
}

// scoreGraph returns the scores for x [F, T, n] and the lengths [n]: [T, n, q].
func (m *Model) scoreGraph(scope *model.Scope, x, lengths *Node) *Node {
	if m.config.CRF {
		return m.outputs(scope, x, lengths)
	}
	return LogSoftmax(m.outputs(scope, x, lengths))
}
