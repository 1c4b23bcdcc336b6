package lesson4_test

import (
	"math"
	"math/rand/v2"
	"slices"
)

// What the solutions use of the lesson.

// A matrix, row by row.
type matrix [][]float64

// fill takes the entries from entry, row by row.
func fill(rows, columns int, entry func() float64) matrix {
	m := make(matrix, rows)
	for i := range m {
		m[i] = make([]float64, columns)
		for j := range m[i] {
			m[i][j] = entry()
		}
	}
	return m
}

func zeros(rows, columns int) matrix { return fill(rows, columns, func() float64 { return 0 }) }
func ones(rows, columns int) matrix  { return fill(rows, columns, func() float64 { return 1 }) }
func add(x, y float64) float64       { return x + y }

// dot returns the product A B.
func (A matrix) dot(B matrix) matrix {
	C := zeros(len(A), len(B[0]))
	for i := range A {
		for k, a := range A[i] {
			for j, b := range B[k] {
				C[i][j] += a * b
			}
		}
	}
	return C
}

// transposed returns Aᵀ.
func (A matrix) transposed() matrix {
	C := zeros(len(A[0]), len(A))
	for i := range A {
		for j, a := range A[i] {
			C[j][i] = a
		}
	}
	return C
}

// with returns f(a, b) for every entry; of a B with one row, that row stands for all.
func (A matrix) with(B matrix, f func(a, b float64) float64) matrix {
	i, j := 0, -1
	return fill(len(A), len(A[0]), func() float64 {
		if j++; j == len(A[0]) {
			i, j = i+1, 0
		}
		return f(A[i][j], B[i%len(B)][j])
	})
}

// walk returns the time steps in the order of the direction.
func walk(T, step int) (steps []int) {
	for t := range T {
		steps = append(steps, t)
	}
	if step < 0 {
		slices.Reverse(steps)
	}
	return steps
}

// A direction has the parameters W_xh [d, h], W_hh [h, h] and b_h [1, h].
type direction struct{ Wxh, Whh, bh matrix }

// states returns H_t [n, h] at every step, from X_t [n, d] and the initial state [n, h]; nil stands for zeros.
func (p direction) states(X []matrix, step int, initial matrix) []matrix {
	H, before := make([]matrix, len(X)), initial
	if before == nil {
		before = zeros(len(X[0]), len(p.Whh))
	}
	for _, t := range walk(len(X), step) {
		Z := X[t].dot(p.Wxh).with(before.dot(p.Whh), add).with(p.bh, add)
		H[t] = Z.with(Z, func(z, _ float64) float64 { return math.Tanh(z) })
		before = H[t] // H_{t-1} or H_{t+1} of the next step
	}
	return H
}

// norm returns the length of all entries together, as one vector.
func norm(ms ...matrix) float64 {
	sum := 0.0
	for _, m := range ms {
		for _, v := range slices.Concat(m...) {
			sum += v * v
		}
	}
	return math.Sqrt(sum)
}

// orthogonal returns ρ Q with a random orthogonal Q, row by row perpendicular to the rows above (Gram and Schmidt).
func orthogonal(rng *rand.Rand, h int, ρ float64) matrix {
	Q := fill(h, h, rng.NormFloat64)
	for i := range Q {
		for _, above := range Q[:i] {
			along := matrix{Q[i]}.dot(matrix{above}.transposed())[0][0]
			Q[i] = matrix{Q[i]}.with(matrix{above}, func(q, a float64) float64 { return q - along*a })[0]
		}
		length := norm(matrix{Q[i]})
		Q[i] = matrix{Q[i]}.with(matrix{Q[i]}, func(q, _ float64) float64 { return q / length })[0]
	}
	return Q.with(Q, func(q, _ float64) float64 { return ρ * q })
}

// small returns a direction of h units with small input weights, and T random inputs [n, d].
func small(ρ float64, T, n, d, h int) (p direction, X []matrix) {
	rng := rand.New(rand.NewPCG(2, 2))
	for range T {
		X = append(X, fill(n, d, rng.NormFloat64))
	}
	return direction{fill(d, h, func() float64 { return 0.05 * rng.NormFloat64() }), orthogonal(rng, h, ρ), zeros(1, h)}, X
}

// lengths returns how long a gradient is after 1, 2, … steps back, as a share of its length at the last step.
func lengths(p direction, X []matrix) (shares []float64) {
	H, rng := p.states(X, +1, nil), rand.New(rand.NewPCG(4, 4))
	dH := fill(1, len(p.Whh), rng.NormFloat64)
	start := norm(dH)
	for t := len(X) - 1; t > 0; t-- {
		dZ := dH.with(H[t], func(dh, h float64) float64 { return dh * (1 - h*h) })
		dH = dZ.dot(p.Whh.transposed())
		shares = append(shares, norm(dH)/start)
	}
	return shares
}
