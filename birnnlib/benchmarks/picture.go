package main

import (
	"fmt"
	"image/color"
	"math"
	"os"
	"strconv"

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
	width     = 9 * vg.Inch
	rowHeight = 0.18 * vg.Inch   // the distance between two bars, about
	margin    = 0.1 * vg.Inch    // around the picture
	gap       = 4 * vg.Length(1) // between a bar and its text
)

// draw writes the picture to the file, as SVG.
func (r *report) draw(path string) error {
	rows := r.bars()
	p := plot.New()
	p.Title.Text = fmt.Sprintf("Time of a step, and how many times that of the first contender\n(%d threads on %s)", r.Threads, r.Machine.CPU)
	p.X.Label.Text = "milliseconds, logarithmic"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, milliseconds(rows.slowest())
	style := p.X.Tick.Label
	style.Font.Variant = "Sans"
	p.X.Min, p.X.Max = rows.xRange(width-2*margin, style.Width)
	p.Y.Min, p.Y.Max = -float64(len(rows)), 0
	p.HideY()
	p.Add(rows)
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.X.Tick.Label.Font} {
		style.Variant = "Sans"
	}
	p.Title.TextStyle.Font.Size = 12
	canvas := vgsvg.New(width, rowHeight*vg.Length(len(rows))+1.1*vg.Inch+2*margin)
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

// text returns what stands behind the bar.
func (b bar) text() string {
	return fmt.Sprintf("%s: %.1f ms, × %.2f", b.label, 1000*b.seconds, b.ratio)
}

// slowest returns the longest time, in milliseconds.
func (b bars) slowest() (ms float64) {
	for _, row := range b {
		ms = max(ms, 1000*row.seconds)
	}
	return ms
}

// xRange returns a range around all times, in milliseconds, on a logarithmic axis of the given length: from a power of ten,
// and with room for the texts, whose lengths width returns.
func (b bars) xRange(length vg.Length, width func(text string) vg.Length) (least, most float64) {
	least = math.Inf(1)
	for _, row := range b {
		if ms := 1000 * row.seconds; ms > 0 {
			least = min(least, ms)
		}
	}
	least = math.Pow(10, math.Floor(math.Log10(least)-0.1))
	decades := 0.0
	for _, row := range b {
		if ms := 1000 * row.seconds; ms > 0 {
			free := length - gap - width(row.text())
			decades = max(decades, math.Log10(ms/least)*float64(length/free))
		}
	}
	return least, least * math.Pow(10, decades)
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
		c.FillText(style, vg.Point{X: end + gap, Y: middle}, row.text())
	}
}

// milliseconds labels the powers of ten up to its value.
type milliseconds float64

// Ticks returns a tick at 1, 2 and 5 times each power of ten, with a label at the power.
func (ms milliseconds) Ticks(least, most float64) (ticks []plot.Tick) {
	most = min(most, float64(ms))
	for decade := math.Floor(math.Log10(least)); decade <= math.Log10(most); decade++ {
		for _, times := range []float64{1, 2, 5} {
			tick := plot.Tick{Value: times * math.Pow(10, decade)}
			if times == 1 {
				tick.Label = strconv.FormatFloat(tick.Value, 'f', -1, 64)
			}
			if tick.Value >= least && tick.Value <= most {
				ticks = append(ticks, tick)
			}
		}
	}
	return ticks
}
