package keep

import (
	"encoding"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/gomlx/compute/dtypes"
)

// flaw is the part of a value or type that cannot be kept, with the reason.
type flaw struct{ path, text string }

func flawf(format string, args ...any) *flaw { return &flaw{"", fmt.Sprintf(format, args...)} }

func (f *flaw) Error() string {
	if path := strings.TrimPrefix(f.path, "."); path != "" {
		return path + " " + f.text
	}
	return "it " + f.text
}

// within returns the flaw with the path of the enclosing value.
func (f *flaw) within(where string) *flaw {
	if f.path = where + f.path; len(f.path) > 200 {
		f.path = strings.ToValidUTF8(f.path[:200], "") + "…"
	}
	return f
}

// whole returns what would be lost of values of type t, or nil; seen gets the types that t mentions. The contents of
// interfaces are checked when a value is encoded.
func whole(t reflect.Type, seen map[reflect.Type]bool) *flaw {
	if seen[t] {
		return nil
	}
	seen[t] = true
	if advice := insteadOf(t); advice != "" {
		return flawf("is a %v: %s", t, advice)
	}
	if encodesItself(t) || isGoMLX(t) {
		return nil
	}
	switch t.Kind() {
	case reflect.Chan, reflect.Func, reflect.UnsafePointer, reflect.Uintptr:
		return flawf("is a %v, which means nothing to another program: remove it from the type", t)
	case reflect.Struct:
		for field := range fields(t) {
			if !field.IsExported() {
				return flawf("(%v) is unexported and would be lost: export it, or give %v the methods GobEncode and GobDecode, "+
					"or MarshalBinary and UnmarshalBinary", field.Type, t).within("." + field.Name)
			}
			if f := whole(field.Type, seen); f != nil {
				return f.within("." + field.Name)
			}
		}
	case reflect.Map:
		if f := whole(t.Key(), seen); f != nil {
			return f.within("[key]")
		}
		fallthrough
	case reflect.Slice, reflect.Array:
		if f := whole(t.Elem(), seen); f != nil {
			return f.within("[]")
		}
	case reflect.Pointer:
		return whole(t.Elem(), seen)
	}
	return nil
}

// fields yields the fields of the struct t except those named _, which hold nothing.
func fields(t reflect.Type) iter.Seq[reflect.StructField] {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if field := t.Field(i); field.Name != "_" && !yield(field) {
				return
			}
		}
	}
}

type (
	gobEncoder interface{ GobEncode() ([]byte, error) }
	gobDecoder interface{ GobDecode([]byte) error }
)

// encodesItself reports whether t has methods that encode all of it. A struct may have promoted such methods from an
// embedded type, which do not encode the other fields.
func encodesItself(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface ||
		!(p.Implements(reflect.TypeFor[gobEncoder]()) && p.Implements(reflect.TypeFor[gobDecoder]())) &&
			!(p.Implements(reflect.TypeFor[encoding.BinaryMarshaler]()) && p.Implements(reflect.TypeFor[encoding.BinaryUnmarshaler]())) {
		return false
	}
	if t.Kind() == reflect.Struct {
		for field := range fields(t) {
			embedded := field.Type
			if embedded.Kind() == reflect.Pointer {
				embedded = embedded.Elem()
			}
			if field.Anonymous && (encodesItself(embedded) || embedded.Kind() == reflect.Interface) {
				return false
			}
		}
	}
	return true
}

// inInterfaces maps signatures to the types that interfaces in kept values may hold.
var inInterfaces sync.Map

func init() {
	for _, example := range []any{
		false, "", 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0), uint64(0),
		float32(0), 0.0, complex64(0), 0i, time.Time{}, time.Duration(0),
	} {
		t := reflect.TypeOf(example)
		mayHold(t, reflect.SliceOf(t), reflect.MapOf(reflect.TypeFor[string](), t))
	}
	mayHold(reflect.TypeFor[[]any](), reflect.TypeFor[map[string]any](), reflect.TypeFor[struct{}](), reflect.TypeFor[dtypes.DType]())
}

func mayHold(types ...reflect.Type) {
	for _, t := range types {
		inInterfaces.Store(signature(t), t)
	}
}
