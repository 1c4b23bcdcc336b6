package lesson

import (
	"context"
	"iter"

	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/optimizer"
	"github.com/gomlx/gomlx/ml/train/optimizer/cosineschedule"
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
// the same shapes; each, which may be nil, then gets the number of finished steps and the loss before the last one.
// A second Run on the same parameters continues from there and starts the learning rate again.
func (t Training) Run(b compute.Backend, params *model.Store, loss func(scope *model.Scope, inputs []*Node) *Node,
	batch func() []any, each func(done int, loss float64)) error {
	if err := params.DeleteVariable(scheduleStep); err != nil {
		return err
	}
	options := training.Options{Name: "lesson", LearningRate: t.LearningRate, Clip: t.Clip}
	run, err := training.New(b, params, options, func(scope *model.Scope, inputs []*Node) *Node {
		g := inputs[0].Graph()
		params.SetTraining(g, true)
		cosineschedule.New(scope, g, dtypes.Float32).LearningRate(t.LearningRate).PeriodSteps(t.Steps).Done()
		l := loss(scope, inputs)
		gradients := scope.BuildTrainableVariablesGradientsGraph(l) // nothing is resumed: the order of creation will do
		if t.Clip > 0 {
			gradients = training.ClipByGlobalNorm(gradients, t.Clip)
		}
		adam := optimizer.Adam().LearningRate(t.LearningRate).Done().(train.OptimizeWithGradients)
		adam.UpdateGraphWithGradients(scope, gradients, dtypes.Float32)
		return l
	})
	if err != nil {
		return err
	}
	defer run.Finalize()
	batches := func(int, int) (int, iter.Seq[[]any], error) {
		return t.Steps, func(yield func([]any) bool) {
			for range t.Steps {
				if !yield(batch()) {
					return
				}
			}
		}, nil
	}
	var callbacks training.Callbacks
	if each != nil {
		callbacks.Batch = func(p training.Position, _ int) { each(p.Batch, run.Loss()) }
	}
	return run.Run(context.Background(), 1, batches, callbacks)
}
