package lesson4

import "birnn/notebooks/kit/exercise"

// Radius checks exercise 5: with the spectral radius ρ, a gradient is after 60 steps between half and twice as long as it
// was. shares are its lengths after each of the steps, as the lesson computes them.
func Radius(ρ float64, shares []float64) error {
	const steps = 60
	if len(shares) != steps {
		return exercise.Faultf("%d steps back; 60 are asked for", "往回走了%d步；要求是60步", len(shares))
	}
	switch share := shares[steps-1]; {
	case ρ < 0:
		return exercise.Faultf("ρ = %g: a spectral radius is a length, and not negative", "ρ = %g：谱半径是长度，不会是负数", ρ)
	case !(share >= 0.5):
		return exercise.Faultf("with ρ = %g the gradient vanishes: after 60 steps %.1e is left", "ρ = %g时梯度消失：60步之后剩下%.1e", ρ, share)
	case share > 2:
		return exercise.Faultf("with ρ = %g the gradient explodes: after 60 steps it is %.1e times as long", "ρ = %g时梯度爆炸：60步之后是原来的%.1e倍", ρ, share)
	}
	return nil
}
