package lesson4

import (
	"math"
	"math/rand/v2"
	"slices"
)

type matrix = [][]float64

// A direction is one of a network, with inputs X_t [n, d], and the loss Σ dO_t·H_t, so that dO_t is its gradient with
// respect to H_t as far as it comes from the output.
type direction struct {
	step                   int // +1 forward, -1 backward
	X, dO                  []matrix
	Wxh, Whh, bh, starting matrix // starting is the state [n, h] before the first step
}

// random returns a direction of T = 7 steps with random weights; starting is 0.
func random(step int) direction {
	const T, n, d, h = 7, 2, 3, 4
	rng := rand.New(rand.NewPCG(1, 1))
	entries := func(rows, columns int, scale float64) matrix {
		m := make(matrix, rows)
		for i := range m {
			for range columns {
				m[i] = append(m[i], scale*rng.NormFloat64())
			}
		}
		return m
	}
	p := direction{step: step, Wxh: entries(d, h, 0.5), Whh: entries(h, h, 0.5), bh: entries(1, h, 0.5), starting: entries(n, h, 0)}
	for range T {
		p.X, p.dO = append(p.X, entries(n, d, 1)), append(p.dO, entries(n, h, 1))
	}
	return p
}

// states returns H_t = tanh(X_t W_xh + H_{t∓1} W_hh + b_h) at every step.
func (p direction) states() []matrix {
	H, before := make([]matrix, len(p.X)), p.starting
	for i := range H {
		t := i
		if p.step < 0 {
			t = len(H) - 1 - i
		}
		for row := range before {
			state := slices.Clone(p.bh[0])
			for j := range state {
				for k, x := range p.X[t][row] {
					state[j] += x * p.Wxh[k][j]
				}
				for k, h := range before[row] {
					state[j] += h * p.Whh[k][j]
				}
				state[j] = math.Tanh(state[j])
			}
			H[t] = append(H[t], state)
		}
		before = H[t]
	}
	return H
}

func (p direction) loss() (sum float64) {
	for t, Ht := range p.states() {
		for i, row := range Ht {
			for j, h := range row {
				sum += p.dO[t][i][j] * h
			}
		}
	}
	return sum
}

// gradient returns the gradient of the loss with respect to w, one of the matrices of p, by finite differences.
func (p direction) gradient(w matrix) matrix {
	const ε = 1e-5
	g := make(matrix, len(w))
	for i := range w {
		for j, was := range w[i] {
			w[i][j] = was + ε
			up := p.loss()
			w[i][j] = was - ε
			g[i] = append(g[i], (up-p.loss())/(2*ε))
			w[i][j] = was
		}
	}
	return g
}

// off returns how far got is from want, relative to the largest entry of want. The shapes must be equal.
func off(got, want matrix) float64 {
	worst, largest := 0.0, 0.0
	for i := range want {
		for j, v := range want[i] {
			worst, largest = max(worst, math.Abs(got[i][j]-v)), max(largest, math.Abs(v))
		}
	}
	return worst / largest
}

// sameShape reports whether two matrices have as many rows and columns.
func sameShape(a, b matrix) bool {
	return slices.EqualFunc(a, b, func(x, y []float64) bool { return len(x) == len(y) })
}

// typed returns matrices in the type of the answer.
func typed[M ~[][]float64](ms []matrix) (of []M) {
	for _, m := range ms {
		of = append(of, M(m))
	}
	return of
}
