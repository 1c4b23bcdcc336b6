package figure

import (
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// legend says what the marks of a figure are, in rows between its title and the plot, where it covers nothing.
type legend []mark

type mark struct {
	name string
	plot.Thumbnailer
}

const (
	markWidth, markHeight = vg.Length(24), vg.Length(9)
	markGap, rowHeight    = vg.Length(16), vg.Length(15)
)

// rows breaks the legend into rows that are no wider than the figure.
func (l legend) rows(style text.Style) (rows []legend) {
	left := vg.Length(0) // in the last row
	for _, m := range l {
		w := l.width(m, style)
		if w > left {
			rows, left = append(rows, nil), width-2*markGap
		}
		left -= w
		rows[len(rows)-1] = append(rows[len(rows)-1], m)
	}
	return rows
}

func (legend) width(m mark, style text.Style) vg.Length {
	return markWidth + 4 + style.Width(m.name) + markGap
}

// encode draws the plot with its legend as a PNG.
func (l legend) encode(p *plot.Plot) ([]byte, error) {
	style := p.Legend.TextStyle
	style.YAlign = draw.YCenter
	rows, raised := l.rows(style), vg.Length(0)
	if style.Font.Typeface != plot.DefaultFont.Typeface {
		raised = 3 // the lines of the Chinese font are higher than its characters
	}
	p.Title.Padding = rowHeight*vg.Length(len(rows)) + 6
	canvas := vgimg.NewWith(vgimg.UseWH(width, height))
	c := draw.New(canvas)
	p.Draw(c)
	y := height - p.Title.TextStyle.Rectangle(p.Title.Text).Size().Y - 3
	for _, row := range rows {
		y -= rowHeight
		x := width
		for _, m := range row {
			x -= l.width(m, style)
		}
		x /= 2
		for _, m := range row {
			at := draw.Canvas{Canvas: canvas, Rectangle: vg.Rectangle{
				Min: vg.Point{X: x, Y: y + (rowHeight-markHeight)/2}, Max: vg.Point{X: x + markWidth, Y: y + (rowHeight+markHeight)/2}}}
			m.Thumbnail(&at)
			c.FillText(style, vg.Point{X: x + markWidth + 4, Y: y + rowHeight/2 + raised}, m.name)
			x += l.width(m, style)
		}
	}
	return encoded(canvas)
}
