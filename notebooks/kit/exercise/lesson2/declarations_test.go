package lesson2_test

import (
	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/notebooks/kit/lesson"

	"github.com/gomlx/gomlx/ml/model"
)

// What the solutions use of the lesson.

func weight(k int) float64 { return lesson.Weight(k) }

type reader struct {
	forward bool
	delay   int
}

func (r reader) sees(k int) bool { return r.forward && k <= r.delay }

func floor(sees func(k int) bool) (variance float64) {
	for k := -10; k <= 19; k++ {
		if !sees(k) {
			variance += weight(k) * weight(k) / 12
		}
	}
	return variance
}

type mean struct{ value, se float64 }

// size, trained and measure take no time: what they return, Posted only compares with the floor.

func size(*backend.Opened) (steps, sequences int) { return 0, 0 }

func trained(*backend.Opened, birnnlib.Sizes, int, bool, int, func(int, float64)) *model.Store {
	return nil
}

func measure(_ *backend.Opened, _ *model.Store, h birnnlib.Sizes, delay int, asPosted bool, n int) (mse, wrong mean) {
	if h == (birnnlib.Sizes{Forward: 32, Backward: 32}) && delay == 0 && asPosted {
		return mean{0.001328, 0.000014}, mean{0.187, 0.001} // as the lesson's solutions print and the lesson measures
	}
	return mean{}, mean{}
}
