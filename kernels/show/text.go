package show

import (
	"cmp"
	"fmt"
	"image"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
)

const (
	mostElements = 100    // of a slice or map; half as many of a longer one
	mostLevels   = 12     // of values within values
	mostBytes    = 20_000 // of text
	width        = 80     // of a line; longer values are split into lines
)

// textOf returns a readable text of bounded size for any value.
func textOf(value any) (text string) {
	if isNil(value) {
		return "<nil>"
	}
	defer func() {
		if r := recover(); r != nil { // in a method that fmt does not guard
			text = fmt.Sprintf("%T %%!v(PANIC=%v)", value, r)
		}
	}()
	switch v := value.(type) {
	case tensor:
		if text := tensorText(v, true); text != "" {
			return text
		}
	case error:
		return "error: " + cut(fmt.Sprintf("%v", v))
	case fmt.Stringer, fmt.Formatter: // even if they are structs
	case image.Image:
		size := v.Bounds().Size()
		return fmt.Sprintf("%T, %d×%d", v, size.X, size.Y)
	case interface { // a model's store or scope
		NumVariables() int
		NumParameters() int
	}:
		return fmt.Sprintf("%T: %s variables with %s parameters", v, thousands(v.NumVariables()), thousands(v.NumParameters()))
	}
	f := formatter{left: mostBytes, within: map[place]bool{}}
	return f.format(reflect.ValueOf(value), 0)
}

func isNil(value any) bool {
	v := reflect.ValueOf(value)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

type formatter struct {
	left   int            // bytes of leaves
	within map[place]bool // pointers, maps and slices around
}

type place struct {
	at     uintptr
	length int
	t      reflect.Type
}

func (f *formatter) format(v reflect.Value, level int) string {
	if !v.IsValid() {
		return "<nil>"
	}
	if v.Kind() == reflect.Interface {
		return f.format(v.Elem(), level)
	}
	if v.CanInterface() {
		value := v.Interface()
		if t, ok := value.(tensor); ok && !isNil(value) {
			if text := tensorText(t, false); text != "" {
				return f.leaf(text)
			}
		}
		switch v := value.(type) {
		case error, fmt.Stringer, fmt.Formatter:
			return f.leaf(fmt.Sprintf("%v", v)) // fmt recovers from their panics
		}
	}
	switch v.Kind() {
	case reflect.String:
		return f.leaf(quote(v.String()))
	case reflect.Func, reflect.Chan:
		if !v.IsNil() {
			return f.leaf(v.Type().String())
		}
		return "<nil>"
	case reflect.Struct, reflect.Array:
		return f.parts(v, level)
	case reflect.Slice, reflect.Map, reflect.Pointer:
		if v.IsNil() && v.Kind() == reflect.Pointer {
			return "<nil>"
		}
		this := place{v.Pointer(), 0, v.Type()}
		if v.Kind() == reflect.Slice {
			this.length = v.Len()
		}
		if f.within[this] && (v.Kind() != reflect.Slice || v.Len() > 0) {
			return "…" // it contains itself
		}
		f.within[this] = true
		defer delete(f.within, this)
		if v.Kind() == reflect.Pointer {
			return "&" + f.format(v.Elem(), level)
		}
		return f.parts(v, level)
	}
	return f.leaf(fmt.Sprintf("%v", v))
}

// leaf returns text and counts it.
func (f *formatter) leaf(text string) string {
	text = cut(text)
	f.left -= len(text) + 1
	return text
}

// parts formats the parts of a struct, array, slice or map, on one line if they fit.
func (f *formatter) parts(v reflect.Value, level int) string {
	open, end, count := "[", "]", 0
	var items []string
	add := func(name string, part reflect.Value) bool {
		if f.left <= 0 {
			items = append(items, "…")
			return false
		}
		if f.left -= len(name); part.IsValid() {
			name += f.format(part, level+1)
		}
		items = append(items, name)
		return true
	}
	if v.Kind() == reflect.Struct {
		open, end = "{", "}"
	} else {
		count = v.Len()
	}
	if v.Kind() == reflect.Map {
		open = "map["
	}
	if level >= mostLevels {
		return f.leaf(open + "…" + end)
	}
	few := count
	if few > mostElements {
		few = mostElements / 2
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := 0; i < v.NumField() && add(v.Type().Field(i).Name+":", v.Field(i)); i++ {
		}
	case reflect.Map:
		for _, key := range sortedKeys(v)[:few] {
			if !add(f.format(key, level+1)+":", v.MapIndex(key)) {
				break
			}
		}
	default:
		if text, ok := asText(v); ok {
			return f.leaf(text)
		}
		for i := 0; i < few && add("", v.Index(i)); i++ {
		}
	}
	if few < count && f.left > 0 {
		items = append(items, fmt.Sprintf("… (%s elements)", thousands(count)))
	}
	return open + layOut(items) + end
}

// layOut returns the items on one line, or on a line each if they are long in total and not all short.
func layOut(items []string) string {
	line, longest := strings.Join(items, " "), 0
	for _, item := range items {
		longest = max(longest, uniseg.StringWidth(item))
	}
	if !strings.Contains(line, "\n") && (len(items) < 2 || longest <= width/4 || uniseg.StringWidth(line) <= width) {
		return line
	}
	return strings.ReplaceAll(strings.Join(items, "\n"), "\n", "\n ")
}

// asText returns a byte slice as text if it is valid text.
func asText(v reflect.Value) (string, bool) {
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Uint8 || v.Len() == 0 {
		return "", false
	}
	data := v.Bytes()
	start := data[:min(len(data), mostBytes)]
	if len(start) < len(data) { // the cut may split a character
		for i := 1; i < utf8.UTFMax && !utf8.Valid(start); i++ {
			start = data[:mostBytes-i]
		}
	}
	text := quote(string(start))
	if len(start) < len(data) {
		text += fmt.Sprintf("… (%s bytes)", thousands(len(data)))
	}
	return text, utf8.Valid(start) && !strings.Contains(text, `\x`)
}

func sortedKeys(v reflect.Value) []reflect.Value {
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int {
		if a.Kind() == reflect.Interface {
			a, b = a.Elem(), b.Elem()
		}
		switch {
		case a.Kind() != b.Kind():
			return cmp.Compare(a.Kind(), b.Kind())
		case a.CanInt():
			return cmp.Compare(a.Int(), b.Int())
		case a.CanUint():
			return cmp.Compare(a.Uint(), b.Uint())
		case a.CanFloat():
			return cmp.Compare(a.Float(), b.Float())
		case a.Kind() == reflect.String:
			return cmp.Compare(a.String(), b.String())
		}
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b))
	})
	return keys
}

func quote(text string) string {
	if len(text) <= mostBytes {
		return strconv.Quote(text)
	}
	return strconv.Quote(strings.ToValidUTF8(text[:mostBytes], "")) + fmt.Sprintf("… (%s bytes)", thousands(len(text)))
}

// cut shortens a long result of a method.
func cut(text string) string {
	if len(text) <= 2*mostBytes {
		return text
	}
	return strings.ToValidUTF8(text[:mostBytes], "") + fmt.Sprintf("… (%s bytes)", thousands(len(text)))
}

// thousands formats 1234567 as 1,234,567.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
