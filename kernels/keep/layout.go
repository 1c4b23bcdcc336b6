package keep

import (
	"crypto/sha256"
	"fmt"
	"io"
	"reflect"
	"sync"
)

// signature identifies the structure of t: its name and, recursively, the names and types of its fields. A value with
// another signature would be decoded wrongly or mean something else to the program.
func signature(t reflect.Type) string {
	h := sha256.New()
	describe(h, t, map[reflect.Type]bool{})
	return fmt.Sprintf("%x", h.Sum(nil)[:16])
}

func describe(w io.Writer, t reflect.Type, seen map[reflect.Type]bool) {
	fmt.Fprintf(w, "%s %v %v ", t.PkgPath(), t, t.Kind())
	if seen[t] || encodesItself(t) || isGoMLX(t) {
		return
	}
	seen[t] = true
	switch t.Kind() {
	case reflect.Struct:
		for field := range fields(t) {
			fmt.Fprintf(w, "{%s ", field.Name)
			describe(w, field.Type, seen)
		}
		fmt.Fprint(w, "}")
	case reflect.Map:
		describe(w, t.Key(), seen)
		describe(w, t.Elem(), seen)
	case reflect.Slice, reflect.Array, reflect.Pointer:
		describe(w, t.Elem(), seen)
	}
}

// layout is the encoding of the values of a type.
type layout struct {
	flat   bool  // as in memory, which is contiguous and without padding
	itself bool  // by methods of the type
	fields []int // of a struct, except those named _
}

var layouts sync.Map

func layoutOf(t reflect.Type) *layout {
	if l, ok := layouts.Load(t); ok {
		return l.(*layout)
	}
	l := &layout{itself: encodesItself(t)}
	switch kind := t.Kind(); {
	case l.itself:
	case kind >= reflect.Bool && kind <= reflect.Complex128:
		l.flat = true
	case kind == reflect.Array:
		l.flat = layoutOf(t.Elem()).flat
	case kind == reflect.Struct:
		rest := t.Size() // without the flat fields
		for field := range fields(t) {
			if layoutOf(field.Type).flat {
				rest -= field.Type.Size()
			}
			l.fields = append(l.fields, field.Index...)
		}
		l.flat = rest == 0
	}
	layouts.Store(t, l)
	return l
}
