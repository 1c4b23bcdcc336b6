package figure

import (
	"fmt"
	"image/color"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars is a figure of bars, each with a line across it to compare it with. Set the exported fields before the first call
// of Show. It must not be used from several goroutines at once.
type Bars struct {
	Title, Y    string // labels
	Value, Line string // what the bars and the lines are, for the legend
	LogY        bool   // y on a logarithmic scale, on which there is no bar and no line of 0

	bars []bar
	id   string // of the display in the notebook; empty before the first Show
}

type bar struct {
	name        string
	value, line float64
}

// drawn reports whether a bar or a line can be drawn to y.
func (b *Bars) drawn(y float64) bool { return finite(y) && (!b.LogY || y > 0) }

// foot is where the bars begin.
func (b *Bars) foot() float64 {
	if !b.LogY {
		return 0
	}
	least := math.Inf(1)
	for _, bar := range b.bars {
		for _, y := range []float64{bar.value, bar.line} {
			if b.drawn(y) {
				least = min(least, y)
			}
		}
	}
	if !finite(least) {
		return 1
	}
	return math.Pow(10, math.Floor(math.Log10(least)))
}

// roof is the decade in which the highest bar or line and its number end, on a logarithmic scale.
func (b *Bars) roof() float64 {
	highest := b.foot()
	for _, bar := range b.bars {
		highest = max(highest, bar.top(highest))
	}
	return math.Pow(10, math.Ceil(math.Log10(1.3*highest)))
}

// top is where the value of the bar is written: above what is drawn of it.
func (b bar) top(foot float64) (y float64) {
	y = foot
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
	head, each := "Figure: %s, %s and %s.", " %s: %.4g, %.4g."
	if chinese(b.Title, b.Y, b.Value, b.Line) {
		head, each = "图：%s，%s和%s。", "%s：%.4g，%.4g。"
	}
	fmt.Fprintf(&s, head, b.Y, b.Value, b.Line)
	for _, bar := range b.bars {
		fmt.Fprintf(&s, each, bar.name, bar.value, bar.line)
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
	p.Y.Tick.Marker = plot.TickerFunc(round)
	var names []string
	var values plotter.Values
	var labels plotter.XYLabels
	foot := b.foot()
	for i, bar := range b.bars {
		names, values = append(names, bar.name), append(values, foot)
		if b.drawn(bar.value) {
			values[i] = bar.value
		}
		labels.XYs = append(labels.XYs, plotter.XY{X: float64(i), Y: bar.top(foot)})
		labels.Labels = append(labels.Labels, fmt.Sprintf("%.3g", bar.value))
	}
	chart := barPlotter{values, foot, width / vg.Length(2*len(b.bars)+2)}
	p.Add(chart)
	marks := legend{{b.Value, chart}}
	for i, bar := range b.bars {
		if !b.drawn(bar.line) {
			continue
		}
		line, err := plotter.NewLine(plotter.XYs{{X: float64(i) - 0.4, Y: bar.line}, {X: float64(i) + 0.4, Y: bar.line}})
		if err != nil {
			return nil, err
		}
		line.Width = vg.Points(2)
		p.Add(line)
		if len(marks) == 1 {
			marks = append(marks, mark{b.Line, line})
		}
	}
	write(p, typeface(append(names, b.Title, b.Y, b.Value, b.Line)...))
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
	if b.LogY {
		p.Y.Min, p.Y.Max = foot, b.roof()
		logarithmic(&p.Y)
	} else {
		p.Y.Min, p.Y.Max = min(p.Y.Min, 0), p.Y.Max*1.1 // room for the numbers
	}
	return marks.encode(p)
}

// barPlotter draws the bars from a foot to their values.
type barPlotter struct {
	values plotter.Values
	foot   float64
	width  vg.Length
}

func (c barPlotter) Plot(to draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&to)
	for i, v := range c.values {
		left, right := x(float64(i))-c.width/2, x(float64(i))+c.width/2
		to.FillPolygon(colours[4], to.ClipPolygonXY([]vg.Point{{X: left, Y: y(c.foot)}, {X: left, Y: y(v)}, {X: right, Y: y(v)}, {X: right, Y: y(c.foot)}}))
	}
}

func (c barPlotter) DataRange() (xmin, xmax, ymin, ymax float64) {
	return 0, float64(len(c.values) - 1), min(c.foot, slices.Min(c.values)), max(c.foot, slices.Max(c.values))
}

func (c barPlotter) Thumbnail(to *draw.Canvas) {
	to.FillPolygon(colours[4], []vg.Point{to.Min, {X: to.Min.X, Y: to.Max.Y}, to.Max, {X: to.Max.X, Y: to.Min.Y}})
}
