package figure

import (
	"fmt"
	"image/color"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Network is a figure of a bidirectional network unrolled over three time steps: the hidden layers one above the other,
// each with its two directions, as wide as they have units, with the shape of its output and its parameters.
type Network struct {
	Inputs  int // d
	Layers  []Layer
	Outputs Layer // of the output layer, whose size q is in Forward; a size of 0 leaves it out

	id string // of the display in the notebook; empty before the first Show
}

// Layer is a hidden layer of a [Network]: the units of its directions, 0 for one that is not there, and its parameters.
type Layer struct{ Forward, Backward, Parameters int }

// Show draws the figure in the output of the notebook's cell, in place of the one before. Outside a notebook it does
// nothing.
func (n *Network) Show() { show(&n.id, n) }

// String describes the figure in words.
func (n *Network) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "Figure: a network with %d inputs.", n.Inputs)
	for i, l := range n.Layers {
		fmt.Fprintf(&s, " Layer %d: %d units forward, %d backward, %d parameters.", i+1, l.Forward, l.Backward, l.Parameters)
	}
	if q := n.Outputs; q.Forward > 0 {
		fmt.Fprintf(&s, " Output layer: %d outputs, %d parameters.", q.Forward, q.Parameters)
	}
	return s.String()
}

// Where things are, in points from the lower left corner.
const (
	firstColumn, columns  = 110, 116 // the middle of the first time step, and the distance to the next
	inputRow, outputRow   = 46, 18   // the middle of the row of inputs, and of the outputs above the last layer's top
	layerRows, boxHeight  = 92, 18
	backwardAt, forwardAt = 50, 18 // the middle of a direction's boxes above the bottom of their layer
	widest, narrowest     = 76, 16
)

var forwardFill, backwardFill = colours[0], color.RGBA{251, 227, 209, 255}

// PNG draws the figure, on white so that it is legible in a dark theme too. Without a layer it is an error.
func (n *Network) PNG() ([]byte, error) {
	if len(n.Layers) == 0 {
		return nil, fmt.Errorf("the figure has no layers; a network has one hidden layer at least")
	}
	height := vg.Length(inputRow + 30 + layerRows*len(n.Layers) + 2*outputRow)
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseBackgroundColor(color.White))
	s := &sketch{Canvas: draw.New(canvas), unit: n.unit()}
	s.write("X", "", "t", 24, inputRow)
	s.write(fmt.Sprintf("n × %d", n.Inputs), "", "", 400, inputRow)
	for k, step := range []string{"t-1", "t", "t+1"} {
		s.write(step, "", "", firstColumn+vg.Length(columns*k)-4, 14)
		s.box(k, inputRow, n.Inputs, color.White)
	}
	top := vg.Length(inputRow + boxHeight/2)
	for i, l := range n.Layers {
		bottom := vg.Length(inputRow + 30 + layerRows*i)
		s.layer(l, i+1, bottom, top)
		top = bottom + backwardAt + boxHeight
	}
	if q := n.Outputs; q.Forward > 0 {
		y := top + 16 + outputRow
		s.write("O", "", "t", 24, y)
		s.write(fmt.Sprintf("n × %d", q.Forward), "", "", 400, y+6)
		s.write(fmt.Sprintf("%d parameters", q.Parameters), "", "", 400, y-8)
		for k := range 3 {
			s.arrow(s.column(k), top, s.column(k), y-boxHeight/2, color.Black)
			s.box(k, y, q.Forward, color.White)
		}
	}
	return encoded(canvas)
}

// unit is how wide a unit is drawn, so that the largest box is as wide as it may be.
func (n *Network) unit() vg.Length {
	most := max(n.Inputs, n.Outputs.Forward)
	for _, l := range n.Layers {
		most = max(most, l.Forward, l.Backward)
	}
	return widest / vg.Length(max(most, 1))
}

// sketch is a canvas with the strokes of a Network.
type sketch struct {
	draw.Canvas
	unit vg.Length
}

func (s *sketch) column(k int) vg.Length { return firstColumn + vg.Length(columns*k) }

