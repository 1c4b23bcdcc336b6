package show

import (
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

type point struct{ X, y int }

type node struct {
	Name string
	Next *node
}

type bad struct{}

func (bad) String() string { panic("broken") }

func TestText(t *testing.T) {
	loop := &node{Name: "a"}
	loop.Next = loop
	var none *node
	for _, c := range []struct {
		value any
		want  string
	}{
		{1, "1"}, {1.5, "1.5"}, {"分\n", `"分\n"`}, {true, "true"}, {nil, "<nil>"}, {none, "<nil>"},
		{point{1, 2}, "{X:1 y:2}"}, {&point{1, 2}, "&{X:1 y:2}"}, {[]int{1, 2}, "[1 2]"}, {[]string{"a"}, `["a"]`}, {[2]bool{}, "[false false]"},
		{map[string]int{"b": 2, "a": 1}, `map["a":1 "b":2]`}, {errors.New("gone"), "gone"}, {time.Second, "1s"}, {big.NewInt(7), "7"},
		{loop, `&{Name:"a" Next:&…}`}, {bad{}, "(its method panicked: broken)"}, {[]any{1, "a", nil}, `[1 "a" <nil>]`}, {complex(1, 2), "(1+2i)"},
		{struct{ E error }{errors.New("e")}, "{E:e}"}, {make([]int, 1000), "… (1000 elements)]"}, {strings.Repeat("x", 20000), "… (20002 bytes)"},
		{[]byte("ab"), "[97 98]"}, {func() {}, "0x"},
	} {
		got := text(c.value)
		if got != c.want && !(len(c.want) > 10 && strings.HasSuffix(got, c.want)) && !(c.want == "0x" && strings.HasPrefix(got, c.want)) {
			t.Errorf("%T: got %q, want %q", c.value, got, c.want)
		}
		if len(got) > mostText+100 {
			t.Errorf("%T: %d bytes", c.value, len(got))
		}
	}
}

func TestTensor(t *testing.T) {
	got := text(tensors.FromValue([][]float32{{1, 2}, {3, 4}}))
	for _, want := range []string{"float32", "2", "1", "4"} {
		if !strings.Contains(strings.ToLower(got), want) {
			t.Errorf("%q lacks %q", got, want)
		}
	}
	if big := text(tensors.FromShape(shapes.Make(dtypes.Float32, 1000, 1000))); len(big) > mostText+100 {
		t.Errorf("a large tensor is shown by %d bytes", len(big))
	}
}

func TestVegaLiteErrors(t *testing.T) {
	for _, spec := range []any{"{", "[1]", func() {}} {
		if err := VegaLite(spec); err == nil {
			t.Errorf("%v is taken for a chart", spec)
		}
	}
}

// Outside a notebook, the text is printed.
func ExampleResult() {
	Result(1 + 2)
	Result("分开", nil)
	Result(0, errors.New("no such number"))
	Result(nil)
	// Output:
	// 3
	// "分开"
	// 0
	// no such number
}

func ExampleVegaLite() {
	err := VegaLite(map[string]any{
		"title": "perplexity", "data": map[string]any{"values": []map[string]float64{{"epoch": 1, "perplexity": 900}}},
		"mark": "line", "encoding": map[string]any{"x": map[string]string{"field": "epoch"}, "y": map[string]string{"field": "perplexity"}},
	})
	fmt.Println(err)
	// Output:
	// a chart: perplexity
	// <nil>
}
