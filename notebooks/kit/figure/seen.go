package figure

import (
	"fmt"
	"image/color"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Seen is a figure that can be asked what a state of a bidirectional network has seen: where Vega-Lite is drawn, a click
// on a state draws lines from it to the inputs that it depends on. It needs no kernel. The PNG asks one state.
type Seen struct {
	Title, X          string      // labels
	Forward, Backward [][]float32 // row t is what the state of time step t+1 depends on: 0 for an input that it has not seen
	Asked             int         // the time step whose backward state is asked first, from 1 on

	id string // of the display in the notebook; empty before the first Show
}

// Show draws the figure in the output of the notebook's cell, in place of the one before. Outside a notebook it does
// nothing.
func (s *Seen) Show() { show(&s.id, s) }

// String describes the figure in words: how many inputs each state has seen.
func (s *Seen) String() string {
	counts := func(rows [][]float32) string {
		var list []string
		for t := range rows {
			list = append(list, fmt.Sprint(len(inputs(rows[t]))))
		}
		return strings.Join(list, ", ")
	}
	format := "Figure: %s. Inputs seen by the forward states: %s; by the backward states: %s."
	if chinese(s.Title) {
		format = "图：%s。正向状态看到的输入个数：%s；反向状态：%s。"
	}
	return fmt.Sprintf(format, s.Title, counts(s.Forward), counts(s.Backward))
}

// inputs returns the numbers, from 1 on, of the inputs that are not 0 in a row.
func inputs(row []float32) (numbers []int) {
	for i, v := range row {
		if v != 0 {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// The rows of the figure from the bottom: their names, and how far they are shifted, so that no line from the last one to
// the first crosses a state between them.
var (
	seenRows = []string{"X", "H^f", "H^b"}
	shifts   = []float64{0, -0.2, 0.2}
)

// PNG draws the figure, on white so that it is legible in a dark theme too. Without a state to ask it is an error.
func (s *Seen) PNG() ([]byte, error) {
	T := len(s.Backward)
	if s.Asked < 1 || s.Asked > T || len(s.Forward) != T {
		return nil, fmt.Errorf("the figure %q has %d forward and %d backward states, and asks state %d", s.Title, len(s.Forward), T, s.Asked)
	}
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseBackgroundColor(color.White))
	c := draw.New(canvas)
	at := func(t, row int) vg.Point {
		return vg.Point{X: 60 + (width-90)*vg.Length((float64(t)+shifts[row]-0.5)/float64(T)), Y: 62 + vg.Length(row)*66}
	}
	text := func(p vg.Point, size vg.Length, words string) {
		c.FillText(draw.TextStyle{Color: color.Black, Font: font.From(typeface(s.Title, s.X), size), XAlign: draw.XCenter, YAlign: draw.YCenter,
			Handler: plot.DefaultTextHandler}, p, words)
	}
	text(vg.Point{X: width / 2, Y: height - 14}, 12, s.Title)
	text(vg.Point{X: width / 2, Y: 12}, 12, s.X)
	for _, number := range inputs(s.Backward[s.Asked-1]) {
		from, to := at(number, 0), at(s.Asked, 2)
		c.StrokeLine2(draw.LineStyle{Color: colours[1], Width: 1.6}, from.X, from.Y, to.X, to.Y)
	}
	for row, name := range seenRows {
		text(vg.Point{X: 24, Y: at(1, row).Y}, 13, name)
		for t := 1; t <= T; t++ {
			fill := color.Color(color.Gray{225})
			if row > 0 {
				fill = colours[row-1]
			} else if s.Backward[s.Asked-1][t-1] != 0 {
				fill = colours[1]
			}
			if row == 2 && t == s.Asked {
				c.DrawGlyph(draw.GlyphStyle{Color: color.Black, Radius: 12, Shape: draw.CircleGlyph{}}, at(t, row))
			}
			c.DrawGlyph(draw.GlyphStyle{Color: fill, Radius: 9, Shape: draw.CircleGlyph{}}, at(t, row))
		}
	}
	for t := 1; t <= T; t++ {
		text(vg.Point{X: at(t, 0).X, Y: 32}, 11, fmt.Sprint(t))
	}
	return encoded(canvas)
}

// chart is the figure for Vega-Lite: the states are a selection, and the lines and the coloured inputs are those of the
// state that is selected.
func (s *Seen) chart() chart {
	var states, all []any
	for i, rows := range [][][]float32{s.Forward, s.Backward} {
		for t, row := range rows {
			var seen []any
			for _, number := range inputs(row) {
				seen = append(seen, number)
			}
			states = append(states, chart{"t": t + 1, "row": i + 1, "seen": seen, "x": float64(t+1) + shifts[i+1]})
		}
	}
	for t := range s.Backward {
		all = append(all, chart{"x": t + 1})
	}
	x := func(field string) chart {
		return chart{"field": field, "type": "quantitative", "title": s.X,
			"scale": chart{"domain": []any{0.5, float64(len(all)) + 0.5}}, "axis": chart{"values": numbers(len(all)), "grid": false, "format": "d"}}
	}
	y := chart{"field": "row", "type": "quantitative", "title": "", "scale": chart{"domain": []any{-0.4, 2.4}},
		"axis": chart{"values": []any{0, 1, 2}, "grid": false, "labelExpr": "['X', 'Hᶠ', 'Hᵇ'][datum.value]", "labelFontSize": 14}}
	bottom := chart{"datum": 0, "type": "quantitative", "scale": y["scale"], "axis": y["axis"], "title": ""}
	direction := chart{"field": "row", "type": "nominal", "legend": []any(nil), // null; nil cannot be sent
		"scale": chart{"domain": []any{1, 2}, "range": []any{hex(colours[0]), hex(colours[1])}}}
	asked := []any{chart{"filter": chart{"param": "asked", "empty": false}}, chart{"flatten": []any{"seen"}}}
	circle := func(more chart) chart {
		c := chart{"type": "circle", "size": 500, "opacity": 1}
		for key, value := range more {
			c[key] = value
		}
		return c
	}
	return newChart(s.Title, chart{
		"data": chart{"values": states},
		"layer": []any{
			chart{"transform": asked, "mark": chart{"type": "rule", "strokeWidth": 2},
				"encoding": chart{"x": x("x"), "y": y, "x2": chart{"field": "seen"}, "y2": chart{"datum": 0}, "color": direction}},
			chart{"data": chart{"values": all}, "mark": circle(chart{"color": "#e1e1e1"}), "encoding": chart{"x": x("x"), "y": bottom}},
			chart{"transform": asked, "mark": circle(nil), "encoding": chart{"x": x("seen"), "y": bottom, "color": direction}},
			chart{
				"params": []any{chart{"name": "asked", "select": chart{"type": "point", "fields": []any{"t", "row"}}, "value": []any{chart{"t": s.Asked, "row": 2}}}},
				"mark":   circle(chart{"cursor": "pointer", "stroke": "black"}),
				"encoding": chart{"x": x("x"), "y": y, "color": direction,
					"strokeWidth": chart{"condition": chart{"param": "asked", "empty": false, "value": 4}, "value": 0}},
			},
		},
	})
}

// numbers returns 1, 2, …, n.
func numbers(n int) (list []any) {
	for i := range n {
		list = append(list, i+1)
	}
	return list
}
