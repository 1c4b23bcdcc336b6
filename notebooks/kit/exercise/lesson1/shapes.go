// Package lesson1 checks the exercises of lesson 1, one hidden layer.
package lesson1

import (
	"slices"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Shapes checks exercise 1: shapesOf returns the shapes that birnnlib gives the parameters of one hidden layer and of
// the output layer, by their names.
func Shapes(b compute.Backend, shapesOf func(d, hf, hb, q int) map[string][]int) error {
	const d, hf, hb, q = 13, 7, 3, 2 // no size is the sum of others
	params, err := parameters(b, d, q, birnnlib.Sizes{Forward: hf, Backward: hb})
	if err != nil {
		return err
	}
	return exercise.Try(func() error {
		answer := shapesOf(d, hf, hb, q)
		for v := range params.IterVariables() {
			if err := shape(v.Name(), answer[v.Name()], v.Shape().Dimensions); err != nil {
				return err
			}
		}
		for name := range answer {
			if params.GetVariable("/layer_1/"+name) == nil && params.GetVariable("/"+name) == nil {
				return exercise.Faultf("the formulas have no %q", "公式里没有%q", name)
			}
		}
		return nil
	})
}

// shape compares the shape of one parameter.
func shape(name string, got, want []int) error {
	switch {
	case slices.Equal(got, want):
		return nil
	case len(got) != len(want):
		return exercise.Faultf("%s has %d axes in your answer, and %d in the formulas", "%s在你的答案里有%d个轴，公式里有%d个",
			name, len(got), len(want))
	case len(got) == 1:
		return exercise.Faultf("%s has %d entries in your answer; how many columns has the sum that it is a term of?",
			"%s在你的答案里有%d个元素；它所在的那个和有几列？", name, got[0])
	case got[0] == want[1] && got[1] == want[0]:
		return exercise.Faultf("%s: rows and columns are exchanged; in the formulas it stands on the right of a product",
			"%s：行和列对调了；公式里它在乘积的右边", name)
	case got[0] != want[0]:
		return exercise.Faultf("%s has %d rows in your answer; how many columns has what stands on its left in the formula?",
			"%s在你的答案里有%d行；公式里，它左边的量有几列？", name, got[0])
	}
	return exercise.Faultf("%s has %d columns in your answer; how many has the sum that its product is a term of?",
		"%s在你的答案里有%d列；它的乘积所在的那个和有几列？", name, got[1])
}

// parameters returns the parameters that birnnlib makes for d inputs, these hidden layers and q outputs.
func parameters(b compute.Backend, d, q int, layers ...birnnlib.Sizes) (*model.Store, error) {
	params := model.NewStore()
	_, err := model.CallOnce(b, params, func(scope *model.Scope, X *Node) *Node {
		H, _ := birnnlib.New(scope, X, layers...).Done()
		return birnnlib.Output(scope, H, q, birnnlib.Glorot().Seed(1))
	}, tensors.FromShape(shapes.Make(dtypes.Float32, 1, 1, d)))
	return params, err
}
