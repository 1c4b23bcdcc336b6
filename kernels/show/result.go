package show

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"reflect"
	"strings"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// Result displays the values of the last expression of a cell. It displays nothing for no value or for nil, and omits a
// final nil, which is the error of a call. It displays a single value in all its forms, several values as text.
//
// The forms are the results of the methods HTML() string, Markdown() string, SVG() string and PNG() ([]byte, error),
// and pictures of an image.Image or a plot of gonum.org/v1/plot. The text is an excerpt of a tensor, the result of
// String or Error, or else similar to fmt's %+v, with quoted strings and of bounded length.
func Result(values ...any) {
	if last := len(values) - 1; last >= 0 && values[last] == nil {
		values = values[:last]
	}
	var data mimes
	switch len(values) {
	case 0:
		return
	case 1:
		if values[0] == nil { // followed by a nil error
			return
		}
		data = forms(values[0])
	default:
		var lines []string
		for _, value := range values {
			lines = append(lines, textOf(value))
		}
		data = mimes{protocol.MIMETextPlain: strings.Join(lines, "\n")}
	}
	if inFront() {
		data[resultType] = map[string]any{}
	}
	send(data)
}

// forms returns all forms of a value.
func forms(value any) mimes {
	data := mimes{}
	if isNil(value) {
		data[protocol.MIMETextPlain] = textOf(value)
		return data
	}
	text := ""
	// A panic in a method of the value does not affect the other forms; the text shows it as fmt shows a panic in
	// String.
	try := func(method string, form func()) {
		defer func() {
			if r := recover(); r != nil {
				text += fmt.Sprintf("\n%%!v(PANIC=%s method: %v)", method, r)
			}
		}()
		form()
	}
	if v, ok := value.(interface{ HTML() string }); ok {
		try("HTML", func() { data[protocol.MIMETextHTML] = v.HTML() })
	}
	if v, ok := value.(interface{ Markdown() string }); ok {
		try("Markdown", func() { data[protocol.MIMETextMarkdown] = v.Markdown() })
	}
	if v, ok := value.(interface{ SVG() string }); ok {
		try("SVG", func() { data[protocol.MIMEImageSVG] = v.SVG() })
	}
	picture := func(method string, write func(w *bytes.Buffer) error) {
		try(method, func() {
			var b bytes.Buffer
			if err := write(&b); err != nil {
				text += fmt.Sprintf("\nno picture: %v", err)
				return
			}
			data[protocol.MIMEImagePNG] = b.Bytes()
		})
	}
	switch v := value.(type) {
	case interface{ PNG() ([]byte, error) }:
		picture("PNG", func(b *bytes.Buffer) error {
			data, err := v.PNG()
			b.Write(data)
			return err
		})
	case image.Image:
		picture("image.Image", func(b *bytes.Buffer) error { return png.Encode(b, v) })
	default:
		if write := plotWriter(value); write != nil {
			picture("WriterTo", write)
		}
	}
	data[protocol.MIMETextPlain] = textOf(value) + text
	return data
}

// plotWriter returns a function that draws a gonum plot, or nil for other values. A plot has the method WriterTo(w, h
// vg.Length, format string) (io.WriterTo, error); calling it by reflection avoids importing gonum.
func plotWriter(value any) func(*bytes.Buffer) error {
	method := reflect.ValueOf(value).MethodByName("WriterTo")
	if !method.IsValid() {
		return nil
	}
	t := method.Type()
	if t.NumIn() != 3 || t.NumOut() != 2 || t.In(0).Kind() != reflect.Float64 || t.In(1).Kind() != reflect.Float64 ||
		t.In(2).Kind() != reflect.String || t.Out(0) != reflect.TypeFor[io.WriterTo]() || t.Out(1) != reflect.TypeFor[error]() {
		return nil
	}
	return func(b *bytes.Buffer) error {
		inch := 72.0 // vg.Length is in points
		out := method.Call([]reflect.Value{
			reflect.ValueOf(7 * inch).Convert(t.In(0)), reflect.ValueOf(4 * inch).Convert(t.In(1)), reflect.ValueOf("png"),
		})
		if err, _ := out[1].Interface().(error); err != nil {
			return err
		}
		_, err := out[0].Interface().(io.WriterTo).WriteTo(b)
		return err
	}
}
