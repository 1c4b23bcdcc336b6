package lesson3

import (
	"strings"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Single checks exercise 4: single has one hidden layer, which reads x itself, and learns rule 90 in one step to a loss of
// at most 0.05.
func Single(b compute.Backend, single func(scope *model.Scope, x *Node) *Node) error {
	return exercise.Try(func() error {
		if err := oneLayer(b, single); err != nil {
			return err
		}
		loss, err := automaton{90, 1}.trained(b, model.NewStore(), func(scope *model.Scope, xy []*Node) *Node {
			O := birnnlib.Output(scope, single(scope, xy[0]), 2, birnnlib.Glorot().Seed(1))
			return birnnlib.CrossEntropy(Slice(O, AxisRange(1, O.Shape().Dim(0)-1)), xy[1])
		}, 400)
		if err == nil && !(loss <= 0.05) {
			err = exercise.Faultf("the loss is %.3f: the two directions are still only added in O_t. What else can become of two outputs? (go doc birnnlib.Merge)",
				"损失是%.3f：在O_t里两个方向仍然只是相加。两个输出还可以怎样合成一个？（go doc birnnlib.Merge）", loss)
		}
		return err
	})
}

// oneLayer counts the hidden layers and checks that only their recurrence connects the time steps: without it, an output
// depends on the input of its own step alone.
func oneLayer(b compute.Backend, single func(scope *model.Scope, x *Node) *Node) error {
	const T, changed = 5, 2
	params, layers := model.NewStore(), map[string]bool{}
	x := make([]float32, T)
	for t := range x {
		x[t] = 1
	}
	H, err := model.CallOnce(b, params, single, tensors.FromFlatDataAndDimensions(x, T, 1, 1))
	if err != nil {
		return err
	}
	if dims := H.Shape().Dimensions; len(dims) != 3 || dims[0] != T || dims[1] != 1 {
		return exercise.Faultf("the output has the shape %v; for %d time steps of 1 sequence it should be [%[2]d 1 h]",
			"输出的形状是%v；对1个序列的%d个时间步，应当是[%[2]d 1 h]", dims, T)
	}
	for v := range params.IterVariables() {
		if name := v.Name(); strings.HasPrefix(name, "W_h") && strings.Contains(name, "^") {
			layers[v.Scope()] = true
			if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
				return err
			}
		}
	}
	if len(layers) != 1 {
		return exercise.Faultf("there are %d hidden layers of birnnlib; one is asked for", "有%d个birnnlib的隐藏层；要求是一层", len(layers))
	}
	var outputs [2][]float32
	for i, sign := range []float32{1, -1} {
		x[changed] = sign
		H, err := model.CallOnce(b, params, single, tensors.FromFlatDataAndDimensions(x, T, 1, 1))
		if err != nil {
			return err
		}
		outputs[i] = tensors.MustCopyFlatData[float32](H)
	}
	h := len(outputs[0]) / T
	for i, v := range outputs[0] {
		if t := i / h; t != changed && max(v-outputs[1][i], outputs[1][i]-v) > 1e-6 {
			return exercise.Faultf("with recurrent weights of 0, the output at step %d still changes with x at step %d: the layer has to read x as it is, and its recurrence alone may connect the steps",
				"循环权重全为0时，时间步%d的输出仍随时间步%d的x而变：这一层应当读没有改过的x，只有它的循环可以连接各个时间步", t+1, changed+1)
		}
	}
	return nil
}
