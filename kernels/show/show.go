// Package show shows values in a GoNB notebook: as text that is never endless, and as picture, chart, HTML or Markdown
// where they are that. Outside a notebook it prints a readable line instead.
package show

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"image"
	"image/png"
	"os"
	"strings"

	"github.com/janpfeifer/gonb/gonbui"
	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// What GoNB's pipe carries is encoded by gob, which must know the types of what JSON is made of.
func init() {
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

// The kinds of display that only this project's kernel knows, and only it is sent.
const (
	resultType = "application/x.birnn.result+json" // the display is the cell's result
	clearType  = "application/x.birnn.clear+json"  // the display clears the output
)

func inFront() bool { return os.Getenv("BIRNN_FRONT") != "" }

// mimes is a value in several forms, of which a front end shows the richest that it can.
type mimes map[protocol.MIMEType]any

// send displays data, which has a text. It returns when GoNB has it, because the program may end at once.
func send(data mimes) {
	if !gonbui.IsNotebook {
		if text := data[protocol.MIMETextPlain]; text != "" {
			fmt.Println(text)
		}
		return
	}
	gonbui.SendData(&protocol.DisplayData{Data: data})
	gonbui.Sync()
}

// HTML shows HTML.
func HTML(html string) {
	send(mimes{protocol.MIMETextHTML: html, protocol.MIMETextPlain: describe("HTML", len(html), "")})
}

// Markdown shows Markdown, formulas in TeX between dollars included.
func Markdown(markdown string) {
	send(mimes{protocol.MIMETextMarkdown: markdown, protocol.MIMETextPlain: markdown})
}

// SVG shows a drawing. Its title element, if it has one, is what those read who do not see it.
func SVG(svg string) { send(mimes{protocol.MIMEImageSVG: svg, protocol.MIMETextPlain: svgText(svg)}) }

func svgText(svg string) string {
	_, title, _ := strings.Cut(svg, "<title>")
	title, _, _ = strings.Cut(title, "</title>")
	return describe("SVG drawing", len(svg), strings.TrimSpace(title))
}

// PNG shows the picture in a PNG file.
func PNG(data []byte) {
	send(mimes{protocol.MIMEImagePNG: data, protocol.MIMETextPlain: pngText(data)})
}

func pngText(data []byte) string {
	config, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return describe("PNG picture that cannot be read", len(data), err.Error())
	}
	return fmt.Sprintf("PNG picture, %d×%d", config.Width, config.Height)
}

// Image shows an image, as PNG.
func Image(picture image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return fmt.Errorf("show.Image: %w", err)
	}
	PNG(b.Bytes())
	return nil
}

// Clear clears what the cell has put out so far: at once, or, if wait is true, when it puts out something new. On bare
// GoNB it does nothing.
func Clear(wait bool) {
	if inFront() {
		send(mimes{clearType: wait, protocol.MIMETextPlain: ""})
	}
}

// describe is the text for what is no text.
func describe(what string, size int, title string) string {
	if title != "" {
		return what + ": " + title
	}
	return fmt.Sprintf("%s, %s bytes", what, thousands(size))
}
