package lesson

import (
	"birnn/birnnlib/examples/charlm"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/ml/train/optimizer/cosineschedule"
	"github.com/pkg/errors"
)

// Training says how a network is trained: by Adam, a mini-batch a step.
type Training struct {
	Steps        int
	LearningRate float64 // at first; along half a cosine it falls to zero by the last step
	Clip         float64 // θ: the largest global norm of the gradient; 0: it is not clipped
}

// scheduleStep is the path at which GoMLX's schedule counts its steps.
const scheduleStep = "/" + optimizer.Scope + "/" + cosineschedule.Scope + "/step"

// Run minimises the loss over the parameters, which it changes. For every step, batch draws the inputs of loss, always of
// the same shapes; each, which may be nil, is then told how many steps are done and what the loss was before the last one.
// A second Run on the same parameters goes on from there, with a learning rate that starts anew.
func (t Training) Run(b compute.Backend, params *model.Store, loss func(scope *model.Scope, inputs []*Node) *Node,
	batch func() []any, each func(done int, loss float64)) error {
	if err := params.DeleteVariable(scheduleStep); err != nil {
		return err
	}
	step, err := model.NewExec(b, params, func(scope *model.Scope, inputs []*Node) *Node {
		g := inputs[0].Graph()
		params.SetTraining(g, true)
		cosineschedule.New(scope, g, dtypes.Float32).LearningRate(t.LearningRate).PeriodSteps(t.Steps).Done()
		l := loss(scope, inputs)
		gradients := scope.BuildTrainableVariablesGradientsGraph(l)
		if t.Clip > 0 {
			gradients = charlm.ClipByGlobalNorm(gradients, t.Clip)
		}
		adam := optimizer.Adam().LearningRate(t.LearningRate).Done().(train.OptimizeWithGradients)
		adam.UpdateGraphWithGradients(scope, gradients, dtypes.Float32)
		return l
	})
	if err != nil {
		return err
	}
	defer step.Finalize()
	for done := 1; done <= t.Steps; done++ {
		l, err := step.Call1(batch()...)
		if err != nil {
			return errors.WithMessagef(err, "training failed in step %d", done)
		}
		if each != nil {
			each(done, float64(tensors.ToScalar[float32](l)))
		}
	}
	return nil
}
