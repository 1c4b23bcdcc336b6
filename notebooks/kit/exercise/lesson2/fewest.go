package lesson2

import (
	"math"
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"
	"birnn/notebooks/kit/lesson"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

var varY = floor(1, 0) // nothing is seen: Var[y]

// Fewest checks exercise 4: a bidirectional network with at most eight hidden units comes, trained as in the lesson,
// within 2 % of Var[y]. It returns the mean squared error as a share of Var[y].
func Fewest(b compute.Backend, fewest birnnlib.Sizes) (share float64, err error) {
	const steps = 1500
	switch total := fewest.Forward + fewest.Backward; {
	case fewest.Forward < 1 || fewest.Backward < 1:
		return 0, exercise.Faultf("%d forward and %d backward units: a direction is missing, so the floor is far above 2 %%",
			"正向%d个、反向%d个单元：缺一个方向，下限远在2 %%之上", fewest.Forward, fewest.Backward)
	case total > 8:
		return 0, exercise.Faultf("%d units in all; it can be done with 8", "一共%d个单元；8个就能做到", total)
	}
	share, err = trained(b, fewest, steps)
	if err == nil && !(share <= 0.02) {
		err = exercise.Faultf("with %d forward and %d backward units the error is %.1f %% of Var[y], more than 2 %%; which window is longer?",
			"正向%d个、反向%d个单元时，误差是Var[y]的%.1f %%，超过2 %%；哪一边的窗口更长？", fewest.Forward, fewest.Backward, 100*share)
	}
	return share, err
}

// trained trains a network of these sizes and returns its mean squared error on a test sample, as a share of Var[y].
func trained(b compute.Backend, h birnnlib.Sizes, steps int) (share float64, err error) {
	const T, margin = 80, lesson.Margin
	loss := func(scope *model.Scope, xy []*Node) *Node {
		H, _ := birnnlib.New(scope, AddScalar(xy[0], -0.5), h).Activation(activation.TypeTanh).
			Initializer(birnnlib.Orthogonal(birnnlib.Glorot()).Seed(1)).Done()
		O := Squeeze(birnnlib.Output(scope, H, 1, birnnlib.Glorot().Seed(1)), -1)
		within := func(of *Node) *Node { return Slice(of, AxisRange(margin, T-margin)) }
		estimate := AddScalar(MulScalar(within(O), math.Sqrt(varY)), 0.4875) // in the units of y
		return DivScalar(ReduceAllMean(Square(Sub(within(xy[1]), estimate))), varY)
	}
	params, rng := model.NewStore(), rand.New(rand.NewPCG(3, 3))
	training := lesson.Training{Steps: steps, LearningRate: 0.01, Clip: 1}
	if err := training.Run(b, params, loss, func() []any {
		x, y := lesson.SchusterPaliwal(rng, T, 32)
		return []any{x, y}
	}, nil); err != nil {
		return 0, err
	}
	x, y := lesson.SchusterPaliwal(rand.New(rand.NewPCG(4, 4)), T, 4000)
	of, err := model.CallOnceN(b, params, func(scope *model.Scope, xy []*Node) []*Node { return []*Node{loss(scope, xy)} }, x, y)
	if err != nil {
		return 0, err
	}
	return float64(tensors.ToScalar[float32](of[0])), nil
}
