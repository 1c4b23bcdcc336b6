// Package show shows values, pictures and charts in a notebook. It needs no
// network, and works in JupyterLab, without a browser, and on bare GoNB.
// Outside a notebook it prints what can be printed.
package show

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"os"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// The kinds of display that only this project's kernel knows.
const (
	resultType = "application/x.birnn.result+json" // the display is the cell's result
	clearType  = "application/x.birnn.clear+json"  // the display clears the output
	vegaLite   = "application/vnd.vegalite.v5+json"
)

func init() {
	// What a display may have, on its way to the kernel.
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

// bundle is a value in several forms; a client takes the richest that it can show.
type bundle = map[protocol.MIMEType]any

// Result shows the values of the expression that ends a cell: the kernel adds
// the call. A tensor is shown by its shape and an excerpt; an image, and what has
// a method PNG() ([]byte, error), SVG(), HTML() or Markdown() string, as such;
// everything else as text, with the names of fields, and cut when it is long. An
// error that is nil beside other values is left out.
func Result(values ...any) {
	if n := len(values); n > 0 && values[n-1] == nil {
		values = values[:n-1] // the error of a call that went well, or nothing at all
	}
	if len(values) == 0 {
		return
	}
	data := bundle{}
	var texts []string
	for _, v := range values {
		texts = append(texts, text(v))
	}
	if len(values) == 1 {
		data = rich(values[0])
	}
	data[protocol.MIMETextPlain] = strings.Join(texts, "\n")
	if os.Getenv("BIRNN_FRONT") != "" {
		data[resultType] = map[string]any{}
	}
	send(data)
}

// rich returns the forms of a value other than text.
func rich(v any) (data bundle) {
	data = bundle{}
	defer func() {
		if recover() != nil { // a method of the value's; its text says so
			data = bundle{}
		}
	}()
	switch v := v.(type) {
	case interface{ PNG() ([]byte, error) }:
		if picture, err := v.PNG(); err == nil {
			data[protocol.MIMEImagePNG] = picture
		}
	case image.Image:
		var b bytes.Buffer
		if png.Encode(&b, v) == nil {
			data[protocol.MIMEImagePNG] = b.Bytes()
		}
	case interface{ SVG() string }:
		data[protocol.MIMEImageSVG] = v.SVG()
	case interface{ HTML() string }:
		data[protocol.MIMETextHTML] = v.HTML()
	case interface{ Markdown() string }:
		data[protocol.MIMETextMarkdown] = v.Markdown()
	}
	return data
}

// SVG shows a drawing.
func SVG(svg string) { send(bundle{protocol.MIMEImageSVG: svg, protocol.MIMETextPlain: "a drawing"}) }

// PNG shows a picture.
func PNG(picture []byte) {
	send(bundle{protocol.MIMEImagePNG: picture, protocol.MIMETextPlain: fmt.Sprintf("a picture of %d bytes", len(picture))})
}

// Image shows an image.
func Image(picture image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return fmt.Errorf("show: %w", err)
	}
	PNG(b.Bytes())
	return nil
}

// HTML shows a piece of HTML.
func HTML(html string) { send(bundle{protocol.MIMETextHTML: html, protocol.MIMETextPlain: html}) }

// Markdown shows a text in Markdown.
func Markdown(markdown string) {
	send(bundle{protocol.MIMETextMarkdown: markdown, protocol.MIMETextPlain: markdown})
}

// VegaLite shows a chart, given its specification in Vega-Lite 5 as JSON text, or
// as anything that package json can write as an object. JupyterLab draws it
// without a network.
func VegaLite(spec any) error {
	source, isText := spec.(string)
	if !isText {
		written, err := json.Marshal(spec)
		if err != nil {
			return fmt.Errorf("show: the chart's specification: %w", err)
		}
		source = string(written)
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(source), &object); err != nil {
		return fmt.Errorf("show: the chart's specification is no JSON object: %w", err)
	}
	title, _ := object["title"].(string)
	send(bundle{vegaLite: object, protocol.MIMETextPlain: strings.TrimSpace("a chart: " + title)})
	return nil
}

// Clear clears what the cell has put out so far: at once, or, if wait is true,
// when it puts out something new. On bare GoNB it does nothing.
func Clear(wait bool) {
	if os.Getenv("BIRNN_FRONT") != "" {
		send(bundle{clearType: wait, protocol.MIMETextPlain: ""})
	}
}

// send hands a display to the kernel, or prints it where there is none.
func send(data bundle) {
	if !gonbui.IsNotebook {
		if text := data[protocol.MIMETextPlain]; text != "" {
			fmt.Println(text)
		}
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: data})
}
