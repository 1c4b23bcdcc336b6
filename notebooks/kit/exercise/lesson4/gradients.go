package lesson4

import "birnn/notebooks/kit/exercise"

// Mended checks exercise 2: mended returns the gradients of a direction with respect to W_xh, W_hh and b_h, for the
// states H that start from 0, forward (step +1) and backward (step -1).
func Mended[M ~[][]float64](mended func(Whh M, X, H, dO []M, step int) (dWxh, dWhh, dbh M)) error {
	return exercise.Try(func() error {
		for _, step := range []int{+1, -1} {
			p := random(step)
			dWxh, dWhh, dbh := mended(p.Whh, typed[M](p.X), typed[M](p.states()), typed[M](p.dO), step)
			for _, g := range []struct {
				name             string
				got, want        matrix
				english, chinese string
			}{
				{"W_xh", dWxh, p.gradient(p.Wxh), "is dZ_t right? what arrives from the next step?", "dZ_t对吗？从下一步来的是什么？"},
				{"b_h", dbh, p.gradient(p.bh), "is dZ_t right, and the sum over the sequences?", "dZ_t对吗？对各个序列求和了吗？"},
				{"W_hh", dWhh, p.gradient(p.Whh), "the others are right: which state was multiplied by W_hh to give Z_t?", "其他的都对：Z_t里与W_hh相乘的是哪个状态？"},
			} {
				if !sameShape(g.got, g.want) {
					return exercise.Faultf("the gradient of %s should be [%d, %d], as %[1]s is", "%s的梯度应当是[%d, %d]，与它自己一样",
						g.name, len(g.want), len(g.want[0]))
				}
				if off := off(g.got, g.want); !(off <= 1e-6) {
					return exercise.Faultf("step %+[1]d: the gradient of %[2]s is off by %.2[3]g; %[4]s", "step为%+[1]d：%[2]s的梯度差了%.2[3]g；%[5]s",
						step, g.name, off, g.english, g.chinese)
				}
			}
		}
		return nil
	})
}

// OfInitial checks exercise 3: ofInitial returns the gradient with respect to the state before the first step, which is
// the last one where the direction is backward.
func OfInitial[M ~[][]float64](ofInitial func(Whh M, H, dO []M, step int) M) error {
	return exercise.Try(func() error {
		for _, step := range []int{+1, -1} {
			p := random(step)
			for i := range p.starting {
				for j := range p.starting[i] {
					p.starting[i][j] = 0.3
				}
			}
			want := p.gradient(p.starting)
			got := matrix(ofInitial(p.Whh, typed[M](p.states()), typed[M](p.dO), step))
			if !sameShape(got, want) {
				return exercise.Faultf("step %+d: the gradient should be [%d, %d]", "step为%+d：梯度应当是[%d, %d]", step, len(want), len(want[0]))
			}
			if off := off(got, want); !(off <= 1e-6) {
				return exercise.Faultf("step %+d: off by %.2g; where does the walk back end, and is it dZ or dZ W_hhᵀ that arrives there?",
					"step为%+d：差了%.2g；往回走到哪里为止？到达那里的是dZ，还是dZ W_hhᵀ？", step, off)
			}
		}
		return nil
	})
}
