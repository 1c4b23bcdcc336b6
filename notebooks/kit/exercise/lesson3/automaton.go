package lesson3

import (
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"
	"birnn/notebooks/kit/lesson"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A Loss builds a network and returns its mean cross-entropy on the rows x and their labels y, as the method loss of the
// lesson's network does.
type Loss = func(scope *model.Scope, xy []*Node) *Node

// Far checks exercise 3: two hidden layers or more, of these sizes, learn rule 90 in four steps in at most 1,000 training
// steps, to a loss of at most 0.05.
func Far(b compute.Backend, sizes []birnnlib.Sizes, steps int, loss Loss) error {
	switch {
	case len(sizes) == 0 || steps < 1:
		return exercise.Faultf("sizes, a cell and a number of steps are needed", "需要大小、单元和步数")
	case steps > 1000:
		return exercise.Faultf("%d steps; 1,000 are enough", "%d步；1000步就够了", steps)
	case len(sizes) == 1:
		return exercise.Faultf("with one layer it cannot be done, at whatever distance: read the proof again",
			"一层做不到，距离是多少都一样：再看一遍证明")
	}
	return exercise.Try(func() error {
		got, err := automaton{90, 4}.trained(b, model.NewStore(), loss, steps)
		if err == nil && !(got <= 0.05) {
			err = exercise.Faultf("the loss is %.3f; has it left ln 2 = 0.693 at all? More steps, other sizes, another seed",
				"损失是%.3f；它离开ln 2 = 0.693了吗？试试更多的步数、别的大小、别的种子", got)
		}
		return err
	})
}

// Best checks exercise 6: hidden layers of these sizes learn rule 30 in six steps, with at most 3,000 parameters and 2,000
// training steps, to a loss of at most 0.15. It returns the loss.
func Best(b compute.Backend, sizes []birnnlib.Sizes, steps int, loss Loss) (got float64, err error) {
	rule30 := automaton{30, 6}
	err = exercise.Try(func() (err error) {
		switch {
		case len(sizes) == 0 || steps < 1:
			return exercise.Faultf("sizes, a cell and a number of steps are needed", "需要大小、单元和步数")
		case steps > 2000:
			return exercise.Faultf("%d steps; 2,000 are allowed", "%d步；最多2000步", steps)
		}
		params := model.NewStore()
		if _, err := rule30.test(b, params, loss, 1); err != nil { // creates the parameters
			return err
		}
		size := 0
		for v := range params.IterVariables() {
			if v.Trainable {
				size += v.Shape().Size()
			}
		}
		if size > 3000 {
			return exercise.Faultf("%d parameters; 3,000 are allowed (within helps)", "%d个参数；最多3000个（within有用）", size)
		}
		if got, err = rule30.trained(b, model.NewStore(), loss, steps); err == nil && !(got <= 0.15) {
			err = exercise.Faultf("%d parameters, and a loss of %.3f; below 0.15 is asked for. What has the plot of the depths told, and does the seed matter?",
				"%d个参数，损失是%.3f；要求低于0.15。层数的图说明了什么？种子有影响吗？", size, got)
		}
		return err
	})
	return got, err
}

// An automaton is a task: a rule and its number of steps, on rows of 24 cells.
type automaton struct {
	rule  uint8
	steps int
}

// trained returns the loss on 500 rows after so many steps of training, each on 32 new rows.
func (a automaton) trained(b compute.Backend, params *model.Store, loss Loss, steps int) (float64, error) {
	if err := params.SetRNGStateFromSeed(1); err != nil {
		return 0, err
	}
	rng := rand.New(rand.NewPCG(1, 3))
	training := lesson.Training{Steps: steps, LearningRate: 0.01, Clip: 1}
	if err := training.Run(b, params, loss, func() []any {
		x, y := lesson.Automaton(rng, a.rule, a.steps, 24, 32)
		return []any{x, y}
	}, nil); err != nil {
		return 0, err
	}
	return a.test(b, params, loss, 500)
}

// test returns the loss on so many rows.
func (a automaton) test(b compute.Backend, params *model.Store, loss Loss, rows int) (float64, error) {
	x, y := lesson.Automaton(rand.New(rand.NewPCG(9, 9)), a.rule, a.steps, 24, rows)
	got, err := model.CallOnceN(b, params, func(scope *model.Scope, xy []*Node) []*Node { return []*Node{loss(scope, xy)} }, x, y)
	if err != nil {
		return 0, err
	}
	return float64(tensors.ToScalar[float32](got[0])), nil
}
