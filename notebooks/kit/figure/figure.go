// Package figure draws the curves of the lessons, which grow in the notebook while a training runs, bars with a line to
// compare them with, heat maps, and what the states of a network have seen. A figure is a PNG, which looks the same
// everywhere, with a description in words, which is Chinese where the labels are. Where Vega-Lite is drawn, as in
// JupyterLab, curves, bars and heat maps also show the values under the pointer, and a state answers a click.
package figure

import (
	"fmt"
	"image/color"
	"math"
	"strings"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Curves is a figure of one or more curves over a common x axis. Set the exported fields before the first call of Show.
// It must not be used from several goroutines at once.
type Curves struct {
	Title, X, Y string // labels
	LogY        bool   // y on a logarithmic scale

	curves []*curve
	id     string // of the display in the notebook; empty before the first Show
	shown  time.Time
}

type curve struct {
	name      string
	points    plotter.XYs
	leftOut   int  // points that cannot be drawn
	reference bool // a line to compare with
}

// label is the curve's name in the legend, which reports the points that are not drawn.
func (c *curve) label() string {
	if c.leftOut == 0 {
		return c.name
	}
	format := "%s (not drawn: %d of %d points)"
	if chinese(c.name) {
		format = "%s（没有画出：%d个点，共%d个）"
	}
	return fmt.Sprintf(format, c.name, c.leftOut, c.leftOut+len(c.points))
}

// Between redraws at least this long passes, so that drawing does not slow the training down.
const between = 500 * time.Millisecond

// Add appends the point (x, y) to the curve called name, and redraws the figure unless that was just done. Infinity, NaN
// and, on a logarithmic scale, a y that is not positive cannot be drawn: the legend counts such points.
func (c *Curves) Add(name string, x, y float64) { c.add(c.find(name), x, y) }

// Reference appends the point (x, y) to a line to compare the curves with, such as a bound or a floor: it is black and
// thin. The first reference has the dashes of the first curve, the second those of the second, and so on.
func (c *Curves) Reference(name string, x, y float64) {
	of := c.find(name)
	of.reference = true
	c.add(of, x, y)
}

func (c *Curves) add(of *curve, x, y float64) {
	if !finite(x) || !finite(y) || c.LogY && y <= 0 {
		of.leftOut++
		return
	}
	of.points = append(of.points, plotter.XY{X: x, Y: y})
	if time.Since(c.shown) >= between {
		c.Show()
	}
}

func (c *Curves) find(name string) *curve {
	for _, of := range c.curves {
		if of.name == name {
			return of
		}
	}
	c.curves = append(c.curves, &curve{name: name})
	return c.curves[len(c.curves)-1]
}

// Show draws the figure in the output of the notebook's cell, in place of the one before; call it once more at the end
// of the training. Outside a notebook it does nothing.
func (c *Curves) Show() {
	show(&c.id, c)
	c.shown = time.Now()
}

// finite reports whether x can be drawn.
func finite(x float64) bool { return !math.IsInf(x, 0) && !math.IsNaN(x) }

// String describes the figure in words: where each curve starts and ends, and how many of its points are not drawn.
func (c *Curves) String() string {
	var b strings.Builder
	head, ends, stop := "Figure: %s over %s.", " %s: from %.4g at %g to %.4g at %g.", " %s."
	if chinese(c.Title, c.X, c.Y) {
		head, ends, stop = "图：%s，横轴是%s。", "%s：从%.4g（在%g处）到%.4g（在%g处）。", "%s。"
	}
	fmt.Fprintf(&b, head, c.Y, c.X)
	for _, of := range c.curves {
		if n := len(of.points); n > 0 {
			first, last := of.points[0], of.points[n-1]
			fmt.Fprintf(&b, ends, of.label(), first.Y, first.X, last.Y, last.X)
		} else {
			fmt.Fprintf(&b, stop, of.label())
		}
	}
	return b.String()
}

// Colours for colour-blind readers (Okabe and Ito, 2008); the dashes differ too, so that the curves can be distinguished
// without colour.
var (
	colours = []color.Color{
		color.RGBA{0, 114, 178, 255}, color.RGBA{213, 94, 0, 255}, color.RGBA{0, 158, 115, 255},
		color.RGBA{204, 121, 167, 255}, color.RGBA{86, 180, 233, 255}, color.RGBA{230, 159, 0, 255},
	}
	dashes = [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 2, 2, 2}}
)

// style is how a curve is drawn.
type style struct {
	colour color.Color
	width  vg.Length
	dashes []vg.Length
}

