package lesson2_test

import (
	"math"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"
	"birnn/internal/testall"
	"birnn/notebooks/kit/exercise/exercisetest"
	"birnn/notebooks/kit/exercise/lesson2"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "02-why-two-directions") }

func TestEnough(t *testing.T) {
	exercisetest.Right(t, lesson2.Enough(enough))
	for answer, test := range map[string]struct {
		enough func(mse float64) int
		hint   string
	}{
		"nothing":          {func(mse float64) int { return -1 }, "not a delay from 0 to 19"},
		"always all":       {func(mse float64) int { return 19 }, "but 18 would do"},
		"no delay":         {func(mse float64) int { return 0 }, "the floor is still"},
		"one too many":     {func(mse float64) int { return min(19, enough(mse)+1) }, "but 0 would do"},
		"one too few":      {func(mse float64) int { return max(0, enough(mse)-1) }, "the floor is still"},
		"the lesson's":     {func(mse float64) int { return map[bool]int{true: 0, false: 10}[mse > 0.0013] }, "would do"},
		"strictly below":   {func(mse float64) int { return strictly(mse) }, "not a delay from 0 to 19"},
		"no variance 1/12": {func(mse float64) int { return enough(mse / 12) }, "would do"},
		"a panic":          {func(mse float64) int { return []int{5, 10, 19}[enough(mse)+3] }, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson2.Enough(test.enough), test.hint)
	}
}

// strictly returns the smallest delay with a floor below mse, which for 0 does not exist.
func strictly(mse float64) (D int) {
	for D = 0; D < 20 && floor(reader{forward: true, delay: D}.sees) >= mse; D++ {
	}
	return D
}

func TestBestGuess(t *testing.T) {
	exercisetest.Right(t, lesson2.BestGuess(bestGuess))
	// with returns the guesser that takes x for what is not seen, and this weight.
	with := func(unseen float64, weight func(i int) float64) func(x []float64) float64 {
		return func(window []float64) (guess float64) {
			for i, x := range window {
				if math.IsNaN(x) {
					x = unseen
				}
				guess += weight(i) * x
			}
			return guess
		}
	}
	right := func(i int) float64 { return weight(i - 10) }
	for answer, test := range map[string]struct {
		guess func(x []float64) float64
		hint  string
	}{
		"nothing":                            {func(x []float64) float64 { return 0 }, "are the weights right"},
		"the mean of y, always":              {func(x []float64) float64 { return 0.4875 }, "are the weights right"},
		"NaN taken along":                    {with(math.NaN(), right), "forward: the guess is NaN"},
		"0 for what is not seen":             {with(0, right), "what is the mean of what is not seen"},
		"0.49 for what is not seen":          {with(0.49, right), "what is the mean of what is not seen"},
		"the mean of y for what is not seen": {with(0.4875, right), "what is the mean of what is not seen"},
		"weights at the wrong index":         {with(0.5, weight), "are the weights right"},
		"equal weights":                      {with(0.5, func(i int) float64 { return 0.975 / 30 }), "are the weights right"},
		"the first two from the past left out": {with(0.5, func(i int) float64 {
			if i < 3 {
				return 0
			}
			return right(i)
		}), "are the weights right"},
		"the mean of what is seen for what is not": {func(x []float64) float64 {
			sum, n := 0.0, 0.0
			for _, v := range x {
				if !math.IsNaN(v) {
					sum, n = sum+v, n+1
				}
			}
			return with(sum/n, right)(x)
		}, "is all that is seen used"},
		"no x from the first gap on": {func(x []float64) float64 {
			known, gap := make([]float64, len(x)), false
			for i, v := range x {
				if gap = gap || math.IsNaN(v); gap {
					v = 0.5
				}
				known[i] = v
			}
			return bestGuess(known)
		}, "backward"},
		"a panic": {func(x []float64) float64 { return x[30] }, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson2.BestGuess(test.guess), test.hint)
	}
}

func TestPosted(t *testing.T) {
	mse := posted(nil)
	exercisetest.Right(t, lesson2.Posted(guessed, mse.value, mse.se))
	for answer, test := range map[string]struct {
		guessed, mse, se float64
		hint             string
	}{
		"nothing":               {0, 0, 0, "posted returns nothing yet"},
		"no guess":              {0, 0.001328, 0.000014, "your guess was 0.000000"},
		"guessed backward":      {0.002375, 0.001328, 0.000014, "What does this network see of the future?"},
		"by the formulas":       {0.001286, 0.000009, 0.000001, "train and measure with asPosted"},
		"a delay of 5":          {0.000529, 0.000552, 0.000005, "is the output delayed?"},
		"the error rate":        {0.187, 0.187, 0.001, "then the error rate"},
		"hardly trained":        {0.002, 0.002, 0.00002, "too high"},
		"the other measurement": {0.0045, 0.0045, 0.00005, "too high"},
	} {
		exercisetest.Wrong(t, answer, lesson2.Posted(test.guessed, test.mse, test.se), test.hint)
	}
}

func TestFewest(t *testing.T) {
	b := backendtest.Go(t)
	for answer, test := range map[string]struct {
		fewest birnnlib.Sizes
		hint   string
	}{
		"nothing":           {birnnlib.Sizes{}, "a direction is missing"},
		"forward only":      {birnnlib.Sizes{Forward: 8}, "a direction is missing"},
		"as in the lesson":  {birnnlib.Sizes{Forward: 32, Backward: 32}, "64 units in all"},
		"a negative number": {birnnlib.Sizes{Forward: 10, Backward: -3}, "a direction is missing"},
		"nine":              {birnnlib.Sizes{Forward: 4, Backward: 5}, "9 units in all"},
	} {
		_, err := lesson2.Fewest(b, test.fewest)
		exercisetest.Wrong(t, answer, err, test.hint)
	}
}

func TestLongFewest(t *testing.T) {
	testall.Long(t)
	b := backendtest.Go(t)
	share, err := lesson2.Fewest(b, fewest)
	exercisetest.Right(t, err)
	if share < 0.001 || share > 0.02 {
		t.Errorf("the error is %.4f of Var[y]", share)
	}
	_, err = lesson2.Fewest(b, birnnlib.Sizes{Forward: 1, Backward: 1})
	exercisetest.Wrong(t, "one unit a direction", err, "which window is longer")
}