// layer draws hidden layer number i with its bottom at y, and the arrows to it from the row below, whose top is given.
func (s *sketch) layer(l Layer, i int, y, below vg.Length) {
	number := fmt.Sprintf("(%d)", i)
	s.write(fmt.Sprintf("n × (%d+%d)", l.Forward, l.Backward), "", "", 400, y+backwardAt)
	s.write(fmt.Sprintf("%d parameters", l.Parameters), "", "", 400, y+forwardAt)
	for k := range 3 {
		s.arrow(s.column(k), below, s.column(k), y, color.Black)
		s.frame(s.column(k)-widest/2-6, y, widest+12, backwardAt+boxHeight)
	}
	for _, direction := range []struct {
		name    string
		units   int
		y       vg.Length
		reverse bool
		fill    color.Color
	}{{"f", l.Forward, y + forwardAt, false, forwardFill}, {"b", l.Backward, y + backwardAt, true, backwardFill}} {
		if direction.units == 0 {
			continue
		}
		s.write("H", number+","+direction.name, "t", 24, direction.y)
		edge := s.width(direction.units) / 2
		for k := range 3 {
			s.box(k, direction.y, direction.units, direction.fill)
			if k < 2 && direction.reverse {
				s.arrow(s.column(k+1)-edge, direction.y, s.column(k)+edge, direction.y, colours[1])
			} else if k < 2 {
				s.arrow(s.column(k)+edge, direction.y, s.column(k+1)-edge, direction.y, colours[0])
			}
		}
	}
}

func (s *sketch) width(units int) vg.Length { return max(narrowest, s.unit*vg.Length(units)) }

// box draws so many units in column k with their number; on a dark fill the number is white.
func (s *sketch) box(k int, y vg.Length, units int, fill color.Color) {
	w := s.width(units)
	x := s.column(k) - w/2
	corners := []vg.Point{{X: x, Y: y - boxHeight/2}, {X: x + w, Y: y - boxHeight/2}, {X: x + w, Y: y + boxHeight/2}, {X: x, Y: y + boxHeight/2}}
	s.FillPolygon(fill, corners)
	s.StrokeLines(draw.LineStyle{Color: color.Black, Width: 1}, append(corners, corners[0]))
	style := s.style(11)
	style.XAlign = draw.XCenter
	if fill == forwardFill {
		style.Color = color.White
	}
	s.FillText(style, vg.Point{X: s.column(k), Y: y}, strconv.Itoa(units))
}

// frame draws the dashed frame around the two directions, which their concatenation is.
func (s *sketch) frame(x, y, w, h vg.Length) {
	s.StrokeLines(draw.LineStyle{Color: color.Gray{120}, Width: 0.8, Dashes: []vg.Length{3, 2}},
		[]vg.Point{{X: x, Y: y}, {X: x + w, Y: y}, {X: x + w, Y: y + h}, {X: x, Y: y + h}, {X: x, Y: y}})
}

// arrow draws one from a point to another on the same height or straight above.
func (s *sketch) arrow(x1, y1, x2, y2 vg.Length, c color.Color) {
	s.StrokeLine2(draw.LineStyle{Color: c, Width: 1.6}, x1, y1, x2, y2)
	back := vg.Length(6)
	if x2 < x1 {
		back = -back
	}
	head := []vg.Point{{X: x2, Y: y2}, {X: x2 - back, Y: y2 + 3.5}, {X: x2 - back, Y: y2 - 3.5}}
	if x1 == x2 {
		head = []vg.Point{{X: x2, Y: y2}, {X: x2 - 3.5, Y: y2 - 6}, {X: x2 + 3.5, Y: y2 - 6}}
	}
	s.FillPolygon(c, head)
}

// write writes a text at x, in the middle of the line y, with a superscript and a subscript.
func (s *sketch) write(text, above, below string, x, y vg.Length) {
	style := s.style(13)
	s.FillText(style, vg.Point{X: x, Y: y}, text)
	end := x + style.Width(text) + 1
	small := s.style(9)
	s.FillText(small, vg.Point{X: end, Y: y + 6}, above)
	s.FillText(small, vg.Point{X: end, Y: y - 5}, below)
}

func (s *sketch) style(size vg.Length) draw.TextStyle {
	return draw.TextStyle{Color: color.Black, Font: font.From(plot.DefaultFont, size), YAlign: draw.YCenter, Handler: plot.DefaultTextHandler}
}
