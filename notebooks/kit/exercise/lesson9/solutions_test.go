package lesson9_test

import (
	"math"
	"strings"
)

func impossible() (start []float64, M [][]float64) {
	return []float64{0.4, 0.3, 0.3}, [][]float64{{0, 0.5, 0.5}, {1, 0, 0}, {1, 0, 0}}
}

func logBeta(M, E [][]float64, x []int) [][]float64 {
	β := make([][]float64, len(x))
	for t := len(x) - 1; t >= 0; t-- {
		β[t] = make([]float64, len(M))
		if t == len(x)-1 {
			continue // log 1
		}
		for i := range M {
			largest := math.Inf(-1)
			terms := make([]float64, len(M))
			for k := range M {
				terms[k] = math.Log(M[i][k]) + math.Log(E[k][x[t+1]]) + β[t+1][k]
				largest = max(largest, terms[k])
			}
			sum := 0.0
			for _, term := range terms {
				sum += math.Exp(term - largest)
			}
			β[t][i] = largest + math.Log(sum)
		}
	}
	return β
}

func mayFollow(before, tag string) bool {
	kind, inside := strings.CutPrefix(tag, "I-")
	return !inside || before == "B-"+kind || before == "I-"+kind
}
