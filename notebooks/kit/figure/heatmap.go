package figure

import (
	"fmt"
	"image"
	"image/color"
	imagedraw "image/draw"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/palette"
	"gonum.org/v1/plot/palette/moreland"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// HeatMap is a figure of a matrix: the greater a value, the brighter its field. A scale at its side gives the values; what
// lies outside of it, such as infinity, has the colour of its end.
type HeatMap struct {
	Title, X, Y     string      // labels
	Columns         []string    // names of the columns, written above their numbers; nil for none
	Values          [][]float64 // row by row, all of the same length, the first row at the bottom; NaN for none
	Lowest, Highest float64     // the ends of the scale; both 0: those of the finite values

	id string // of the display in the notebook; empty before the first Show
}

// Show draws the figure in the output of the notebook's cell, in place of the one before. Outside a notebook it does
// nothing.
func (h *HeatMap) Show() { show(&h.id, h) }

// String describes the figure in words: its size, the ends of the scale, and how many values are infinite or NaN.
func (h *HeatMap) String() string {
	lowest, highest := h.scale()
	head, special := "Figure: %s, a heat map of %d rows (%s), values from %.3g to %.3g.", " Of %d values, %d are %s."
	zh := chinese(h.Title, h.X, h.Y)
	if zh {
		head, special = "图：%s，热图，%d行（%s），值从%.3g到%.3g。", "%d个值中有%d个是%s。"
	}
	s := fmt.Sprintf(head, h.Title, len(h.Values), h.Y, lowest, highest)
	values := slices.Concat(h.Values...)
	for _, of := range []struct {
		is                 func(v float64) bool
		english, inChinese string
	}{
		{func(v float64) bool { return math.IsInf(v, -1) }, "-Inf, drawn like the lowest value", "-Inf，画得和最小的值一样"},
		{func(v float64) bool { return math.IsInf(v, 1) }, "+Inf, drawn like the highest value", "+Inf，画得和最大的值一样"},
		{math.IsNaN, "NaN, left white", "NaN，留白"},
	} {
		n, text := 0, of.english
		if zh {
			text = of.inChinese
		}
		for _, v := range values {
			if of.is(v) {
				n++
			}
		}
		if n > 0 {
			s += fmt.Sprintf(special, len(values), n, text)
		}
	}
	return s
}

func (h *HeatMap) scale() (lowest, highest float64) {
	if h.Lowest != 0 || h.Highest != 0 {
		return h.Lowest, h.Highest
	}
	lowest, highest = math.Inf(1), math.Inf(-1)
	for _, row := range h.Values {
		for _, v := range row {
			if finite(v) {
				lowest, highest = min(lowest, v), max(highest, v)
			}
		}
	}
	if lowest == highest {
		highest++
	}
	return lowest, highest
}

// PNG draws the figure, on white so that it is legible in a dark theme too. Without any finite value it is an error.
func (h *HeatMap) PNG() ([]byte, error) {
	if len(h.Values) == 0 || len(h.Values[0]) == 0 {
		return nil, fmt.Errorf("the figure %q has no values yet", h.Title)
	}
	for i, row := range h.Values {
		if len(row) != len(h.Values[0]) {
			return nil, fmt.Errorf("row %d of the figure %q has %d values, the first row %d; give all rows the same length",
				i, h.Title, len(row), len(h.Values[0]))
		}
	}
	lowest, highest := h.scale()
	if !finite(lowest) || !finite(highest) {
		return nil, fmt.Errorf("the figure %q has a scale from %g to %g; give it a finite one", h.Title, lowest, highest)
	}
	colours, err := moreland.NewLuminance(brightness)
	if err != nil {
		return nil, err
	}
	colours.SetMin(lowest)
	colours.SetMax(highest)

	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text, p.BackgroundColor = h.Title, h.X, h.Y, color.White
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(integers), plot.TickerFunc(integers)
	rows, columns := len(h.Values), len(h.Values[0])
	if h.Columns != nil {
		p.X.Tick.Marker = h.names()
	}
	write(p, typeface(append([]string{h.Title, h.X, h.Y}, h.Columns...)...))
	p.Title.Padding = vg.Points(4)
	p.Add(plotter.NewImage(h.fields(colours), -0.5, -0.5, float64(columns)-0.5, float64(rows)-0.5))

	scale := plot.New()
	scale.BackgroundColor = color.White
	scale.Add(&plotter.ColorBar{ColorMap: colours, Vertical: true})
	scale.HideX()

	const margin = 0.9 * vg.Inch // of the scale
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseBackgroundColor(color.White))
	whole := draw.New(canvas)
	p.Draw(draw.Crop(whole, 0, -margin, 0, 0))
	scale.Draw(draw.Crop(whole, width-margin, -vg.Points(8), vg.Points(8), -vg.Points(8)))
	return encoded(canvas)
}

// Steadily brighter, so that it is as good in grey, and blue to yellow, which all people can tell apart.
var brightness = []color.Color{color.RGBA{0, 32, 77, 255}, color.RGBA{124, 123, 120, 255}, color.RGBA{255, 234, 70, 255}}

// fields draws the fields, each of several pixels, since they would run into each other when the picture is scaled.
func (h *HeatMap) fields(colours palette.ColorMap) image.Image {
	rows, columns := len(h.Values), len(h.Values[0])
	pixels := max(1, 2000/max(rows, columns))
	picture := image.NewRGBA(image.Rect(0, 0, columns*pixels, rows*pixels))
	for r, row := range h.Values {
		for c, v := range row {
			var fill color.Color = color.White // of NaN
			if !math.IsNaN(v) {
				fill, _ = colours.At(min(max(v, colours.Min()), colours.Max()))
			}
			at := image.Rect(c, rows-1-r, c+1, rows-r)
			at = image.Rectangle{Min: at.Min.Mul(pixels), Max: at.Max.Mul(pixels)}
			imagedraw.Draw(picture, at, image.NewUniform(fill), image.Point{}, imagedraw.Src)
		}
	}
	return picture
}

// names puts the name of each column, above its number, below it.
func (h *HeatMap) names() (ticks plot.ConstantTicks) {
	for i, name := range h.Columns {
		ticks = append(ticks, plot.Tick{Value: float64(i), Label: fmt.Sprintf("%s\n%d", name, i)})
	}
	return ticks
}
