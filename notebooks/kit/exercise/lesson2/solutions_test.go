package lesson2_test

import (
	"math"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
)

func enough(mse float64) int {
	D := 0
	for floor(reader{forward: true, delay: D}.sees) > mse {
		D++
	}
	return D
}

func bestGuess(x []float64) (guess float64) {
	for i, x := range x {
		if math.IsNaN(x) {
			x = 0.5
		}
		guess += weight(i-10) * x
	}
	return guess
}

const guessed = 0.001286

func posted(b *backend.Opened) mean {
	h := birnnlib.Sizes{Forward: 32, Backward: 32}
	steps, n := size(b)
	mse, _ := measure(b, trained(b, h, 0, true, steps, nil), h, 0, true, n)
	return mse
}

var fewest = birnnlib.Sizes{Forward: 3, Backward: 4}
