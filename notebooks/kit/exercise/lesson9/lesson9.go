// Package lesson9 checks the answers to the exercises of lesson 9.
package lesson9

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"birnn/notebooks/kit/exercise"
)

// Impossible checks exercise 1: impossible returns the start probabilities [3] and the matrix M [3][3] of a Markov chain in
// which the likeliest first state and the likeliest second state, each by itself, make a sequence of probability 0.
func Impossible(impossible func() (start []float64, M [][]float64)) error {
	return exercise.Try(func() error {
		start, M := impossible()
		if len(start) != 3 || len(M) != 3 {
			return exercise.Faultf("there are %d start probabilities and %d rows of M; give 3 of each", "初始概率有%d个，M有%d行；应当各有3个", len(start), len(M))
		}
		second := make([]float64, 3)
		for i, row := range append([][]float64{start}, M...) {
			name := []any{"start", "M[0]", "M[1]", "M[2]"}[i]
			sum := 0.0
			for _, p := range row {
				sum += p
			}
			if len(row) != 3 || slices.Min(row) < 0 || math.Abs(sum-1) > 1e-9 {
				return exercise.Faultf("%v is %v; it must be three probabilities with the sum 1", "%v是%v；它应当是和为1的三个概率", name, row)
			}
			if i > 0 {
				for k, p := range row {
					second[k] += start[i-1] * p
				}
			}
		}
		first, next := likeliest(start), likeliest(second)
		if first < 0 || next < 0 {
			return exercise.Faultf("the first state has the probabilities %.3v, the second %.3v: in each, a single one must be the largest", "第一个状态的概率是%.3v，第二个是%.3v：各自要有唯一的最大值", start, second)
		}
		if p := start[first] * M[first][next]; p > 0 {
			return exercise.Faultf("the likeliest first state is %d, with %.3g, and the likeliest second state %d, with %.3g; this sequence has the probability %.3g, which must be 0",
				"最可能的第一个状态是%d，概率%.3g；最可能的第二个状态是%d，概率%.3g；这个序列的概率是%.3g，应当是0", first, start[first], next, second[next], p)
		}
		return nil
	})
}

// likeliest returns the index of the largest probability, or -1 if there are several.
func likeliest(p []float64) int {
	most := slices.Max(p)
	at := slices.Index(p, most)
	for k, other := range p {
		if k != at && most-other < 1e-9 {
			return -1
		}
	}
	return at
}

// LogBeta checks exercise 2: logBeta returns log P(x_{t+1} … x_T | y_t = i), [T][K], for M [K][K], E [K][symbols] and x [T].
// It compares the answer for 5 time steps with sums over all sequences of states, and for 2,000, where probabilities
// underflow, with a recursion that scales them.
func LogBeta(logBeta func(M, E [][]float64, x []int) [][]float64) error {
	return exercise.Try(func() error {
		rng := rand.New(rand.NewPCG(1, 9))
		M, E := [][]float64{distribution(rng, 2), distribution(rng, 2)}, [][]float64{distribution(rng, 3), distribution(rng, 3)}
		x := []int{2, 0, 1, 1, 2}
		got := logBeta(M, E, x)
		if fault := form(got, len(x), 2); fault != nil {
			return fault
		}
		for t := range slices.Backward(x) {
			for i := range 2 {
				want, other := math.Log(after(M, E, x[t+1:], i)), math.Log(after(M, E, x[t+1:], 1-i))
				if near(got[t][i], want) {
					continue
				}
				switch {
				case near(got[t][i], math.Exp(want)):
					return exercise.Faultf("t=%d of %d, state %d: %.4g is the probability; the logarithm is asked for", "t=%d（共%d步），状态%d：%.4g是概率；要的是对数", t+1, len(x), i, got[t][i])
				case t == len(x)-1:
					return exercise.Faultf("t=%d of %d, state %d: %.4g instead of %.4g; no symbols come after the last time step: the probability is 1, its logarithm 0",
						"t=%d（共%d步），状态%d：%.4g，应当是%.4g；最后一步之后再没有符号：概率是1，对数是0", t+1, len(x), i, got[t][i], want)
				case near(got[t][i]-want, got[t][1-i]-other):
					return exercise.Faultf("t=%d of %d, state %d: %.4g instead of %.4g; all states are off by the same: if you scale β, the logarithm of the scale must be added again",
						"t=%d（共%d步），状态%d：%.4g，应当是%.4g；所有状态都差同一个数：如果缩放了β，就要把倍数的对数加回去", t+1, len(x), i, got[t][i], want)
				}
				return exercise.Faultf("t=%d of %d, state %d: %.4g instead of %.4g; which symbol does the next state show, and which row of M leads to it?",
					"t=%d（共%d步），状态%d：%.4g，应当是%.4g；下一个状态显示的是哪个符号？M的哪一行通向它？", t+1, len(x), i, got[t][i], want)
			}
		}
		long := make([]int, 2000)
		for t := range long {
			long[t] = rng.IntN(3)
		}
		whole := logBeta(M, E, long)
		if fault := form(whole, len(long), 2); fault != nil {
			return fault
		}
		want := scaled(M, E, long)
		for i, value := range whole[0] {
			if !near(value, want[i]) {
				return exercise.Faultf("with 2,000 time steps, log β_1(%d) is %.6g instead of %.6g; keep to logarithms, and take the largest term out of the sum: log Σ exp(a) = m + log Σ exp(a-m)",
					"有2,000个时间步时，log β_1(%d)是%.6g，应当是%.6g；请始终用对数计算，并把最大的一项从和里提出来：log Σ exp(a) = m + log Σ exp(a-m)", i, value, want[i])
			}
		}
		return nil
	})
}

