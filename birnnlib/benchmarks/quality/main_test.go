package main

import (
	"math/rand/v2"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"
	"birnn/notebooks/kit/lesson"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// TestParameters counts the parameters of the widest networks in a store, and sees that one unit more is too wide.
func TestParameters(t *testing.T) {
	b := backendtest.Go(t)
	for _, task := range tasks() {
		for _, c := range contenders {
			for _, layers := range task.layers {
				params, h := model.NewStore(), task.widest(c.cell, layers)
				_, err := model.CallOnce(b, params, func(scope *model.Scope, xy []*Node) *Node {
					h, _ := birnnlib.New(scope, xy[0], task.sizes(layers, h)...).Cell(c.cell).Done()
					return task.loss(birnnlib.Output(scope, h, task.outputs, birnnlib.Glorot().Seed(1)), xy[1])
				}, task.draw(rand.New(rand.NewPCG(1, 1)), 2)...)
				if err != nil {
					t.Fatal(err)
				}
				count := 0
				for v := range params.IterVariables() {
					if v.Trainable {
						count += v.Shape().Size()
					}
				}
				if got := task.parameters(c.cell, layers, h); got != count || got > task.budget || task.parameters(c.cell, layers, h+1) <= task.budget {
					t.Errorf("%s, %s with %d layers of %d units: %d parameters, in the store %d, budget %d", task.name, c.name, layers, h, got, count, task.budget)
				}
			}
		}
	}
}

// TestTrain: every cell gets better at a short adding problem, and starts elsewhere from another seed.
func TestTrain(t *testing.T) {
	b := backendtest.Go(t)
	short := tasks()[0]
	short.draw = func(rng *rand.Rand, n int) []any {
		x, y := lesson.Adding(rng, 6, n)
		return []any{x, y}
	}
	for _, c := range contenders {
		var losses []float64
		for _, training := range []struct {
			steps int
			seed  uint64
		}{{1, 1}, {1, 2}, {60, 1}} {
			task := short
			task.Steps = training.steps
			loss, err := task.train(b, c.cell, 1, 4, training.seed)
			if err != nil {
				t.Fatal(err)
			}
			losses = append(losses, loss)
		}
		if losses[0] == losses[1] || losses[2] > 0.8*losses[0] {
			t.Errorf("%s: after 1 step %g, from another seed %g; after 60 %g", c.name, losses[0], losses[1], losses[2])
		}
	}
}
