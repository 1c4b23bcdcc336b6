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

// The format: a value after the other in the order of the type, numbers as they are in memory. The type itself is not
// written, its signature stands beside the data. It is not encoding/gob's, which makes nil of an empty slice and of a
// pointer to zero, two things of one that two pointers point to, and never ends with a cycle.
//
// A slice, map, pointer or interface begins with one of
const (
	isNil   = iota
	isNew   // for a slice or map its length follows
	isKnown // plus the number of an equal one before: pointers, maps and slices are numbered as they begin
)

type encoder struct {
	w     *bufio.Writer // whose error comes with Flush
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

const deepest = 100_000 // the stack would end some ten times deeper

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
		return flawf("is a %v", t) // which whole refuses
	}
	return nil
}

// begin writes how v begins and tells whether its contents follow.
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
	// Empty slices are all alike.
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

// elements are those of a slice or array.
func (e *encoder) elements(v reflect.Value) *flaw {
	l := layoutOf(v.Type().Elem())
	if v.Kind() == reflect.Slice && l.flat {
		e.w.Write(flatBytes(v))
		return nil
	}
	if l.least == 0 {
		return nil
	}
	for i := range v.Len() {
		if f := e.encode(v.Index(i)); f != nil {
			return f.within(fmt.Sprintf("[%d]", i))
		}
	}
	return nil
}

// encodeInterface writes the signature of the type before the value.
func (e *encoder) encodeInterface(v reflect.Value) *flaw {
	if v.IsNil() {
		e.number(isNil)
		return nil
	}
	t := v.Elem().Type()
	name, ok := e.names[t]
	if !ok {
		if f := whole(t, map[reflect.Type]bool{}); f != nil {
			return f
		}
		name = []byte(signature(t))
		if _, ok := inInterfaces.Load(string(name)); !ok {
			return flawf("is a %v in an interface, and the next cell could not know: give keep.Value the option keep.Types with one", t)
		}
		e.names[t] = name
	}
	e.number(isNew)
	e.bytes(name)
	return e.encode(v.Elem())
}

// flatBytes is the memory of a flat value that can be addressed, or of a slice of such.
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