// styles returns the style of each curve. A direction has the same one in all figures.
func (c *Curves) styles() []style {
	styles, taken := make([]style, len(c.curves)), map[int]bool{}
	set := func(i, number int) {
		styles[i] = style{colours[number%len(colours)], vg.Points(1.5), dashes[number%len(dashes)]}
		taken[number] = true
	}
	references := 0
	for i, of := range c.curves {
		if number, ok := direction(of.name); of.reference {
			styles[i] = style{color.Black, vg.Points(0.75), dashes[references%len(dashes)]}
			references++
		} else if ok && !taken[number] {
			set(i, number)
		}
	}
	next := 0
	for i := range styles {
		if styles[i].colour != nil {
			continue
		}
		for taken[next] {
			next++
		}
		set(i, next)
	}
	return styles
}

// direction returns the number of the colour that a direction has; others have none.
func direction(name string) (number int, ok bool) {
	for i, words := range [][2]string{{"forward", "正向"}, {"backward", "反向"}, {"both", "双向"}} {
		if strings.HasPrefix(name, words[0]) || strings.HasPrefix(name, words[1]) {
			return i, true
		}
	}
	return 0, false
}

// PNG draws the figure, on white so that it is legible in a dark theme too. Without any point to draw it is an error.
func (c *Curves) PNG() ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	p.BackgroundColor = color.White
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.TickerFunc(round), plot.TickerFunc(round)
	p.Add(plotter.NewGrid())
	var marks legend
	points, leftOut, names, whole := 0, 0, "", true
	for i, style := range c.styles() {
		of := c.curves[i]
		points, leftOut, names = points+len(of.points), leftOut+of.leftOut, names+of.label()
		for _, point := range of.points {
			whole = whole && point.X == math.Trunc(point.X)
		}
		line, err := plotter.NewLine(of.points)
		if err != nil {
			continue // no points yet
		}
		line.Color, line.Width, line.Dashes = style.colour, style.width, style.dashes
		p.Add(line)
		marks = append(marks, mark{of.label(), line})
		if len(of.points) == 1 { // a line of one point is invisible
			dot, err := plotter.NewScatter(of.points)
			if err != nil {
				return nil, err
			}
			dot.Color, dot.Shape = line.Color, draw.CircleGlyph{}
			p.Add(dot)
		}
	}
	if points == 0 && leftOut > 0 {
		return nil, fmt.Errorf("the figure %q cannot draw any of its %d points: they are infinite, NaN or, on a logarithmic scale, not positive",
			c.Title, leftOut)
	}
	if points == 0 {
		return nil, fmt.Errorf("the figure %q has no points yet", c.Title)
	}
	write(p, typeface(c.Title, c.X, c.Y, names))
	if whole {
		p.X.Tick.Marker = plot.TickerFunc(integers)
	}
	if p.X.Min == p.X.Max { // one point so far
		p.X.Max = p.X.Min + 1
	}
	if c.LogY {
		logarithmic(&p.Y)
	} else {
		if p.Y.Min == p.Y.Max {
			p.Y.Max = p.Y.Min + 1
		}
		step := step(p.Y.Min, p.Y.Max) // round numbers at the ends
		p.Y.Min, p.Y.Max = step*math.Floor(p.Y.Min/step+1e-9), step*math.Ceil(p.Y.Max/step-1e-9)
	}
	return marks.encode(p)
}

// logarithmic makes an axis logarithmic, over whole decades, so that at least one label stands at each end.
func logarithmic(axis *plot.Axis) {
	axis.Scale, axis.Tick.Marker = plot.LogScale{}, decades{}
	axis.Min = math.Pow(10, math.Floor(math.Log10(axis.Min)+1e-9))
	axis.Max = math.Pow(10, math.Ceil(math.Log10(axis.Max)-1e-9))
	if axis.Min == axis.Max {
		axis.Max *= 10
	}
}

// decades puts a labelled tick at each power of ten, or at every other one and so on if they are many.
type decades struct{}

func (decades) Ticks(lowest, highest float64) (ticks []plot.Tick) {
	from, to := int(math.Round(math.Log10(lowest))), int(math.Round(math.Log10(highest)))
	every := max(1, (to-from+5)/6)
	for e := from; e <= to; e++ {
		tick := plot.Tick{Value: math.Pow(10, float64(e))}
		if (e-from)%every == 0 {
			tick.Label = fmt.Sprintf("%g", tick.Value)
			if e < -3 || e > 4 {
				tick.Label = fmt.Sprintf("1e%d", e)
			}
		}
		ticks = append(ticks, tick)
	}
	return ticks
}
