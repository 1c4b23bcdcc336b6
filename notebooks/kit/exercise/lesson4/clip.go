package lesson4

import (
	"math"
	"slices"

	"birnn/notebooks/kit/exercise"
)

// Clip checks exercise 4: clip multiplies all entries of all matrices by min(1, θ/norm), where norm is the length of all
// entries together, and leaves the given matrices as they are.
func Clip[M ~[][]float64](clip func(gradients []M, θ float64) []M) error {
	long := []matrix{{{3, 0}, {0, 12}}, {{0, 4}}} // 13 long
	short := []matrix{{{0.3, 0}, {0, 0}}, {{0, 0.4}}}
	return exercise.Try(func() error {
		for _, c := range []struct {
			given []matrix
			θ     float64
		}{{long, 1}, {short, 1}, {long, 2}, {long, 20}, {short, 0.1}, {[]matrix{{{0}}}, 1}} {
			given := clone(c.given)
			got := clip(typed[M](given), c.θ)
			var clipped []matrix
			for _, m := range got {
				clipped = append(clipped, matrix(m))
			}
			switch {
			case !slices.EqualFunc(given, c.given, equal):
				return exercise.Faultf("the given gradients were changed; return new ones", "给的梯度被改动了；请返回新的")
			case !slices.EqualFunc(clipped, given, sameShape):
				return exercise.Faultf("the shapes have changed", "形状变了")
			}
			if err := clippedTo(clipped, given, c.θ); err != nil {
				return err
			}
		}
		return nil
	})
}

// clippedTo compares clipped gradients with min(1, θ/norm) times the given ones.
func clippedTo(got, given []matrix, θ float64) error {
	was, is := norm(given...), norm(got...)
	want := min(θ, was)
	switch {
	case was == 0 && is != 0:
		return exercise.Faultf("a gradient of zero must stay zero", "0梯度应当还是0")
	case was <= θ && !slices.EqualFunc(got, given, equal):
		return exercise.Faultf("θ = %g: a gradient %g long is short enough and must stay as it is", "θ = %g：长度为%g的梯度足够短，应当不变", θ, was)
	case was <= θ:
		return nil
	case math.Abs(is-want) > 1e-9 && math.Abs(norm(got[0])-min(θ, norm(given[0]))) < 1e-9:
		return exercise.Faultf("each matrix is clipped by itself; the norm is that of all together", "各个矩阵分别裁剪了；范数应当是合在一起的")
	case !(math.Abs(is-want) <= 1e-9):
		return exercise.Faultf("with θ = %g the norm is %.3f instead of %g", "θ = %g时范数是%.3f，应当是%g", θ, is, want)
	}
	for k, m := range given {
		for i, row := range m {
			for j, v := range row {
				if !(math.Abs(got[k][i][j]-v*want/was) <= 1e-9) {
					return exercise.Faultf("the direction has changed: multiply all entries by the same number", "方向变了：所有元素都乘以同一个数")
				}
			}
		}
	}
	return nil
}

// norm returns the length of all entries together.
func norm(ms ...matrix) float64 {
	sum := 0.0
	for _, m := range ms {
		for _, v := range slices.Concat(m...) {
			sum += v * v
		}
	}
	return math.Sqrt(sum)
}

func equal(a, b matrix) bool { return slices.EqualFunc(a, b, slices.Equal) }

func clone(ms []matrix) (copies []matrix) {
	for _, m := range ms {
		var rows matrix
		for _, row := range m {
			rows = append(rows, slices.Clone(row))
		}
		copies = append(copies, rows)
	}
	return copies
}
