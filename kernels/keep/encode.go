package keep

import (
	"bufio"
	"encoding"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
	"unsafe"
)

// The format: the values in the order of the type, numbers as in memory. The type is not written; its signature is
// stored with the data. encoding/gob does not qualify: it turns empty slices and pointers to zero into nil, duplicates
// what two pointers share, and does not terminate for cycles.
//
// A slice, map, pointer or interface begins with one of
const (
	isNil   = iota
	isNew   // followed by the length of a slice or map
	isKnown // plus the number of the identical earlier pointer, map or slice; they are numbered in the order in which they begin
)

type encoder struct {
	w     *bufio.Writer // Flush returns its error
	known map[memory]uint64
	begun uint64
	names map[reflect.Type][]byte // of types in interfaces
	depth int
}

type memory struct {
	at     unsafe.Pointer
	length int
	t      reflect.Type
}

const deepest = 100_000 // the stack overflows about ten times deeper

func encode(w io.Writer, v reflect.Value) error {
	e := encoder{w: bufio.NewWriterSize(w, 1<<16), known: map[memory]uint64{}, names: map[reflect.Type][]byte{}}
	if f := e.encode(v); f != nil {
		return f
	}
	return e.w.Flush()
}

func (e *encoder) number(n uint64) { e.w.Write(binary.AppendUvarint(e.w.AvailableBuffer(), n)) }

func (e *encoder) bytes(data []byte) {
	e.number(uint64(len(data)))
	e.w.Write(data)
}

func (e *encoder) encode(v reflect.Value) *flaw {
	if e.depth++; e.depth > deepest {
		return flawf("is nested more than %d deep", deepest)
	}
	defer func() { e.depth-- }()
	t := v.Type()
	l := layoutOf(t)
	switch {
	case l.flat:
		e.w.Write(flatBytes(addressable(v)))
		return nil
	case l.itself:
		data, err := marshal(addressable(v).Addr().Interface())
		if err != nil {
			return flawf("(%v) cannot be encoded: %v", t, err)
		}
		e.bytes(data)
		return nil
	}
	switch t.Kind() {
	case reflect.String:
		e.number(uint64(v.Len()))
		e.w.WriteString(v.String())
	case reflect.Struct:
		for _, i := range l.fields {
			if f := e.encode(v.Field(i)); f != nil {
				return f.within("." + t.Field(i).Name)
			}
		}
	case reflect.Array:
		return e.elements(v)
	case reflect.Interface:
		return e.encodeInterface(v)
	case reflect.Pointer, reflect.Map, reflect.Slice:
		if e.begin(v) {
			return e.contents(v)
		}
	default:
		return flawf("is a %v", t) // whole rejects the others
	}
	return nil
}

// begin encodes the beginning of v and reports whether its contents follow.
func (e *encoder) begin(v reflect.Value) bool {
	if v.IsNil() {
		e.number(isNil)
		return false
	}
	length := 0
	if v.Kind() != reflect.Pointer {
		length = v.Len()
	}
	this := memory{v.UnsafePointer(), length, v.Type()}
	// All empty slices are alike.
	if number, ok := e.known[this]; ok && (length > 0 || v.Kind() != reflect.Slice) {
		e.number(isKnown + number)
		return false
	}
	e.known[this] = e.begun
	e.begun++
	e.number(isNew)
	if v.Kind() != reflect.Pointer {
		e.number(uint64(length))
	}
	return true
}

func (e *encoder) contents(v reflect.Value) *flaw {
	switch v.Kind() {
	case reflect.Pointer:
		if isGoMLX(v.Type()) {
			return e.encodeGoMLX(v)
		}
		return e.encode(v.Elem())
	case reflect.Map:
		for key, value := range v.Seq2() {
			if f := e.encode(key); f != nil {
				return f.within("[key]")
			}
			if f := e.encode(value); f != nil {
				return f.within(fmt.Sprintf("[%v]", key))
			}
		}
		return nil
	}
	return e.elements(v)
}

// elements encodes the elements of a slice or array.
func (e *encoder) elements(v reflect.Value) *flaw {
	if v.Kind() == reflect.Slice && layoutOf(v.Type().Elem()).flat {
		e.w.Write(flatBytes(v))
		return nil
	}
	for i := range v.Len() {
		if f := e.encode(v.Index(i)); f != nil {
			return f.within(fmt.Sprintf("[%d]", i))
		}
	}
	return nil
}

// encodeInterface encodes the signature of the dynamic type, then the value.
func (e *encoder) encodeInterface(v reflect.Value) *flaw {
	if v.IsNil() {
		e.number(isNil)
		return nil
	}
	t := v.Elem().Type()
	name, ok := e.names[t]
	if !ok {
		name = []byte(signature(t))
		if _, ok := inInterfaces.Load(string(name)); !ok {
			return flawf("is a %v in an interface, where later cells do not know this type: use the type instead of the interface", t)
		}
		e.names[t] = name
	}
	e.number(isNew)
	e.bytes(name)
	return e.encode(v.Elem())
}

// flatBytes returns the memory of an addressable flat value or of a slice of flat values.
func flatBytes(v reflect.Value) []byte {
	if v.Kind() == reflect.Slice {
		return unsafe.Slice((*byte)(v.UnsafePointer()), uintptr(v.Len())*v.Type().Elem().Size())
	}
	return unsafe.Slice((*byte)(v.Addr().UnsafePointer()), v.Type().Size())
}

func addressable(v reflect.Value) reflect.Value {
	if v.CanAddr() {
		return v
	}
	other := reflect.New(v.Type()).Elem()
	other.Set(v)
	return other
}

func marshal(pointer any) ([]byte, error) {
	if m, ok := pointer.(gobEncoder); ok {
		return m.GobEncode()
	}
	return pointer.(encoding.BinaryMarshaler).MarshalBinary()
}
