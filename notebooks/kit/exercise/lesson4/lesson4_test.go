package lesson4_test

import (
	"math"
	"testing"

	"birnn/notebooks/kit/exercise/exercisetest"
	"birnn/notebooks/kit/exercise/lesson4"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "04-back-propagation-through-time") }

func TestSlopes(t *testing.T) {
	exercisetest.Right(t, lesson4.Slopes(slopeOfSigmoid, slopeOfReLU))
	sigmoid := func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }
	zero := func(h float64) float64 { return 0 }
	for answer, test := range map[string]struct {
		sigmoid, relu func(h float64) float64
		hint          string
	}{
		"nothing":           {zero, zero, "sigmoid: for h = 0.119 the slope is 0.105"},
		"σ applied again":   {func(h float64) float64 { return sigmoid(h) * (1 - sigmoid(h)) }, slopeOfReLU, "do not apply φ again"},
		"the slope of tanh": {func(h float64) float64 { return 1 - h*h }, slopeOfReLU, "sigmoid"},
		"h + 1 - h":         {func(h float64) float64 { return h + (1 - h) }, slopeOfReLU, "sigmoid"},
		"ReLU itself":       {slopeOfSigmoid, func(h float64) float64 { return max(0, h) }, "ReLU: for h = 0.050"},
		"1 at 0":            {slopeOfSigmoid, func(h float64) float64 { return map[bool]float64{true: 1}[h >= 0] }, "ReLU: for h = 0.000 the slope is 0.000"},
		"always 1":          {slopeOfSigmoid, func(h float64) float64 { return 1 }, "ReLU"},
		"exchanged":         {slopeOfReLU, slopeOfSigmoid, "sigmoid"},
		"a panic":           {slopeOfSigmoid, func(h float64) float64 { return []float64{0}[int(h)+1] }, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson4.Slopes(test.sigmoid, test.relu), test.hint)
	}
}

func TestMended(t *testing.T) {
	exercisetest.Right(t, lesson4.Mended(mended))
	// Each answer but "nothing" is mended with one or more of these mistakes.
	type mistakes struct {
		notTransposed, present, afterwards, forwards, noSlope, oneSequence, noArriving, mean, NaN bool
	}
	with := func(m mistakes) func(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix) {
		return func(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix) {
			n, h := len(X[0]), len(Whh)
			dWxh, dWhh, dbh = zeros(len(X[0][0]), h), zeros(h, h), zeros(1, h)
			arriving, order, back := zeros(n, h), -step, Whh.transposed()
			if m.forwards {
				order = step
			}
			if m.notTransposed {
				back = Whh
			}
			for _, t := range walk(len(X), order) {
				dZ := dO[t].with(arriving, add).with(H[t], func(dh, h float64) float64 {
					if m.noSlope {
						return dh
					}
					return dh * (1 - h*h)
				})
				dWxh = dWxh.with(X[t].transposed().dot(dZ), add)
				before := t - step
				if m.present {
					before = t
				} else if m.afterwards {
					before = t + step
				}
				if 0 <= before && before < len(X) {
					dWhh = dWhh.with(H[before].transposed().dot(dZ), add)
				}
				if m.oneSequence {
					dbh = dbh.with(dZ[:1], add)
				} else {
					dbh = dbh.with(ones(1, n).dot(dZ), add)
				}
				if !m.noArriving {
					arriving = dZ.dot(back)
				}
			}
			if m.mean {
				dbh = dbh.with(dbh, func(v, _ float64) float64 { return v / float64(n) })
			}
			if m.NaN {
				dWhh[0][0] = math.NaN()
			}
			return dWxh, dWhh, dbh
		}
	}
	exercisetest.Right(t, lesson4.Mended(with(mistakes{})))
	for answer, test := range map[string]struct {
		mended func(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix)
		hint   string
	}{
		"nothing": {func(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix) {
			return nil, nil, nil
		}, "the gradient of W_xh should be [3, 4]"},
		"both mistakes, as planted":   {with(mistakes{notTransposed: true, present: true}), "step +1: the gradient of W_xh is off"},
		"only the state mended":       {with(mistakes{notTransposed: true}), "what arrives from the next step"},
		"only the transpose mended":   {with(mistakes{present: true}), "which state was multiplied by W_hh"},
		"the state after":             {with(mistakes{afterwards: true}), "which state was multiplied by W_hh"},
		"the walk of the states":      {with(mistakes{forwards: true}), "what arrives from the next step"},
		"no slope":                    {with(mistakes{noSlope: true}), "is dZ_t right"},
		"nothing arrives":             {with(mistakes{noArriving: true}), "what arrives from the next step"},
		"the bias of one sequence":    {with(mistakes{oneSequence: true}), "the gradient of b_h is off"},
		"the mean over the sequences": {with(mistakes{mean: true}), "the sum over the sequences"},
		"an entry that is no number":  {with(mistakes{NaN: true}), "the gradient of W_hh is off by NaN"},
		"always forward": {func(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix) {
			return mended(Whh, X, H, dO, +1)
		}, "step -1"},
		"gradients exchanged": {func(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix) {
			dWxh, dWhh, dbh = mended(Whh, X, H, dO, step)
			return dWhh, dWxh, dbh
		}, "the gradient of W_xh should be [3, 4]"},
		"a panic": {func(Whh matrix, X, H, dO []matrix, step int) (dWxh, dWhh, dbh matrix) {
			return mended(Whh, X, H[1:], dO, step)
		}, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson4.Mended(test.mended), test.hint)
	}
}

