package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"birnn/birnnlib/lower"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// layersTrainer does the steps of a [layersProblem]; parameters, inputs and target stay on the device.
type layersTrainer struct {
	problem layersProblem
	stack   stack
	exec    *model.Exec
	x, y    *tensors.Tensor
	inputs  []float32 // of x

	losses float64 // since the last call of loss
	steps  int
}

func newLayersTrainer(b compute.Backend, layer string, p layersProblem, dir string) (*layersTrainer, error) {
	s, ok := stacks[layer]
	if !ok {
		return nil, fmt.Errorf("unknown layers %q", layer)
	}
	t := &layersTrainer{problem: p, stack: s}
	weights, err := p.readWeights(dir)
	if err != nil {
		return nil, err
	}
	if t.inputs, err = readFloats(filepath.Join(dir, inputsFile), p.Steps*p.Batch*p.Features); err != nil {
		return nil, err
	}
	target, err := readFloats(filepath.Join(dir, targetFile), 2*p.Hidden)
	if err != nil {
		return nil, err
	}
	if s.batchMajor {
		t.inputs = swapAxes(t.inputs, p.Steps, p.Batch, p.Features)
	}
	t.x, t.y = t.inputTensor(), tensors.FromFlatDataAndDimensions(target, len(target))
	if err := errors.Join(t.x.ToDevice(b, 0), t.y.ToDevice(b, 0)); err != nil {
		return nil, err
	}

	store := model.NewStore()
	for path, value := range s.parameters(p, weights) {
		if err := value.ToDevice(b, 0); err != nil {
			return nil, err
		}
		if _, err := store.CreateVariable(path, value); err != nil {
			return nil, err
		}
	}
	if p.Inference {
		t.exec, err = model.NewExec(b, store, t.inferGraph)
	} else {
		t.exec, err = model.NewExec(b, store, t.trainGraph)
	}
	return t, err
}

// inputTensor returns X as the stack takes it.
func (t *layersTrainer) inputTensor() *tensors.Tensor {
	p, first, second := t.problem, t.problem.Steps, t.problem.Batch
	if t.stack.batchMajor {
		first, second = second, first
	}
	return tensors.FromFlatDataAndDimensions(t.inputs, first, second, p.Features)
}

// inferGraph returns the loss and the outputs.
func (t *layersTrainer) inferGraph(scope *model.Scope, x, y *Node) (loss, h *Node) {
	h = t.stack.build(t.problem, scope, x)
	return ReduceAllMean(Square(Sub(h, ExpandLeftToRank(y, 3)))), h
}

// trainGraph is one step of SGD; it returns the loss before it.
func (t *layersTrainer) trainGraph(scope *model.Scope, x, y *Node) *Node {
	g := x.Graph()
	loss, _ := t.inferGraph(scope, x, y)
	var parameters []*model.Variable
	var values []*Node
	for v := range scope.IterVariables() {
		parameters, values = append(parameters, v), append(values, v.NodeValue(g))
	}
	for i, gradient := range Gradient(loss, values...) {
		parameters[i].SetNodeValue(Sub(values[i], MulScalar(gradient, t.problem.LearningRate)))
	}
	return loss
}

func (t *layersTrainer) compile() (plan int64, err error) {
	g, err := t.exec.Compile(t.x.Shape(), t.y.Shape())
	if err != nil {
		return 0, err
	}
	return lower.PlannedMemory(g.Executable()), nil
}

// step trains, or computes the outputs of one sequence, from an array to another.
func (t *layersTrainer) step() error {
	x := t.x
	if t.problem.Inference {
		x = t.inputTensor()
	}
	out, err := t.exec.Call(x, t.y)
	if err != nil {
		return err
	}
	t.losses += float64(tensors.ToScalar[float32](out[0]))
	t.steps++
	if t.problem.Inference {
		h := out[1]
		if err := errors.Join(h.ConstFlatData(func(any) {}), x.FinalizeAll(), h.FinalizeAll()); err != nil {
			return err
		}
	}
	return out[0].FinalizeAll()
}

func (t *layersTrainer) loss() (float64, error) {
	mean := t.losses / float64(t.steps)
	t.losses, t.steps = 0, 0
	return mean, nil
}

func (t *layersTrainer) close() { t.exec.Finalize() }

// swapAxes returns x [a, b, c] as [b, a, c].
func swapAxes(x []float32, a, b, c int) []float32 {
	swapped := make([]float32, 0, len(x))
	for j := range b {
		for i := range a {
			swapped = append(swapped, x[(i*b+j)*c:][:c]...)
		}
	}
	return swapped
}
