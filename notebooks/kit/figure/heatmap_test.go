package figure

import (
	"math"
	"testing"
)

func TestHeatMap(t *testing.T) {
	h := &HeatMap{Title: "states", X: "t", Y: "unit"}
	if _, err := h.PNG(); err == nil {
		t.Error("a figure without values is no error")
	}
	h.Values = [][]float64{{1, 2}, {3}}
	if _, err := h.PNG(); err == nil {
		t.Error("rows of different lengths are no error")
	}
	h.Values = [][]float64{{-1, -1, -1, 1}, {-1, -1, -1, 1}}
	picture := drawn(t, h, "BIRNN_HEATMAP")
	// Three quarters of the fields are dark, a quarter is bright.
	w, hgt := picture.Bounds().Dx(), picture.Bounds().Dy()
	brightness := func(x int) uint32 {
		r, g, b, _ := picture.At(x, hgt/2).RGBA()
		return r + g + b
	}
	if dark, bright := brightness(w/3), brightness(w*3/4); dark >= bright/3 {
		t.Errorf("brightness %d of the value -1 and %d of 1", dark, bright)
	}
	want := "Figure: states, a heat map of 2 rows (unit), values from -1 to 1."
	if got := h.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
	if lowest, highest := (&HeatMap{Values: [][]float64{{5, 5}}}).scale(); lowest >= highest {
		t.Errorf("a constant matrix has the scale %g to %g", lowest, highest)
	}

	h.Columns = []string{"一", "盏", "一", "盏"}
	drawn(t, h, "BIRNN_HEATMAP_NAMES")
	h.Columns = nil

	// What is not finite has the colours of the ends and white, and is reported.
	inf := math.Inf(1)
	h.Values = [][]float64{{-inf, inf, math.NaN(), -3, 0}}
	picture = drawn(t, h, "BIRNN_HEATMAP_INF")
	fields := (w - 90) / 5 // without the scale
	for _, pair := range [][2]int{{0, 3}, {1, 4}} {
		if a, b := brightness(60+fields*pair[0]), brightness(60+fields*pair[1]); a != b {
			t.Errorf("%g has the brightness %d, the end of the scale %d", h.Values[0][pair[0]], a, b)
		}
	}
	if b := brightness(60 + fields*2); b != 3*0xffff {
		t.Errorf("NaN has the brightness %d, want white", b)
	}
	want = "Figure: states, a heat map of 1 rows (unit), values from -3 to 0. Of 5 values, 1 are -Inf, drawn like the lowest value." +
		" Of 5 values, 1 are +Inf, drawn like the highest value. Of 5 values, 1 are NaN, left white."
	if got := h.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
	h.Values = [][]float64{{-inf, math.NaN()}}
	if _, err := h.PNG(); err == nil {
		t.Error("a figure without a finite value is no error")
	}
}
