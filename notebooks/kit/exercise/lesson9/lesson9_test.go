package lesson9_test

import (
	"math"
	"strings"
	"testing"

	"birnn/notebooks/kit/exercise/exercisetest"
	"birnn/notebooks/kit/exercise/lesson9"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "09-tags-have-an-order") }

func TestImpossible(t *testing.T) {
	exercisetest.Right(t, lesson9.Impossible(impossible))
	stay := [][]float64{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}
	for answer, test := range map[string]struct {
		start []float64
		M     [][]float64
		hint  string
	}{
		"nothing":               {nil, nil, "give 3 of each"},
		"the start of the cell": {[]float64{1, 0, 0}, stay, "which must be 0"},
		"no probabilities":      {[]float64{0.5, 0.5, 0.5}, stay, "start is [0.5 0.5 0.5]"},
		"a negative one":        {[]float64{1, 0, 0}, [][]float64{{-1, 1, 1}, {0, 1, 0}, {0, 0, 1}}, "M[0] is"},
		"a tie":                 {[]float64{0.5, 0.5, 0}, stay, "a single one must be the largest"},
		"unlikely only":         {[]float64{0.4, 0.3, 0.3}, [][]float64{{0.1, 0.45, 0.45}, {1, 0, 0}, {1, 0, 0}}, "which must be 0"},
		"columns for rows":      {[]float64{0.4, 0.3, 0.3}, [][]float64{{0, 1, 1}, {0.5, 0, 0}, {0.5, 0, 0}}, "M[0] is"},
	} {
		exercisetest.Wrong(t, answer, lesson9.Impossible(func() ([]float64, [][]float64) { return test.start, test.M }), test.hint)
	}
}

// beta is the recursion with probabilities in place of logarithms, with the symbol of time step t+symbol, and with the
// columns of M for its rows if transposed.
func beta(M, E [][]float64, x []int, symbol int, transposed bool) [][]float64 {
	β := make([][]float64, len(x))
	for t := len(x) - 1; t >= 0; t-- {
		β[t] = make([]float64, len(M))
		for i := range M {
			if t == len(x)-1 {
				β[t][i] = 1
				continue
			}
			for k := range M {
				m := M[i][k]
				if transposed {
					m = M[k][i]
				}
				β[t][i] += m * E[k][x[t+symbol]] * β[t+1][k]
			}
		}
	}
	return β
}

// logarithms replaces the entries of β by their logarithms.
func logarithms(β [][]float64) [][]float64 {
	for _, row := range β {
		for i := range row {
			row[i] = math.Log(row[i])
		}
	}
	return β
}

func TestLogBeta(t *testing.T) {
	exercisetest.Right(t, lesson9.LogBeta(logBeta))
	for answer, test := range map[string]struct {
		logBeta func(M, E [][]float64, x []int) [][]float64
		hint    string
	}{
		"nothing": {func(M, E [][]float64, x []int) [][]float64 { return nil }, "must be [T][K]"},
		"zeros": {func(M, E [][]float64, x []int) [][]float64 {
			β := make([][]float64, len(x))
			for t := range β {
				β[t] = make([]float64, len(M))
			}
			return β
		}, "which symbol"},
		"a half at the end": {func(M, E [][]float64, x []int) [][]float64 {
			β := logBeta(M, E, x)
			β[len(x)-1] = []float64{math.Log(0.5), math.Log(0.5)}
			return β
		}, "its logarithm 0"},
		"cut off": {func(M, E [][]float64, x []int) [][]float64 {
			β := beta(M, E, x, 1, false)
			for _, row := range β {
				for i := range row {
					row[i] = max(row[i], math.SmallestNonzeroFloat64)
				}
			}
			return logarithms(β)
		}, "2,000 time steps"},
		"probabilities": {func(M, E [][]float64, x []int) [][]float64 { return beta(M, E, x, 1, false) }, "the logarithm is asked for"},
		"its symbol":    {func(M, E [][]float64, x []int) [][]float64 { return logarithms(beta(M, E, x, 0, false)) }, "which symbol"},
		"M transposed":  {func(M, E [][]float64, x []int) [][]float64 { return logarithms(beta(M, E, x, 1, true)) }, "which row of M"},
		"underflow":     {func(M, E [][]float64, x []int) [][]float64 { return logarithms(beta(M, E, x, 1, false)) }, "2,000 time steps"},
		"a panic":       {func(M, E [][]float64, x []int) [][]float64 { return beta(M, E, x, 9, false) }, "index out of range"},
		"scaled": {func(M, E [][]float64, x []int) [][]float64 {
			β := logBeta(M, E, x)
			for _, row := range β {
				row[0], row[1] = 0, row[1]-row[0]
			}
			return β
		}, "off by the same"},
	} {
		exercisetest.Wrong(t, answer, lesson9.LogBeta(test.logBeta), test.hint)
	}
}

func TestMayFollow(t *testing.T) {
	exercisetest.Right(t, lesson9.MayFollow(mayFollow))
	for answer, test := range map[string]struct {
		mayFollow func(before, tag string) bool
		hint      string
	}{
		"always": {func(before, tag string) bool { return true }, "I-PER may not stand at the beginning"},
		"never":  {func(before, tag string) bool { return false }, "O may stand at the beginning"},
		"any name": {func(before, tag string) bool {
			return !strings.HasPrefix(tag, "I-") || before != "" && before != "O"
		}, "I-LOC may not stand after B-PER"},
		"only after B": {func(before, tag string) bool {
			return !strings.HasPrefix(tag, "I-") || before == "B-"+tag[2:]
		}, "I-PER may stand after I-PER"},
		"no name after a name": {func(before, tag string) bool {
			if strings.HasPrefix(tag, "B-") {
				return before == "" || before == "O"
			}
			return mayFollow(before, tag)
		}, "B-PER may stand after B-PER"},
	} {
		exercisetest.Wrong(t, answer, lesson9.MayFollow(test.mayFollow), test.hint)
	}
}
