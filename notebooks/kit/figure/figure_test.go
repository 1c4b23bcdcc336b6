package figure

import (
	"bytes"
	"image/png"
	"math"
	"os"
	"strings"
	"testing"
)

func TestCurves(t *testing.T) {
	c := &Curves{Title: "training", X: "epoch", Y: "perplexity", LogY: true}
	if _, err := c.PNG(); err == nil {
		t.Error("a figure without points is no error")
	}
	c.Add("falling", 0, math.Inf(-1))
	if _, err := c.PNG(); err == nil || !strings.Contains(err.Error(), "any of its 1 points") {
		t.Errorf("a figure with one point, which cannot be drawn: error %v", err)
	}
	for epoch := range 20 {
		c.Add("falling", float64(epoch), 1e6*math.Exp(-float64(epoch)))
		c.Add("constant", float64(epoch), 7)
	}
	c.Add("falling", 20, math.Inf(1))
	c.Add("falling", 21, math.NaN())
	c.Add("falling", 22, -1)
	c.Add("alone", 3, 50)
	blob, err := c.PNG()
	if err != nil {
		t.Fatal(err)
	}
	if file := os.Getenv("BIRNN_FIGURE"); file != "" { // to look at it
		if err := os.WriteFile(file, blob, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	image, err := png.Decode(bytes.NewReader(blob))
	if err != nil {
		t.Fatal(err)
	}
	// Each of the three colours must be there, on white.
	count := map[int]int{}
	for y := range image.Bounds().Dy() {
		for x := range image.Bounds().Dx() {
			for i, want := range colours[:3] {
				r, g, b, _ := image.At(x, y).RGBA()
				if wr, wg, wb, _ := want.RGBA(); r == wr && g == wg && b == wb {
					count[i]++
				}
			}
		}
	}
	for i := range 3 {
		if count[i] < 20 {
			t.Errorf("%d pixels of curve %d, want a visible one", count[i], i)
		}
	}
	if r, g, b, a := image.At(0, 0).RGBA(); r&g&b&a != 0xffff {
		t.Error("the background is not white")
	}
	want := "Figure: perplexity over epoch. falling (not drawn: 4 of 24 points): from 1e+06 at 0 to 0.005603 at 19. constant: from 7 at 0 to 7 at 19. alone: from 50 at 3 to 50 at 3."
	if got := c.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
}

func TestDecades(t *testing.T) {
	var labels []string
	for _, tick := range (decades{}).Ticks(1, 1e9) {
		if tick.Label != "" {
			labels = append(labels, tick.Label)
		}
	}
	if len(labels) < 3 || len(labels) > 7 || labels[0] != "1" {
		t.Errorf("labels %q", labels)
	}
}
