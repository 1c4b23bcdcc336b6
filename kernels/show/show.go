// Package show displays values in a GoNB notebook: as text of bounded length and, if possible, as picture, chart, HTML
// or Markdown. Outside a notebook it prints a readable line instead.
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

// GoNB's pipe carries gob, which must know the types of decoded JSON.
func init() {
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

// MIME types that only this project's kernel knows; bare GoNB does not get them.
const (
	resultType = "application/x.birnn.result+json" // the display is the cell's result
	clearType  = "application/x.birnn.clear+json"  // the display clears the output
)

func inFront() bool { return os.Getenv("BIRNN_FRONT") != "" }

// mimes is a value in several forms; a front end shows the richest that it supports.
type mimes map[protocol.MIMEType]any

// send displays data, which must have a text. It returns after GoNB has received it, because the program may end at
// once.
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

// HTML displays HTML.
func HTML(html string) {
	send(mimes{protocol.MIMETextHTML: html, protocol.MIMETextPlain: describe("HTML", len(html), "")})
}

// Markdown displays Markdown, with TeX formulas between dollar signs.
func Markdown(markdown string) {
	send(mimes{protocol.MIMETextMarkdown: markdown, protocol.MIMETextPlain: markdown})
}

// SVG displays a drawing. Its title element, if any, is its text for readers who cannot see it.
func SVG(svg string) { send(mimes{protocol.MIMEImageSVG: svg, protocol.MIMETextPlain: svgText(svg)}) }

func svgText(svg string) string {
	_, title, _ := strings.Cut(svg, "<title>")
	title, _, _ = strings.Cut(title, "</title>")
	return describe("SVG drawing", len(svg), strings.TrimSpace(title))
}

// PNG displays a PNG file.
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

// Image displays an image as PNG.
func Image(picture image.Image) error {
	var b bytes.Buffer
	if err := png.Encode(&b, picture); err != nil {
		return fmt.Errorf("show.Image: %w", err)
	}
	PNG(b.Bytes())
	return nil
}

// Clear clears the output of the cell, or, if wait is true, does so when the next output arrives. With bare GoNB it
// does nothing.
func Clear(wait bool) {
	if inFront() {
		send(mimes{clearType: wait, protocol.MIMETextPlain: ""})
	}
}

// describe returns a text for data that is not text.
func describe(what string, size int, title string) string {
	if title != "" {
		return what + ": " + title
	}
	return fmt.Sprintf("%s, %s bytes", what, thousands(size))
}
