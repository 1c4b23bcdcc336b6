package figure

import (
	"image/color"
	"testing"
)

func TestNetwork(t *testing.T) {
	n := &Network{Inputs: 3}
	if _, err := n.PNG(); err == nil {
		t.Error("a network without layers is no error")
	}
	n.Layers = []Layer{{4, 2, 60}, {0, 5, 60}, {40, 20, 3000}}
	n.Outputs = Layer{Forward: 2, Parameters: 122}
	picture := drawn(t, n, "BIRNN_NETWORK")
	// A direction is as wide as it has units: 40 forward units are twice as wide as 20 backward ones, and every box is
	// there three times. Count the pixels of each fill in its row.
	height := picture.Bounds().Dy()
	across := func(y int, fill color.Color) (pixels int) { // y in points from the bottom
		for x := range picture.Bounds().Dx() {
			if same(picture.At(x, height-y*96/72), fill) {
				pixels++
			}
		}
		return pixels
	}
	row := func(layer, at int) int { return inputRow + 30 + layerRows*layer + at + boxHeight/2 - 2 } // above the text
	forward, backward := across(row(2, forwardAt), forwardFill), across(row(2, backwardAt), backwardFill)
	if forward < 3*90 || forward > 3*widest*96/72 || backward < forward*4/10 || backward > forward*6/10 {
		t.Errorf("40 units are %d pixels wide in all, 20 are %d", forward, backward)
	}
	if missing := across(row(1, forwardAt), forwardFill); missing != 0 {
		t.Errorf("a direction without units is drawn, %d pixels wide", missing)
	}
	if there := across(row(1, backwardAt), backwardFill); there < 3*10 {
		t.Errorf("5 units are %d pixels wide in all", there)
	}
	want := "Figure: a network with 3 inputs. Layer 1: 4 units forward, 2 backward, 60 parameters. Layer 2: 0 units forward, " +
		"5 backward, 60 parameters. Layer 3: 40 units forward, 20 backward, 3000 parameters. Output layer: 2 outputs, 122 parameters."
	if got := n.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
}
