package figure

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"os"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// drawing is a figure that can be drawn and described in words.
type drawing interface {
	fmt.Stringer
	PNG() ([]byte, error)
}

func init() { // what charts are made of goes through GoNB's pipe
	gob.Register(chart{})
	gob.Register([]any{})
}

// show draws d in the output of the notebook's cell, in place of what was shown under id before. An empty id gets
// a value. What cannot be drawn it reports there. Outside a notebook it does nothing.
func show(id *string, d drawing) {
	if !gonbui.IsNotebook {
		return
	}
	png, err := d.PNG()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	if *id == "" {
		*id = "figure_" + gonbui.UniqueId()
	}
	data := map[protocol.MIMEType]any{protocol.MIMEImagePNG: png, protocol.MIMETextPlain: d.String()}
	if d, ok := d.(interface{ chart() chart }); ok {
		data[vegaLite] = d.chart()
	}
	gonbui.SendData(&protocol.DisplayData{Data: data, DisplayID: *id})
	gonbui.Sync()
}

// Every figure is of this size.
const width, height = 7 * vg.Inch, 3.5 * vg.Inch

// encoded returns a picture as a PNG.
func encoded(canvas *vgimg.Canvas) ([]byte, error) {
	var b bytes.Buffer
	if _, err := (vgimg.PngCanvas{Canvas: canvas}).WriteTo(&b); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
