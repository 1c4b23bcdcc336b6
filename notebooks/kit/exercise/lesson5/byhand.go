package lesson5

import (
	"math"
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"
	"birnn/notebooks/kit/lesson"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// ByHand checks exercise 2: an LSTM of one unit with the weights Wx [2, 4] and b [4], in the order i, f, c, o and with
// W_h = 0, whose state times Whq is the sum of the adding problem. Right is a mean squared error of at most 0.001 at 50
// time steps.
func ByHand(b compute.Backend, Wx [][]float32, bias []float32, Whq float32) error {
	if len(Wx) != 2 || len(Wx[0]) != 4 || len(Wx[1]) != 4 || len(bias) != 4 {
		return exercise.Faultf("W_x has 2 rows of 4 numbers, and b has 4", "W_x有2行，每行4个数；b有4个数")
	}
	return exercise.Try(func() error {
		mse, err := byHand(b, Wx, bias, Whq)
		if err != nil || mse <= 0.001 {
			return err
		}
		return hintByHand(Wx, bias, mse)
	})
}

// byHand returns the mean squared error.
func byHand(b compute.Backend, Wx [][]float32, bias []float32, Whq float32) (float32, error) {
	params := model.NewStore()
	for name, value := range map[string]any{
		"layer_1/W_x^f": Wx, "layer_1/W_h^f": [][]float32{{0, 0, 0, 0}}, "layer_1/b^f": bias,
		"W_hq": [][]float32{{Whq}}, "b_q": []float32{0},
	} {
		if _, err := params.CreateVariable(name, tensors.MustFromAnyValue(value)); err != nil {
			return 0, err
		}
	}
	x, y := lesson.Adding(rand.New(rand.NewPCG(9, 9)), 50, 1000)
	mse, err := model.CallOnce(b, params, func(scope *model.Scope, x, y *Node) *Node {
		_, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 1}).Cell(birnnlib.LSTM{}).Done()
		return ReduceAllMean(Square(Sub(Squeeze(birnnlib.Output(scope, final[0].Forward[0], 1, nil), -1), y)))
	}, x, y)
	if err != nil {
		return 0, err
	}
	return tensors.ToScalar[float32](mse), nil
}

// hintByHand finds the first gate that does not do its part.
func hintByHand(Wx [][]float32, bias []float32, mse float32) error {
	gate := func(k int, number, mark float32) float64 { // gate k after an input
		return 1 / (1 + math.Exp(-float64(number*Wx[0][k]+mark*Wx[1][k]+bias[k])))
	}
	forget := min(gate(1, 0, 0), gate(1, 1, 0))
	unmarked := max(gate(0, 0, 0), gate(0, 1, 0))
	marked := min(gate(0, 0, 1), gate(0, 1, 1))
	switch left := math.Pow(forget, 50); {
	case left < 0.8:
		return exercise.Faultf("the forget gate is %.2f: after 50 steps %.0e is left of the memory",
			"遗忘门是%.2f：50步之后记忆只剩%.0e", forget, left)
	case unmarked > 0.01:
		return exercise.Faultf("without a mark the input gate is still %.2f: the memory fills with numbers that do not count",
			"没有标记时输入门还有%.2f：不算数的数也进了记忆", unmarked)
	case marked < 0.9:
		return exercise.Faultf("at a mark the input gate is only %.2f", "有标记时输入门只有%.2f", marked)
	}
	return exercise.Faultf("the gates are right, but the mean squared error is %.4f: does the output layer undo the candidate's factor and the output gate?",
		"门是对的，但是均方误差是%.4f：输出层抵消了候选记忆的系数和输出门吗？", mse)
}
