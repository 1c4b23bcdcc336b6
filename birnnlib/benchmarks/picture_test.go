package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

func TestDraw(t *testing.T) {
	path := filepath.Join(t.TempDir(), "times.svg")
	if err := sample().draw(path); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg ", ">The post<", ">birnnlib on XLA: 50.0 ms, × 1.00<", ">JAX: 100.0 ms, × 2.00<", ">10<", "</svg>"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture lacks %q:\n%s", want, svg)
		}
	}
}

func TestTicks(t *testing.T) {
	var got []string
	for _, tick := range milliseconds(30).Ticks(1, 5000) {
		got = append(got, tick.Label)
	}
	if want := "1,,,10,"; strings.Join(got, ",") != want {
		t.Errorf("the labels are %q, want %q", strings.Join(got, ","), want)
	}
}

// TestXRange checks that the text behind each bar fits into the picture, and that the longest one touches its edge.
func TestXRange(t *testing.T) {
	const length = 500
	width := func(text string) vg.Length { return vg.Length(4 * len(text)) }
	for _, rows := range []bars{
		{{label: "a", seconds: 0.002}},
		{{label: "a heading"}, {label: "fast", seconds: 0.0003}, {label: "slow, with a long name that needs room", seconds: 14.9}, {label: "slowest", seconds: 20}},
	} {
		least, most := rows.xRange(length, width)
		farthest := 0.0
		for _, row := range rows {
			if row.seconds > 0 {
				end := length * math.Log(1000*row.seconds/least) / math.Log(most/least)
				farthest = max(farthest, end+float64(gap+width(row.text())))
			}
		}
		if math.Abs(farthest-length) > 1e-6 {
			t.Errorf("%v: the texts end at %g of %d", rows, farthest, length)
		}
	}
}

// TestHeadings checks that the headings fit into the picture, in a font that is wider than the one measured, too.
func TestHeadings(t *testing.T) {
	font := plot.DefaultFont
	font.Variant, font.Size, font.Weight = "Sans", plot.New().X.Tick.Label.Font.Size, xfont.WeightBold
	style := draw.TextStyle{Font: font, Handler: plot.DefaultTextHandler}
	const wider = 1.2 // DejaVu Sans, in place of Liberation Sans
	for _, w := range allWorkloads() {
		if need := wider * style.Width(w.title); need > width-2*margin {
			t.Errorf("%q needs %g of %g points", w.title, need, width-2*margin)
		}
	}
}
