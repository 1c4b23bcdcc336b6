package show

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// How much of a value is shown.
const (
	mostText     = 8000 // bytes in all
	mostElements = 100  // of a slice, an array or a map
	mostDepth    = 8
)

// text returns a value as text for people.
func text(v any) string {
	if t, ok := v.(interface{ Summary(precision int) string }); ok && isTensor(v) {
		return cut(call(func() string { return t.Summary(4) }))
	}
	p := &printer{}
	p.value(reflect.ValueOf(v), 0)
	return cut(p.String())
}

// isTensor reports whether a value has the methods of a GoMLX tensor.
func isTensor(v any) bool {
	t := reflect.TypeOf(v)
	_, shape := t.MethodByName("Shape")
	_, dtype := t.MethodByName("DType")
	return shape && dtype
}

func cut(text string) string {
	if len(text) <= mostText {
		return text
	}
	return strings.ToValidUTF8(text[:mostText], "") + fmt.Sprintf("… (%d bytes)", len(text))
}

// call calls a method of a value, which may panic.
func call(method func() string) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprintf("(its method panicked: %v)", r)
		}
	}()
	return method()
}

type printer struct {
	strings.Builder
	above []uintptr // pointers on the way to here
}

func (p *printer) value(v reflect.Value, depth int) {
	if p.Len() > mostText {
		return
	}
	if !v.IsValid() {
		p.WriteString("<nil>")
		return
	}
	if v.CanInterface() && !(v.Kind() == reflect.Pointer && v.IsNil()) {
		switch x := v.Interface().(type) {
		case error:
			p.WriteString(call(x.Error))
			return
		case fmt.Stringer:
			p.WriteString(call(x.String))
			return
		}
	}
	if depth > mostDepth {
		p.WriteString("…")
		return
	}
	switch v.Kind() {
	case reflect.String:
		p.WriteString(strconv.Quote(v.String()))
	case reflect.Interface:
		p.value(v.Elem(), depth)
	case reflect.Pointer:
		p.pointer(v, depth)
	case reflect.Struct:
		p.WriteByte('{')
		for i := range v.NumField() {
			if i > 0 {
				p.WriteByte(' ')
			}
			p.WriteString(v.Type().Field(i).Name + ":")
			p.value(v.Field(i), depth+1)
		}
		p.WriteByte('}')
	case reflect.Slice, reflect.Array:
		p.WriteByte('[')
		for i := range min(v.Len(), mostElements) {
			if i > 0 {
				p.WriteByte(' ')
			}
			p.value(v.Index(i), depth+1)
		}
		p.more(v.Len())
		p.WriteByte(']')
	case reflect.Map:
		p.entries(v, depth)
	default:
		fmt.Fprintf(p, "%+v", v) // fmt looks into a reflect.Value, unexported ones too
	}
}

func (p *printer) pointer(v reflect.Value, depth int) {
	switch {
	case v.IsNil():
		p.WriteString("<nil>")
	case slices.Contains(p.above, v.Pointer()):
		p.WriteString("&…") // itself
	default:
		p.above = append(p.above, v.Pointer())
		p.WriteByte('&')
		p.value(v.Elem(), depth+1)
		p.above = p.above[:len(p.above)-1]
	}
}

// entries writes a map, sorted by its keys as they are written.
func (p *printer) entries(v reflect.Value, depth int) {
	type entry struct {
		key   string
		value reflect.Value
	}
	var entries []entry
	for _, k := range v.MapKeys() {
		if len(entries) == 10*mostElements {
			break // the order of so many is of no use
		}
		key := &printer{above: p.above}
		key.value(k, depth+1)
		entries = append(entries, entry{key.String(), v.MapIndex(k)})
	}
	slices.SortFunc(entries, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	p.WriteString("map[")
	for i, e := range entries[:min(len(entries), mostElements)] {
		if i > 0 {
			p.WriteByte(' ')
		}
		p.WriteString(e.key + ":")
		p.value(e.value, depth+1)
	}
	p.more(v.Len())
	p.WriteByte(']')
}

func (p *printer) more(n int) {
	if n > mostElements {
		fmt.Fprintf(p, " … (%d elements)", n)
	}
}
