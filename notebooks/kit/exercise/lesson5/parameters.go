// Package lesson5 checks the exercises of lesson 5, on gates.
package lesson5

import (
	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Parameters checks exercise 1: the functions return how many parameters a bidirectional [birnnlib.LSTM] and a
// bidirectional [birnnlib.GRU] have, for d inputs and h units in each direction, without an output layer.
func Parameters(b compute.Backend, ofLSTM, ofGRU func(d, h int) int) error {
	return exercise.Try(func() error {
		if err := parameters(b, "LSTM", birnnlib.LSTM{}, 4, ofLSTM); err != nil {
			return err
		}
		return parameters(b, "GRU", birnnlib.GRU{}, 3, ofGRU)
	})
}

// parameters compares count with the library, for a cell with so many blocks of h columns in W_x.
func parameters(b compute.Backend, name string, cell birnnlib.Cell, blocks int, count func(d, h int) int) error {
	for _, dh := range [][2]int{{5, 7}, {1, 1}, {2, 32}} {
		d, h := dh[0], dh[1]
		want, err := numParameters(b, cell, d, h)
		if err != nil {
			return err
		}
		bias := 2 * blocks * h // the size of b in both directions
		switch got := count(d, h); got {
		case want:
		case want / 2:
			return exercise.Faultf("%s, d=%d h=%d: %d is one direction only",
				"%s, d=%d h=%d: %d 只是一个方向", name, d, h, got)
		case want - bias, want - 2*h, want - bias - 2*h:
			return exercise.Faultf("%s, d=%d h=%d: %d leaves a bias out",
				"%s, d=%d h=%d: %d 漏了偏差", name, d, h, got)
		case want + bias, want + bias - 2*h:
			return exercise.Faultf("%s, d=%d h=%d: %d has two biases for each gate, as in PyTorch; birnnlib has one, and b_hh in the GRU",
				"%s, d=%d h=%d: %d 给每个门算了两个偏差，像PyTorch那样；birnnlib只有一个，GRU另有b_hh", name, d, h, got)
		default:
			return exercise.Faultf("%s, d=%d h=%d: %d is not right: each gate has weights for the input, weights for the state and a bias",
				"%s, d=%d h=%d: %d 不对：每个门有输入的权重、状态的权重和偏差", name, d, h, got)
		}
	}
	return nil
}

// numParameters returns how many parameters the library makes.
func numParameters(b compute.Backend, cell birnnlib.Cell, d, h int) (count int, err error) {
	params := model.NewStore()
	_, err = model.CallOnce(b, params, func(scope *model.Scope, g *Graph) *Node {
		x := Zeros(g, shapes.Make(dtypes.Float32, 1, 1, d))
		H, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: h, Backward: h}).Cell(cell).Done()
		return H
	})
	for v := range params.IterVariables() {
		count += v.Shape().Size()
	}
	return count, err
}
