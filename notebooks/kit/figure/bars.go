package figure

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a figure of bars, each with a line across it to compare it with. Set the exported fields before the first call
// of Show. It must not be used from several goroutines at once.
type Bars struct {
	Title, Y    string // labels, in Latin letters
	Value, Line string // what the bars and the lines are, for the legend

	bars []bar
	id   string // of the display in the notebook; empty before the first Show
}

type bar struct {
	name        string
	value, line float64
}

// top is where the value of the bar is written: above what is drawn of it.
func (b bar) top() (y float64) {
	for _, v := range []float64{b.value, b.line} {
		if finite(v) {
			y = max(y, v)
		}
	}
	return y
}

// Add appends a bar of the given value, from zero, and its line, and redraws the figure. Of infinity and NaN there is no
// bar, only the word in its place, and no line.
func (b *Bars) Add(name string, value, line float64) {
	b.bars = append(b.bars, bar{name, value, line})
	b.Show()
}

// Show draws the figure in the output of the notebook's cell, in place of the one before. Outside a notebook it does
// nothing.
func (b *Bars) Show() { show(&b.id, b) }

// String describes the figure in words: each bar and its line.
func (b *Bars) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "Figure: %s, %s and %s.", b.Y, b.Value, b.Line)
	for _, bar := range b.bars {
		fmt.Fprintf(&s, " %s: %.4g, %.4g.", bar.name, bar.value, bar.line)
	}
	return s.String()
}

// PNG draws the figure, on white so that it is legible in a dark theme too. Without any bar it is an error.
func (b *Bars) PNG() ([]byte, error) {
	if len(b.bars) == 0 {
		return nil, fmt.Errorf("the figure %q has no bars yet", b.Title)
	}
	p := plot.New()
	p.Title.Text, p.Y.Label.Text, p.BackgroundColor = b.Title, b.Y, color.White
	p.Legend.Top, p.Legend.XOffs = true, -vg.Points(4)
	var names []string
	var values plotter.Values
	var labels plotter.XYLabels
	for i, bar := range b.bars {
		names, values = append(names, bar.name), append(values, 0)
		if finite(bar.value) {
			values[i] = bar.value
		}
		labels.XYs = append(labels.XYs, plotter.XY{X: float64(i), Y: bar.top()})
		labels.Labels = append(labels.Labels, fmt.Sprintf("%.3g", bar.value))
	}
	chart, err := plotter.NewBarChart(values, width/vg.Length(2*len(b.bars)+2))
	if err != nil {
		return nil, err
	}
	chart.Color, chart.LineStyle.Width = colours[4], 0
	p.Add(chart)
	p.Legend.Add(b.Value, chart)
	inLegend := false
	for i, bar := range b.bars {
		if !finite(bar.line) {
			continue
		}
		line, err := plotter.NewLine(plotter.XYs{{X: float64(i) - 0.4, Y: bar.line}, {X: float64(i) + 0.4, Y: bar.line}})
		if err != nil {
			return nil, err
		}
		line.Width = vg.Points(2)
		p.Add(line)
		if !inLegend {
			p.Legend.Add(b.Line, line)
			inLegend = true
		}
	}
	text, err := plotter.NewLabels(labels)
	if err != nil {
		return nil, err
	}
	for i := range text.TextStyle {
		text.TextStyle[i].XAlign = draw.XCenter
	}
	text.Offset.Y = vg.Points(3)
	p.Add(text)
	p.NominalX(names...)
	p.X.Min, p.X.Max = -0.6, float64(len(b.bars))-0.4
	p.Y.Min, p.Y.Max = min(p.Y.Min, 0), p.Y.Max*1.15 // room for the numbers and the legend
	return encode(p)
}