// near reports whether two numbers are the same up to rounding.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-9*(1+math.Abs(b)) }

// scaled returns log β_1(i), [K], by the recursion with probabilities that are scaled at each time step.
func scaled(M, E [][]float64, x []int) []float64 {
	β, scale := slices.Repeat([]float64{1}, len(M)), 0.0
	for _, symbol := range slices.Backward(x[1:]) {
		before := make([]float64, len(M))
		for i := range M {
			for k := range M {
				before[i] += M[i][k] * E[k][symbol] * β[k]
			}
		}
		largest := slices.Max(before)
		for i := range before {
			before[i] /= largest
		}
		β, scale = before, scale+math.Log(largest)
	}
	for i, p := range β {
		β[i] = scale + math.Log(p)
	}
	return β
}

// form returns a Fault unless β is [T][K].
func form(β [][]float64, T, K int) error {
	if len(β) != T || slices.ContainsFunc(β, func(row []float64) bool { return len(row) != K }) {
		return exercise.Faultf("the result must be [T][K], here %d rows of %d", "结果应当是[T][K]，这里是%d行、每行%d个数", T, K)
	}
	return nil
}

// after returns P(x | the state before x is i), by adding up all sequences of states.
func after(M, E [][]float64, x []int, i int) float64 {
	if len(x) == 0 {
		return 1
	}
	p := 0.0
	for k := range M {
		p += M[i][k] * E[k][x[0]] * after(M, E, x[1:], k)
	}
	return p
}

// distribution returns n random probabilities with the sum 1.
func distribution(rng *rand.Rand, n int) []float64 {
	p, sum := make([]float64, n), 0.0
	for k := range p {
		p[k] = 0.1 + rng.Float64()
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// MayFollow checks exercise 3: mayFollow reports which of the tags B-X, I-X and O may come after which, and after "", the
// beginning.
func MayFollow(mayFollow func(before, tag string) bool) error {
	return exercise.Try(func() error {
		tags := []string{"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}
		for _, before := range append([]string{""}, tags...) {
			for _, tag := range tags {
				kind, inside := strings.CutPrefix(tag, "I-")
				want := !inside || strings.HasSuffix(before, "-"+kind)
				if mayFollow(before, tag) == want {
					continue
				}
				english, chinese := "after "+before, before+"后面"
				if before == "" {
					english, chinese = "at the beginning", "开头"
				}
				if want {
					return exercise.Fault{English: fmt.Sprintf("%s may stand %s", tag, english), Chinese: fmt.Sprintf("%s可以出现在%s", tag, chinese)}
				}
				return exercise.Fault{
					English: fmt.Sprintf("%s may not stand %s: which name would it continue?", tag, english),
					Chinese: fmt.Sprintf("%s不能出现在%s：它延续的是哪个名字？", tag, chinese),
				}
			}
		}
		return nil
	})
}
