package keep

import (
	"bufio"
	"encoding"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"
)

// decoder decodes what encoder encodes. It panics with an error. At most most bytes remain, which bounds what it
// allocates for damaged data.
type decoder struct {
	r     *bufio.Reader
	most  uint64
	known []reflect.Value
	depth int
}

// decode decodes the size bytes of r into v.
func decode(r io.Reader, size int64, v reflect.Value) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("%v", problem)
		}
	}()
	d := decoder{r: bufio.NewReaderSize(r, 1<<16), most: uint64(size)}
	d.decode(v)
	if _, err := d.r.ReadByte(); err != io.EOF {
		return errDamaged
	}
	return nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

var errDamaged = errors.New("the data is damaged")

func (d *decoder) number() uint64 {
	n, err := binary.ReadUvarint(d.r)
	check(err)
	return n
}

// length reads the length of a collection whose elements take at least each bytes.
func (d *decoder) length(each int) int {
	n := d.number()
	if each > 0 && n > d.most/uint64(each) || n > math.MaxInt {
		panic(errDamaged)
	}
	return int(n)
}

func (d *decoder) fill(data []byte) {
	_, err := io.ReadFull(d.r, data)
	check(err)
}

func (d *decoder) bytes() []byte {
	data := make([]byte, d.length(1))
	d.fill(data)
	return data
}

// decode sets v, which must be zero.
func (d *decoder) decode(v reflect.Value) {
	if d.depth++; d.depth > deepest {
		panic(errDamaged)
	}
	defer func() { d.depth-- }()
	t := v.Type()
	l := layoutOf(t)
	switch {
	case l.flat:
		d.fill(flatBytes(v))
		return
	case l.itself:
		check(unmarshal(v.Addr().Interface(), d.bytes()))
		return
	}
	switch t.Kind() {
	case reflect.String:
		v.SetString(string(d.bytes()))
	case reflect.Struct:
		for _, i := range l.fields {
			d.decode(v.Field(i))
		}
	case reflect.Array:
		d.elements(v)
	case reflect.Interface:
		d.decodeInterface(v)
	case reflect.Pointer, reflect.Map, reflect.Slice:
		switch n := d.number(); {
		case n == isNew:
			d.contents(v)
		case n >= isKnown:
			if n -= isKnown; n >= uint64(len(d.known)) || d.known[n].Type() != t {
				panic(errDamaged)
			}
			v.Set(d.known[n])
		}
	default:
		panic(errDamaged)
	}
}

// contents sets v before it decodes the elements, because they may refer to v.
func (d *decoder) contents(v reflect.Value) {
	t := v.Type()
	switch {
	case isGoMLX(t):
		number := len(d.known)
		d.known = append(d.known, v)
		d.decodeGoMLX(v)
		d.known[number] = reflect.ValueOf(v.Interface())
	case t.Kind() == reflect.Pointer:
		v.Set(reflect.New(t.Elem()))
		d.known = append(d.known, reflect.ValueOf(v.Interface()))
		d.decode(v.Elem())
	case t.Kind() == reflect.Slice:
		each, size := layoutOf(t.Elem()).least, int(t.Elem().Size())
		n := d.length(each)
		if each == 0 && size > 0 && n > 1<<26/size { // elements are structs whose fields are all named _
			panic(errDamaged)
		}
		v.Set(reflect.MakeSlice(t, n, n))
		d.known = append(d.known, reflect.ValueOf(v.Interface()))
		d.elements(v)
	default:
		n := d.length(max(1, layoutOf(t.Key()).least)) // a map has at most one key of no bytes
		v.Set(reflect.MakeMap(t))
		d.known = append(d.known, reflect.ValueOf(v.Interface()))
		for range n {
			key, value := reflect.New(t.Key()).Elem(), reflect.New(t.Elem()).Elem()
			d.decode(key)
			d.decode(value)
			v.SetMapIndex(key, value)
		}
	}
}

// elements decodes the elements of a slice or array.
func (d *decoder) elements(v reflect.Value) {
	l := layoutOf(v.Type().Elem())
	if v.Kind() == reflect.Slice && l.flat {
		d.fill(flatBytes(v))
		return
	}
	for i := 0; i < v.Len() && l.least > 0; i++ {
		d.decode(v.Index(i))
	}
}

func (d *decoder) decodeInterface(v reflect.Value) {
	if d.number() == isNil {
		return
	}
	t, ok := inInterfaces.Load(string(d.bytes()))
	if !ok || !t.(reflect.Type).AssignableTo(v.Type()) {
		panic(fmt.Errorf("a %v holds a type whose definition has changed or that keep.Types does not name", v.Type()))
	}
	value := reflect.New(t.(reflect.Type)).Elem()
	d.decode(value)
	v.Set(value)
}

func unmarshal(pointer any, data []byte) error {
	if m, ok := pointer.(gobDecoder); ok {
		return m.GobDecode(data)
	}
	return pointer.(encoding.BinaryUnmarshaler).UnmarshalBinary(data)
}
