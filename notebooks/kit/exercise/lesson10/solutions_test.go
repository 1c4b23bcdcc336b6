package lesson10_test

import "math"

func attend(Q, K, V [][]float64, causal bool) [][]float64 {
	H := make([][]float64, len(Q))
	for t := range Q {
		seen := len(K)
		if causal {
			seen = t + 1
		}
		scores, largest := make([]float64, seen), math.Inf(-1)
		for s := range scores {
			for i := range Q[t] {
				scores[s] += Q[t][i] * K[s][i]
			}
			scores[s] /= math.Sqrt(float64(len(Q[t])))
			largest = max(largest, scores[s])
		}
		sum := 0.0
		for s := range scores {
			scores[s] = math.Exp(scores[s] - largest)
			sum += scores[s]
		}
		H[t] = make([]float64, len(V[0]))
		for s := range scores {
			for i := range H[t] {
				H[t][i] += scores[s] / sum * V[s][i]
			}
		}
	}
	return H
}

func combine(first, second [2]float64) [2]float64 {
	return [2]float64{second[0] * first[0], second[0]*first[1] + second[1]}
}

func delayed(tags []int, D int) []int {
	answers := make([]int, 0, len(tags)+D)
	for range D {
		answers = append(answers, -1)
	}
	return append(answers, tags...)
}
