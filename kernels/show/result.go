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

// Result shows the values of the expression that ends a cell. No value, or nil alone, shows nothing, and so does the nil
// at the end of a call's results, which is its error. A single value is shown in all its forms, several ones as text.
//
// Forms are what these methods return: HTML() string, Markdown() string, SVG() string and PNG() ([]byte, error), further
// an image.Image and a plot of gonum.org/v1/plot as picture. Text is an excerpt of a tensor, what String and Error return,
// and for the rest like fmt's %+v, with quoted strings and cut where it gets long.
func Result(values ...any) {
	if last := len(values) - 1; last >= 0 && values[last] == nil {
		values = values[:last]
	}
	var data mimes
	switch len(values) {
	case 0:
		return
	case 1:
		if values[0] == nil { // before a nil that was the error
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

// forms are all forms of a value.
func forms(value any) mimes {
	data := mimes{}
	if isNil(value) {
		data[protocol.MIMETextPlain] = textOf(value)
		return data
	}
	text := ""
	// A panic in a method of the value leaves the other forms, and shows in the text as fmt shows one in String.
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

// plotWriter returns how to draw a gonum plot, which has a method WriterTo(w, h vg.Length, format string) (io.WriterTo,
// error) whose types this package does without; nil for anything else.
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
		inch := 72.0 // in points, of which vg.Length counts
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
