package figure

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"os"
	"strings"
	"testing"

	"gonum.org/v1/plot"
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
	c.Reference("bound", 0, 10)
	c.Reference("bound", 19, 10)
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
	want := "Figure: perplexity over epoch. falling (not drawn: 4 of 24 points): from 1e+06 at 0 to 0.005603 at 19. constant: from 7 at 0 to 7 at 19. alone: from 50 at 3 to 50 at 3. bound: from 10 at 0 to 10 at 19."
	if got := c.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
}

// TestDirections looks at the colours: those of the directions are the same in all figures, and a reference is black.
func TestDirections(t *testing.T) {
	for _, names := range [][]string{{"both", "weight", "forward", "backward", "x"}, {"双向", "下限", "正向，延迟5", "反向", "x"}} {
		var c Curves
		for _, name := range names {
			c.Add(name, 0, 1)
		}
		c.Reference(names[1], 1, 1)
		for i, want := range []color.Color{colours[2], color.Black, colours[0], colours[1], colours[3]} {
			if got := c.styles()[i]; got.colour != want {
				t.Errorf("%q: curve %d has the colour %v, want %v", names, i, got.colour, want)
			}
		}
	}
}

// TestChinese draws and describes a figure in Chinese.
func TestChinese(t *testing.T) {
	c := &Curves{Title: "训练", X: "迭代周期", Y: "困惑度", LogY: true}
	c.Add("正向", 0, 700)
	c.Add("正向", 10, 7)
	c.Add("反向", 0, 0)
	drawn(t, c, "BIRNN_CHINESE")
	want := "图：困惑度，横轴是迭代周期。正向：从700（在0处）到7（在10处）。反向（没有画出：1个点，共1个）。"
	if got := c.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
	if chinese("perplexity", "ρ") || !chinese("", "困惑度") {
		t.Error("Chinese is not told from Latin and Greek letters")
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		lowest, highest float64
		of              func(lowest, highest float64) []plot.Tick
		want            string
	}{
		{0, 0.35, round, "0.0 0.1 0.2 0.3"}, {0.31, 0.53, round, "0.35 0.40 0.45 0.50"}, {-15, 25, round, "-10 0 10 20"}, {1, 160, round, "50 100 150"},
		{-0.5, 17.5, integers, "0 5 10 15"}, {-0.5, 3.5, integers, "0 1 2 3"}, {-0.5, 0.5, integers, "0"},
	} {
		var labels []string
		for _, tick := range test.of(test.lowest, test.highest) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != test.want {
			t.Errorf("from %g to %g: ticks %s, want %s", test.lowest, test.highest, got, test.want)
		}
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
