// Package figure draws the curves of the lessons, which grow in the notebook while a training runs, bars with a line to
// compare them with, and heat maps. A figure is a PNG, which looks the same everywhere, with a description in words.
// Where Vega-Lite is drawn, as in JupyterLab, curves, bars and heat maps also show the values under the pointer.
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
	Title, X, Y string // labels, in Latin letters
	LogY        bool   // y on a logarithmic scale

	curves []*curve
	id     string // of the display in the notebook; empty before the first Show
	shown  time.Time
}

type curve struct {
	name    string
	points  plotter.XYs
	leftOut int // points that cannot be drawn
}

// label is the curve's name in the legend, which reports the points that are not drawn.
func (c *curve) label() string {
	if c.leftOut == 0 {
		return c.name
	}
	return fmt.Sprintf("%s (not drawn: %d of %d points)", c.name, c.leftOut, c.leftOut+len(c.points))
}

// Between redraws at least this long passes, so that drawing does not slow the training down.
const between = 500 * time.Millisecond

// Add appends the point (x, y) to the curve called name, and redraws the figure unless that was just done. Infinity, NaN
// and, on a logarithmic scale, a y that is not positive cannot be drawn: the legend counts such points.
func (c *Curves) Add(name string, x, y float64) {
	of := c.find(name)
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
	fmt.Fprintf(&b, "Figure: %s over %s.", c.Y, c.X)
	for _, of := range c.curves {
		fmt.Fprintf(&b, " %s", of.label())
		if n := len(of.points); n > 0 {
			first, last := of.points[0], of.points[n-1]
			fmt.Fprintf(&b, ": from %.4g at %g to %.4g at %g", first.Y, first.X, last.Y, last.X)
		}
		b.WriteByte('.')
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

// PNG draws the figure, on white so that it is legible in a dark theme too. Without any point to draw it is an error.
func (c *Curves) PNG() ([]byte, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = c.Title, c.X, c.Y
	p.BackgroundColor = color.White
	p.Legend.Top, p.Legend.XOffs = true, -vg.Points(4)
	p.Add(plotter.NewGrid())
	points, leftOut := 0, 0
	for i, of := range c.curves {
		points, leftOut = points+len(of.points), leftOut+of.leftOut
		line, err := plotter.NewLine(of.points)
		if err != nil {
			continue // no points yet
		}
		line.Color, line.Width, line.Dashes = colours[i%len(colours)], vg.Points(1.5), dashes[i%len(dashes)]
		p.Add(line)
		p.Legend.Add(of.label(), line)
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
	if p.X.Min == p.X.Max { // one point so far
		p.X.Max = p.X.Min + 1
	}
	if c.LogY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LogScale{}, decades{}
		// Whole decades, so that at least one label stands at each end.
		p.Y.Min = math.Pow(10, math.Floor(math.Log10(p.Y.Min)))
		p.Y.Max = math.Pow(10, math.Ceil(math.Log10(p.Y.Max)+1e-9))
		if p.Y.Min == p.Y.Max {
			p.Y.Max *= 10
		}
	} else {
		if p.Y.Min == p.Y.Max {
			p.Y.Max = p.Y.Min + 1
		}
		p.Y.Max += 0.07 * float64(len(c.curves)) * (p.Y.Max - p.Y.Min) // room for the legend
	}
	return encode(p)
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
