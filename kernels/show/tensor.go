package show

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// tensor has the methods of a GoMLX tensor that this package needs. It does not import GoMLX, so that cells link fast.
type tensor interface {
	Rank() int
	Size() int
	ConstFlatData(access func(flat any)) error
}

// tensorText returns the element type and shape and, if full is true or the tensor is a scalar, an excerpt as NumPy
// prints it. It returns an empty text if that fails. (The tensor's String method returns unbalanced braces.)
func tensorText(t tensor, full bool) (text string) {
	defer func() {
		if recover() != nil { // the tensor was finalized
			text = ""
		}
	}()
	shape := reflect.ValueOf(t).MethodByName("Shape").Call(nil)[0]
	dims, ok := shape.FieldByName("Dimensions").Interface().([]int)
	if !ok || len(dims) != t.Rank() {
		return ""
	}
	text = fmt.Sprint(shape)
	if t.Size() == 0 || !full && t.Rank() > 0 {
		return text
	}
	err := t.ConstFlatData(func(flat any) {
		data := reflect.ValueOf(flat)
		if data.Len() != t.Size() { // several elements per byte
			text = ""
			return
		}
		e := excerpt{data: data, edge: 3}
		switch {
		case t.Size() <= 100:
			e.edge = 100
		case len(dims) > 3: // 7 lines per dimension would be too many
			e.edge = 1
		}
		e.print(dims, 0, 0) // determines the width of the elements
		e.b.Reset()
		e.print(dims, 0, 0)
		between := "\n"
		if len(dims) == 0 {
			between = " "
		}
		text += between + e.b.String()
	})
	if err != nil {
		return ""
	}
	return text
}

type excerpt struct {
	data  reflect.Value
	edge  int // number of elements at either end of a longer axis
	width int // of the widest element
	b     strings.Builder
}

// print prints the data from offset on with the dimensions dims.
func (e *excerpt) print(dims []int, offset, indent int) {
	if len(dims) == 0 {
		element := e.element(e.data.Index(offset))
		e.width = max(e.width, len(element))
		fmt.Fprintf(&e.b, "%*s", e.width, element)
		return
	}
	stride := 1
	for _, n := range dims[1:] {
		stride *= n
	}
	between := " "
	if len(dims) > 1 {
		between = strings.Repeat("\n", len(dims)-1) + strings.Repeat(" ", indent+1)
	}
	e.b.WriteString("[")
	for i := 0; i < dims[0]; i++ {
		if i > 0 {
			e.b.WriteString(between)
		}
		if i == e.edge && dims[0] > 2*e.edge {
			e.b.WriteString("...")
			e.b.WriteString(between)
			i = dims[0] - e.edge
		}
		e.print(dims[1:], offset+i*stride, indent+1)
	}
	e.b.WriteString("]")
}

func (e *excerpt) element(v reflect.Value) string {
	if v, ok := v.Interface().(interface{ Float32() float32 }); ok { // half precision
		return strconv.FormatFloat(float64(v.Float32()), 'g', 4, 32)
	}
	switch x := v.Interface().(type) {
	case float32, float64, complex64, complex128:
		return fmt.Sprintf("%.4g", x)
	default:
		return fmt.Sprint(x)
	}
}
