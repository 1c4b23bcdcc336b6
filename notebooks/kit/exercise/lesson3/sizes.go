// Package lesson3 checks the exercises of lesson 3, several hidden layers.
package lesson3

import (
	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// SizesOf checks exercise 1: sizesOf returns the sizes of the hidden layers of networks that birnnlib has built, from the
// shapes of their parameters: one layer, three, some with one direction only, and more than nine.
func SizesOf(b compute.Backend, sizesOf func(shapes map[string][]int) []birnnlib.Sizes) error {
	eleven := make([]birnnlib.Sizes, 11)
	for l := range eleven {
		eleven[l] = birnnlib.Sizes{Forward: 1 + l%3, Backward: 1 + l%4}
	}
	for _, want := range [][]birnnlib.Sizes{
		{{Forward: 4, Backward: 2}, {Forward: 3, Backward: 5}, {Forward: 6, Backward: 1}},
		{{Forward: 2, Backward: 7}},
		{{Forward: 3, Backward: 1}, {Backward: 4}, {Forward: 5}},
		eleven,
	} {
		params := model.NewStore()
		if _, err := model.CallOnce(b, params, func(scope *model.Scope, X *Node) *Node {
			H, _ := birnnlib.New(scope, X, want...).Done()
			return birnnlib.Output(scope, H, 2, birnnlib.Glorot().Seed(1))
		}, tensors.FromShape(shapes.Make(dtypes.Float32, 1, 1, 3))); err != nil {
			return err
		}
		given := map[string][]int{}
		for v := range params.IterVariables() {
			given[v.Path()[1:]] = v.Shape().Dimensions
		}
		if err := exercise.Try(func() error { return sizes(sizesOf(given), want) }); err != nil {
			return err
		}
	}
	return nil
}

// sizes compares the sizes of the hidden layers of one network.
func sizes(got, want []birnnlib.Sizes) error {
	if len(got) != len(want) {
		return exercise.Faultf("there are %d layers, you say %d", "有%d层，你说有%d层", len(want), len(got))
	}
	for l, s := range want {
		switch g := got[l]; {
		case g == s:
		case g == birnnlib.Sizes{Forward: s.Backward, Backward: s.Forward}:
			return exercise.Faultf("layer %d: the directions are exchanged", "第%d层：两个方向弄反了", l+1)
		case s.Forward*s.Backward == 0:
			return exercise.Faultf("layer %d of %d has one direction only; the missing one has size 0. You say %+v",
				"第%d层（共%d层）只有一个方向，没有的方向大小是0。你说是%+v", l+1, len(want), g)
		default:
			return exercise.Faultf("layer %d of %d is %+v, you say %+v: which parameter has h in both of its dimensions?",
				"第%d层（共%d层）是%+v，你说是%+v：哪个参数的两个维度都是h？", l+1, len(want), s, g)
		}
	}
	return nil
}
