package figure

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
)

// step returns a round distance of ticks, 1, 2 or 5 times a power of ten, so that about six fit.
func step(lowest, highest float64) float64 {
	rough := (highest - lowest) / 6
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	for _, times := range []float64{1, 2, 5} {
		if times*unit >= rough*(1-1e-9) {
			return times * unit
		}
	}
	return 10 * unit
}

// round puts a labelled tick at each round number.
func round(lowest, highest float64) []plot.Tick { return every(step(lowest, highest), lowest, highest) }

// integers puts a labelled tick at each round integer.
func integers(lowest, highest float64) []plot.Tick {
	if lowest, highest = math.Ceil(lowest), math.Floor(highest); lowest == highest { // one row or column
		return every(1, lowest, highest)
	}
	return every(max(1, step(lowest, highest)), lowest, highest)
}

// every puts labelled ticks at the multiples of step.
func every(step, lowest, highest float64) (ticks []plot.Tick) {
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	for i := math.Ceil(lowest/step - 1e-9); i*step <= highest+1e-9*step; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: strconv.FormatFloat(i*step+0, 'f', decimals, 64)})
	}
	return ticks
}
