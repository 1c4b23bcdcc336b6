// Package lesson4 checks the exercises of lesson 4, back-propagation through time by hand.
//
// The lesson declares its own type of matrices; the checks take any whose rows are slices of float64.
package lesson4

import (
	"math"

	"birnn/notebooks/kit/exercise"
)

// Slopes checks exercise 1: the functions return the slopes of the sigmoid and of ReLU, given their values.
func Slopes(slopeOfSigmoid, slopeOfReLU func(h float64) float64) error {
	return exercise.Try(func() error {
		sigmoid := func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
		if err := slope("sigmoid", sigmoid, slopeOfSigmoid); err != nil {
			return err
		}
		return slope("ReLU", func(z float64) float64 { return max(0, z) }, slopeOfReLU)
	})
}

// slope compares the slope with finite differences of φ.
func slope(name string, φ, slope func(float64) float64) error {
	for _, z := range []float64{-2, -0.5, 0.05, 0.3, 1.7, 4} {
		h := φ(z)
		want, got := (φ(z+1e-6)-φ(z-1e-6))/2e-6, slope(h)
		switch {
		case math.Abs(got-want) < 1e-6:
		case math.Abs(got-φ(h)*(1-φ(h))) < 1e-6:
			return exercise.Faultf("%s: h is φ(z) already; do not apply φ again", "%s：h已经是φ(z)，不要再作用一次φ", name)
		default:
			return exercise.Faultf("%s: for h = %.3f the slope is %.3f, yours is %.3f", "%s：h = %.3f时斜率是%.3f，你的是%.3f", name, h, want, got)
		}
	}
	return nil
}