func TestOfInitial(t *testing.T) {
	exercisetest.Right(t, lesson4.OfInitial(ofInitial))
	// back walks back and returns the last dZ and what arrives after it.
	back := func(Whh matrix, H, dO []matrix, order int) (dZ, arriving matrix) {
		arriving = zeros(len(H[0]), len(Whh))
		for _, t := range walk(len(H), order) {
			dZ = dO[t].with(arriving, add).with(H[t], func(dh, h float64) float64 { return dh * (1 - h*h) })
			arriving = dZ.dot(Whh.transposed())
		}
		return dZ, arriving
	}
	for answer, test := range map[string]struct {
		ofInitial func(Whh matrix, H, dO []matrix, step int) matrix
		hint      string
	}{
		"nothing": {func(Whh matrix, H, dO []matrix, step int) matrix { return nil }, "step +1: the gradient should be [2, 4]"},
		"zeros":   {func(Whh matrix, H, dO []matrix, step int) matrix { return zeros(2, 4) }, "off by 1"},
		"dZ": {func(Whh matrix, H, dO []matrix, step int) matrix {
			dZ, _ := back(Whh, H, dO, -step)
			return dZ
		}, "is it dZ or dZ W_hhᵀ"},
		"not transposed": {func(Whh matrix, H, dO []matrix, step int) matrix {
			dZ, _ := back(Whh, H, dO, -step)
			return dZ.dot(Whh)
		}, "is it dZ or dZ W_hhᵀ"},
		"the walk of the states": {func(Whh matrix, H, dO []matrix, step int) matrix {
			_, arriving := back(Whh, H, dO, step)
			return arriving
		}, "where does the walk back end"},
		"only forward": {func(Whh matrix, H, dO []matrix, step int) matrix { return ofInitial(Whh, H, dO, +1) }, "step -1"},
		"one step too few": {func(Whh matrix, H, dO []matrix, step int) matrix {
			if step > 0 {
				return ofInitial(Whh, H[1:], dO[1:], step)
			}
			return ofInitial(Whh, H[:len(H)-1], dO[:len(H)-1], step)
		}, "where does the walk back end"},
		"the mean over the sequences": {func(Whh matrix, H, dO []matrix, step int) matrix {
			return ones(1, len(H[0])).dot(ofInitial(Whh, H, dO, step))
		}, "the gradient should be [2, 4]"},
		"a panic": {func(Whh matrix, H, dO []matrix, step int) matrix { return H[len(H)] }, "index out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson4.OfInitial(test.ofInitial), test.hint)
	}
}

func TestClip(t *testing.T) {
	exercisetest.Right(t, lesson4.Clip(clip))
	// times returns the answer that multiplies by a factor.
	times := func(factor func(norm, θ float64) float64) func(gradients []matrix, θ float64) []matrix {
		return func(gradients []matrix, θ float64) (clipped []matrix) {
			by := factor(norm(gradients...), θ)
			for _, g := range gradients {
				clipped = append(clipped, g.with(g, func(v, _ float64) float64 { return by * v }))
			}
			return clipped
		}
	}
	for answer, test := range map[string]struct {
		clip func(gradients []matrix, θ float64) []matrix
		hint string
	}{
		"nothing":          {func(gradients []matrix, θ float64) []matrix { return gradients }, "the norm is 13.000 instead of 1"},
		"always to 1":      {times(func(norm, θ float64) float64 { return min(1, 1/norm) }), "with θ = 2 the norm is 1.000 instead of 2"},
		"always as long":   {times(func(norm, θ float64) float64 { return θ / norm }), "short enough"},
		"short to 1":       {times(func(norm, θ float64) float64 { return min(θ, θ/norm) }), "short enough"},
		"the square":       {times(func(norm, θ float64) float64 { return min(1, θ/(norm*norm)) }), "the norm is 0.077 instead of 1"},
		"0 divided by 0":   {times(func(norm, θ float64) float64 { return min(norm, θ) / norm }), "zero must stay zero"},
		"to θ² by mistake": {times(func(norm, θ float64) float64 { return min(1, θ*θ/norm) }), "with θ = 2 the norm is 4.000"},
		"each matrix": {func(gradients []matrix, θ float64) (clipped []matrix) {
			for _, g := range gradients {
				clipped = append(clipped, clip([]matrix{g}, θ)...)
			}
			return clipped
		}, "each matrix is clipped by itself"},
		"each entry": {func(gradients []matrix, θ float64) (clipped []matrix) {
			for _, g := range gradients {
				clipped = append(clipped, g.with(g, func(v, _ float64) float64 { return max(-θ, min(θ, v)) }))
			}
			return clipped
		}, "the norm is 1.732 instead of 1"},
		"in place": {func(gradients []matrix, θ float64) []matrix {
			for i, g := range clip(gradients, θ) {
				copy(gradients[i], g)
			}
			return gradients
		}, "the given gradients were changed"},
		"another direction": {func(gradients []matrix, θ float64) []matrix {
			clipped := clip(gradients, θ)
			if norm(gradients...) > θ {
				clipped[0][0][0], clipped[0][1][1] = clipped[0][1][1], clipped[0][0][0]
			}
			return clipped
		}, "the direction has changed"},
		"one matrix only": {func(gradients []matrix, θ float64) []matrix { return clip(gradients[:1], θ) }, "the shapes have changed"},
		"a panic":         {func(gradients []matrix, θ float64) []matrix { return gradients[:9] }, "slice bounds out of range"},
	} {
		exercisetest.Wrong(t, answer, lesson4.Clip(test.clip), test.hint)
	}
}

func TestRadius(t *testing.T) {
	shares := func(ρ float64) []float64 { return lengths(small(ρ, 61, 1, 4, 32)) }
	exercisetest.Right(t, lesson4.Radius(rightRadius, shares(rightRadius)))
	for answer, test := range map[string]struct {
		ρ    float64
		hint string
	}{
		"nothing":             {0, "the gradient vanishes"},
		"below 1":             {0.9, "the gradient vanishes"},
		"1 itself":            {1, "the gradient vanishes"},
		"too large":           {1.3, "the gradient explodes"},
		"as the lesson's 1.5": {1.5, "the gradient explodes"},
		"negative":            {-1.1, "not negative"},
	} {
		exercisetest.Wrong(t, answer, lesson4.Radius(test.ρ, shares(test.ρ)), test.hint)
	}
	exercisetest.Wrong(t, "too few steps", lesson4.Radius(rightRadius, shares(rightRadius)[:10]), "10 steps back")
}
