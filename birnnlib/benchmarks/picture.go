package main

import (
	"fmt"
	"image/color"
	"math"
	"os"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// bars is a plotter of one horizontal bar for each contender of each workload, from the top down, with its name and time:
// legible without colour.
type bars []bar

// bar is a row; one without a time is a workload's heading.
type bar struct {
	label   string
	seconds float64
	ratio   float64
	ours    bool
}

const (
	rowHeight = 0.18 * vg.Inch // the distance between two bars, about
	margin    = 0.1 * vg.Inch  // around the picture
)

// draw writes the picture to the file, as SVG.
func (r *report) draw(path string) error {
	rows := r.bars()
	p := plot.New()
	p.Title.Text = "Time of a step, and how many times that of the first contender"
	p.X.Label.Text = "milliseconds, logarithmic"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, milliseconds{}
	p.X.Min, p.X.Max = rows.xRange()
	p.Y.Min, p.Y.Max = -float64(len(rows)), 0
	p.HideY()
	p.Add(rows)
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.X.Tick.Label.Font} {
		style.Variant = "Sans"
	}
	p.Title.TextStyle.Font.Size = 12
	canvas := vgsvg.New(8*vg.Inch, rowHeight*vg.Length(len(rows))+0.9*vg.Inch+2*margin)
	c := draw.New(canvas)
	c.SetColor(color.White) // legible on a dark page too
	c.Fill(c.Rectangle.Path())
	p.Draw(draw.Crop(c, margin, -margin, margin, -margin))
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := canvas.WriteTo(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func (r *report) bars() (rows bars) {
	for _, m := range r.Workloads {
		rows = append(rows, bar{label: m.Title})
		for _, result := range m.Results {
			rows = append(rows, bar{result.Name, result.step(), ratio(result.Steps, m.Results[0].Steps), result.Ours})
		}
	}
	return rows
}

// xRange returns a range around all times, in milliseconds: from a power of ten, and with room for the label beyond the
// longest bar.
func (b bars) xRange() (least, most float64) {
	least, most = math.Inf(1), 0
	for _, row := range b {
		if ms := 1000 * row.seconds; ms > 0 {
			least, most = min(least, ms), max(most, ms)
		}
	}
	return math.Pow(10, math.Floor(math.Log10(least)-0.1)), 100 * most
}

// Plot draws the bars.
func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	style := p.X.Tick.Label
	style.XAlign, style.YAlign = draw.XLeft, draw.YCenter
	bold := style
	bold.Font.Weight = 3 // of golang.org/x/image/font: bold
	height := y(0) - y(-1)
	for i, row := range b {
		top := y(-float64(i))
		middle := top - height/2
		if row.seconds == 0 {
			c.FillText(bold, vg.Point{X: c.Min.X, Y: middle}, row.label)
			continue
		}
		fill := color.Gray{200}
		if row.ours {
			fill = color.Gray{110}
		}
		end, upper, lower := x(1000*row.seconds), top-0.1*height, top-0.9*height
		c.FillPolygon(fill, []vg.Point{{X: c.Min.X, Y: upper}, {X: end, Y: upper}, {X: end, Y: lower}, {X: c.Min.X, Y: lower}})
		c.FillText(style, vg.Point{X: end + 4, Y: middle}, fmt.Sprintf("%s: %.1f ms, × %.2f", row.label, 1000*row.seconds, row.ratio))
	}
}

// milliseconds labels the powers of ten.
type milliseconds struct{}

// Ticks returns a tick at 1, 2 and 5 times each power of ten, with a label at the power.
func (milliseconds) Ticks(least, most float64) (ticks []plot.Tick) {
	for decade := math.Floor(math.Log10(least)); decade <= math.Log10(most); decade++ {
		for _, times := range []float64{1, 2, 5} {
			tick := plot.Tick{Value: times * math.Pow(10, decade)}
			if times == 1 {
				tick.Label = fmt.Sprintf("%g", tick.Value)
			}
			if tick.Value >= least && tick.Value <= most {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}
