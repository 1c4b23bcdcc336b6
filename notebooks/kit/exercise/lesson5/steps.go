package lesson5

import (
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"
	"birnn/notebooks/kit/lesson"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// HundredSteps checks exercise 5: the parameters of the lesson's LSTM, forward with 32 units, after at most 1,000 steps
// of training, have a mean squared error of at most 0.02 in the adding problem of 100 time steps.
func HundredSteps(b compute.Backend, params *model.Store) error {
	const h = 32
	if params == nil {
		return exercise.Faultf("long returns nothing yet", "long还没有返回什么")
	}
	return exercise.Try(func() error {
		if steps := optimizer.GetGlobalStep(params); steps < 1 || steps > 1000 {
			return exercise.Faultf("the parameters have had %d steps of training; from 1 to 1,000 are allowed",
				"这些参数训练了%d步；允许1到1000步", steps)
		}
		for name, dims := range map[string][]int{"/layer_1/W_x^f": {2, 4 * h}, "/W_hq": {h, 1}} {
			if v := params.GetVariable(name); v == nil || v.Shape().CheckDims(dims...) != nil {
				return exercise.Faultf("these are not the parameters of an LSTM with %d units forward, as nets[\"LSTM\"] has it",
					"这不是nets[\"LSTM\"]的参数：LSTM，正向%d个单元", h)
			}
		}
		x, y := lesson.Adding(rand.New(rand.NewPCG(10, 10)), 100, 1000)
		mse, err := model.CallOnce(b, params, func(scope *model.Scope, x, y *Node) *Node {
			_, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: h}).Cell(birnnlib.LSTM{}).Done()
			return ReduceAllMean(Square(Sub(Squeeze(birnnlib.Output(scope, final[0].Concat(), 1), -1), y)))
		}, x, y)
		if err != nil {
			return err
		}
		if mse := tensors.ToScalar[float32](mse); !(mse <= 0.02) {
			return exercise.Faultf("at T=100 the mean squared error is %.4f; on which sequences is it easier to find out that remembering is useful?",
				"T=100时均方误差是%.4f；在什么样的序列上更容易发现记忆有用？", mse)
		}
		return nil
	})
}
