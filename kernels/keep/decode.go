package keep

import (
	"bufio"
	"encoding"
	"encoding/binary"
	"fmt"
	"io"
	"reflect"
)

// decoder decodes what encoder encodes. It panics with an error.
type decoder struct {
	r     *bufio.Reader
	known []reflect.Value
}

func decode(r *bufio.Reader, v reflect.Value) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			err = fmt.Errorf("what is kept cannot be read: %v", problem)
		}
	}()
	d := decoder{r: r}
	d.decode(v)
	return nil
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func (d *decoder) number() uint64 {
	n, err := binary.ReadUvarint(d.r)
	check(err)
	return n
}

func (d *decoder) fill(data []byte) {
	_, err := io.ReadFull(d.r, data)
	check(err)
}

func (d *decoder) bytes() []byte {
	data := make([]byte, d.number())
	d.fill(data)
	return data
}

// decode sets v, which must be zero.
func (d *decoder) decode(v reflect.Value) {
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
			v.Set(d.known[n-isKnown])
		}
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
		n := int(d.number())
		v.Set(reflect.MakeSlice(t, n, n))
		d.known = append(d.known, reflect.ValueOf(v.Interface()))
		d.elements(v)
	default:
		n := d.number()
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
	if v.Kind() == reflect.Slice && layoutOf(v.Type().Elem()).flat {
		d.fill(flatBytes(v))
		return
	}
	for i := range v.Len() {
		d.decode(v.Index(i))
	}
}

func (d *decoder) decodeInterface(v reflect.Value) {
	if d.number() == isNil {
		return
	}
	t, _ := inInterfaces.Load(string(d.bytes()))
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
