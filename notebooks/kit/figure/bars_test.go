package figure

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"testing"
)

// drawn decodes the figure, and keeps it in the file that the environment variable names, to look at it.
func drawn(t *testing.T, d drawing, env string) image.Image {
	t.Helper()
	blob, err := d.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if file := os.Getenv(env); file != "" {
		if err := os.WriteFile(file, blob, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	picture, err := png.Decode(bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	if !same(picture.At(0, 0), color.White) {
		t.Error("the background is not white")
	}
	return picture
}

func same(a, b color.Color) bool {
	r1, g1, b1, a1 := a.RGBA()
	r2, g2, b2, a2 := b.RGBA()
	return r1 == r2 && g1 == g2 && b1 == b2 && a1 == a2
}

// count returns how many pixels of a colour there are from column x0 to x1, below title and legend.
func count(picture image.Image, of color.Color, x0, x1 int) (pixels int) {
	for y := picture.Bounds().Dy() / 5; y < picture.Bounds().Dy(); y++ {
		for x := x0; x < x1; x++ {
			if same(picture.At(x, y), of) {
				pixels++
			}
		}
	}
	return pixels
}

func TestBars(t *testing.T) {
	b := &Bars{Title: "mean squared error", Y: "MSE", Value: "network", Line: "floor"}
	if _, err := b.PNG(); err == nil {
		t.Error("a figure without bars is no error")
	}
	b.Add("forward", 4, 2)
	b.Add("backward", 2, 1)
	b.Add("both", 0, 0)
	picture := drawn(t, b, "BIRNN_BARS")
	// The first bar is twice as high as the second and as wide; below the legend the last third has none.
	w := picture.Bounds().Dx()
	first, second := count(picture, colours[4], 0, w*2/5), count(picture, colours[4], w*2/5, w*2/3)
	if ratio := float64(first) / float64(second); ratio < 1.8 || ratio > 2.2 {
		t.Errorf("%d and %d pixels of bars with the values 4 and 2", first, second)
	}
	// On a logarithmic axis a factor of 10 is as high as any other.
	log := &Bars{Title: "MSE", Y: "MSE", Value: "network", Line: "floor", LogY: true}
	log.Add("forward", 50, 20)
	log.Add("delay", 5, 0)
	log.Add("both", 0.5, 0)
	picture = drawn(t, log, "BIRNN_BARS_LOG")
	third := func(i int) int { return count(picture, colours[4], w*(1+3*i)/10, w*(4+3*i)/10) }
	if a, b := third(0)-third(1), third(1)-third(2); a < b*9/10 || a > b*11/10 {
		t.Errorf("from 50 to 5 the bars lose %d pixels, from 5 to 0.5 %d", a, b)
	}
	b.Add("diverged", math.NaN(), math.Inf(1))
	drawn(t, b, "BIRNN_BARS_NAN")
	want := "Figure: MSE, network and floor. forward: 4, 2. backward: 2, 1. both: 0, 0. diverged: NaN, +Inf."
	if got := b.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
}
