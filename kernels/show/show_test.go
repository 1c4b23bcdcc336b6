package show

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/big"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/dtypes/bfloat16"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/janpfeifer/gonb/gonbui/protocol"
	"gonum.org/v1/plot"

	"birnn/notebooks/kit/figure"
)

type (
	point  struct{ X, y int }
	colour string
	node   struct {
		Name string
		Next *node
	}
	broken   struct{ N int }
	secret   struct{ inner broken }
	sizes    []int
	document struct{}
	drawing  struct{}
	picture  struct{ err error }
	wrong    struct{}
)

func (broken) String() string            { panic("no text") }
func (s sizes) String() string           { return fmt.Sprintf("%d sizes", len(s)) }
func (document) HTML() string            { return "<b>一</b>" }
func (document) Markdown() string        { return "**一**" }
func (drawing) SVG() string              { return "<svg/>" }
func (drawing) String() string           { return "a drawing" }
func (p picture) PNG() ([]byte, error)   { return []byte("\x89PNG"), p.err }
func (wrong) HTML() string               { panic("no HTML") }
func (wrong) SVG() string                { return "<svg/>" }
func (wrong) WriterTo(int, string) error { return nil }

func TestText(t *testing.T) {
	loop := &node{Name: "a"}
	loop.Next = &node{Name: "b", Next: loop}
	ring := []any{1, nil}
	ring[1] = ring
	self := map[string]any{}
	self["self"] = self
	two := &node{Name: "two"}
	deep := any(1)
	for range 100 {
		deep = []any{deep}
	}
	for _, test := range []struct {
		value any
		want  string
	}{
		{nil, "<nil>"}, {(*node)(nil), "<nil>"}, {1, "1"}, {-1.5, "-1.5"}, {float32(0.1), "0.1"}, {1e100, "1e+100"}, {math.NaN(), "NaN"}, {true, "true"},
		{1 + 2i, "(1+2i)"}, {'a', "97"}, {"分\n\x00", `"分\n\x00"`}, {colour("red"), `"red"`}, {uintptr(7), "7"},
		{time.Second, "1s"}, {big.NewInt(7), "7"}, {*big.NewInt(7), "{neg:false abs:[7]}"}, {sizes{1, 2}, "2 sizes"},
		{errors.New("gone"), "error: gone"}, {fmt.Errorf("a: %w", os.ErrNotExist), "error: a: file does not exist"},
		{point{1, 2}, "{X:1 y:2}"}, {&point{1, 2}, "&{X:1 y:2}"}, {&[]*point{{}, nil}, "&[&{X:0 y:0} <nil>]"}, {struct{}{}, "{}"},
		{struct{ E error }{errors.New("e")}, "{E:e}"}, {struct{ any }{"x"}, `{any:"x"}`}, {secret{inner: broken{}}, "{inner:{N:0}}"},
		{[]int{}, "[]"}, {[]int(nil), "[]"}, {[]string{"a b", "c"}, `["a b" "c"]`}, {[2]bool{}, "[false false]"}, {[]any{1, "a", nil}, `[1 "a" <nil>]`},
		{map[string]int{"b": 2, "a": 1}, `map["a":1 "b":2]`}, {map[float64]bool{10: true, 9: false}, "map[9:false 10:true]"}, {map[int]int(nil), "map[]"},
		{map[any]int{"a": 1, 2: 2, nil: 3}, `map[<nil>:3 2:2 "a":1]`}, {map[point]int{{2, 1}: 1, {1, 2}: 2}, "map[{X:1 y:2}:2 {X:2 y:1}:1]"},
		{[]byte("ab\n"), `"ab\n"`}, {[]byte("语言"), `"语言"`}, {[]byte{0xff, 1}, "[255 1]"}, {[]byte{65, 66, 200}, "[65 66 200]"}, {[]byte("ab语")[:4], "[97 98 232 175]"}, {[]byte{}, "[]"},
		{func(int) string { return "" }, "func(int) string"}, {(func())(nil), "<nil>"}, {make(chan int), "chan int"},
		{loop, `&{Name:"a" Next:&{Name:"b" Next:…}}`}, {ring, "[1 …]"}, {self, `map["self":…]`}, {[]*node{two, two}, `[&{Name:"two" Next:<nil>} &{Name:"two" Next:<nil>}]`},
		{deep, strings.Repeat("[", mostLevels+1) + "…" + strings.Repeat("]", mostLevels+1)},
		{broken{1}, "%!v(PANIC=String method: no text)"}, {[]any{broken{1}, 2}, "[%!v(PANIC=String method: no text) 2]"},
		{image.NewGray(image.Rect(0, 0, 3, 2)), "*image.Gray, 3×2"}, {(*image.Gray)(nil), "<nil>"},
		{plot.New(), "*plot.Plot"},
	} {
		if got := textOf(test.value); got != test.want && !(test.want == "*plot.Plot" && strings.Contains(got, "Title")) {
			t.Errorf("%T: %s, want %s", test.value, got, test.want)
		}
	}
}

func TestTextIsBounded(t *testing.T) {
	large := map[int]string{}
	for i := range 100_000 {
		large[i] = "value"
	}
	wide := [][]string{}
	for range 200 {
		wide = append(wide, make([]string, 200))
	}
	words := strings.Repeat("词", 100_000)
	for _, test := range []struct {
		value any
		end   string
	}{
		{make([]int, 10_000), "0 … (10,000 elements)]"}, {large, `49:"value" … (100,000 elements)]`},
		{words, "… (300,000 bytes)"}, {[]byte(words), "… (300,000 bytes)"}, {errors.New(words), "… (300,000 bytes)"},
		{make([]byte, 1_000_000), "… (1,000,000 elements)]"}, {wide, "… (200 elements)]"}, {[][]string{{words, words}, {words}}, "…]"},
		{make([][1000][1000]point, 3), "]"}, {bytes.Repeat([]byte{0xff}, 300), "… (300 elements)]"},
	} {
		got := textOf(test.value)
		if !strings.HasSuffix(got, test.end) || len(got) > 5*mostBytes || strings.ToValidUTF8(got, "") != got {
			t.Errorf("%T: %d bytes, …%q, want …%q", test.value, len(got), got[max(0, len(got)-60):], test.end)
		}
	}
	exact := textOf(make([]int, mostElements))
	if strings.Count(exact, "0") != mostElements {
		t.Errorf("%d elements: %s", mostElements, exact)
	}
}

// TestLayout checks that long values are split into lines.
func TestLayout(t *testing.T) {
	matrix := [][]int{}
	for i := range 3 {
		matrix = append(matrix, []int{1000000 + i, 2000000, 3000000, 4000000})
	}
	type row struct {
		Name string
		Of   []string
	}
	long := strings.Repeat("x", 45)
	chinese := strings.Repeat("双向", 11) // 44 columns
	for _, test := range []struct {
		value any
		want  string
	}{
		{matrix, "[[1000000 2000000 3000000 4000000]\n [1000001 2000000 3000000 4000000]\n [1000002 2000000 3000000 4000000]]"},
		{row{long, []string{long}}, "{Name:\"" + long + "\"\n Of:[\"" + long + "\"]}"},
		{[]string{chinese, chinese}, "[\"" + chinese + "\"\n \"" + chinese + "\"]"},
		{[]row{{"a", []string{long, long}}}, "[{Name:\"a\"\n  Of:[\"" + long + "\"\n   \"" + long + "\"]}]"},
	} {
		if got := textOf(test.value); got != test.want {
			t.Errorf("%s\nwant\n%s", got, test.want)
		}
	}
	if got := textOf(make([]int, 60)); strings.Contains(got, "\n") {
		t.Errorf("numbers over several lines: %s", got)
	}
}

func TestTensors(t *testing.T) {
	large := tensors.FromShape(shapes.Make(dtypes.Float32, 1000, 7))
	tensors.MustMutableFlatData(large, func(flat []float32) {
		for i := range flat {
			flat[i] = float32(i)
		}
	})
	final := tensors.FromValue([]float32{1})
	final.MustFinalizeAll()
	for _, test := range []struct {
		value *tensors.Tensor
		want  string
	}{
		{tensors.FromScalar(float32(math.Pi)), "(Float32) 3.142"},
		{tensors.FromValue([]int64{1, -20, 300}), "(Int64)[3]\n[  1 -20 300]"},
		{tensors.FromValue([][]float64{{1, 2.5}, {1e-9, math.Inf(1)}}), "(Float64)[2, 2]\n[[    1   2.5]\n [1e-09  +Inf]]"},
		{tensors.FromValue([][][]bool{{{true}, {false}}, {{true}, {true}}}), "(Bool)[2, 2, 1]\n[[[ true]\n  [false]]\n\n [[ true]\n  [ true]]]"},
		{tensors.FromValue([]complex64{1, 2i}), "(Complex64)[2]\n[(1+0i) (0+2i)]"},
		{tensors.FromValue([]bfloat16.BFloat16{bfloat16.FromFloat32(1.5)}), "(BFloat16)[1]\n[1.5]"},
		{tensors.FromShape(shapes.Make(dtypes.Float32, 0, 3)), "(Float32)[0, 3]"},
		{large, "(Float32)[1000, 7]\n[[   0    1    2 ...    4    5    6]\n [   7    8    9 ...   11   12   13]\n [  14   15   16 ...   18   19   20]\n ...\n" +
			" [6979 6980 6981 ... 6983 6984 6985]\n [6986 6987 6988 ... 6990 6991 6992]\n [6993 6994 6995 ... 6997 6998 6999]]"},
		{nil, "<nil>"},
	} {
		if got := textOf(test.value); got != test.want {
			t.Errorf("%s\nwant\n%s", got, test.want)
		}
	}
	for _, shape := range []shapes.Shape{
		shapes.Make(dtypes.Float32, 50, 50, 50), shapes.Make(dtypes.Float32, 9, 9, 9, 9, 9, 9), shapes.Make(dtypes.Int8, 1, 2, 1, 2, 1, 2, 1, 2),
	} {
		got := textOf(tensors.FromShape(shape))
		if len(got) > 20_000 || !strings.HasPrefix(got, shape.String()+"\n[[[") || strings.Count(got, "[")-strings.Count(got, "]") != 0 {
			t.Errorf("%s: %d bytes: %.300s", shape, len(got), got)
		}
	}
	if got := textOf(tensors.FromShape(shapes.Make(dtypes.Int4, 3))); !strings.Contains(got, "Int4") {
		t.Errorf("packed: %s", got)
	}
	if got := textOf(final); !strings.Contains(got, "PANIC") {
		t.Errorf("finalized: %s", got)
	}
	params := map[string]*tensors.Tensor{"w": large, "loss": tensors.FromScalar(float32(2)), "none": nil}
	if got, want := textOf(params), `map["loss":(Float32) 2 "none":<nil> "w":(Float32)[1000, 7]]`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	store := model.NewStore()
	if _, err := store.CreateVariable("w", large); err != nil {
		t.Fatal(err)
	}
	if got, want := textOf(store), "*model.Store: 1 variables with 7,000 parameters"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestForms(t *testing.T) {
	curves := &figure.Curves{Title: "训练", X: "epoch", Y: "loss"}
	for _, test := range []struct {
		value any
		want  map[protocol.MIMEType]string // a part of each
	}{
		{1, map[protocol.MIMEType]string{protocol.MIMETextPlain: "1"}},
		{document{}, map[protocol.MIMEType]string{protocol.MIMETextPlain: "{}", protocol.MIMETextHTML: "<b>一</b>", protocol.MIMETextMarkdown: "**一**"}},
		{drawing{}, map[protocol.MIMEType]string{protocol.MIMETextPlain: "a drawing", protocol.MIMEImageSVG: "<svg/>"}},
		{picture{}, map[protocol.MIMEType]string{protocol.MIMETextPlain: "{err:<nil>}", protocol.MIMEImagePNG: "PNG"}},
		{picture{errors.New("no ink")}, map[protocol.MIMEType]string{protocol.MIMETextPlain: "no picture: no ink"}},
		{curves, map[protocol.MIMEType]string{protocol.MIMETextPlain: "no picture"}}, // has no points
		{wrong{}, map[protocol.MIMEType]string{protocol.MIMETextPlain: "PANIC=HTML method: no HTML", protocol.MIMEImageSVG: "<svg/>"}},
		{image.NewRGBA(image.Rect(0, 0, 5, 4)), map[protocol.MIMEType]string{protocol.MIMETextPlain: "*image.RGBA, 5×4", protocol.MIMEImagePNG: "PNG"}},
		{image.NewRGBA(image.Rectangle{}), map[protocol.MIMEType]string{protocol.MIMETextPlain: "no picture"}},
		{(*image.RGBA)(nil), map[protocol.MIMEType]string{protocol.MIMETextPlain: "<nil>"}},
		{(*plot.Plot)(nil), map[protocol.MIMEType]string{protocol.MIMETextPlain: "<nil>"}},
		{plot.New(), map[protocol.MIMEType]string{protocol.MIMETextPlain: "", protocol.MIMEImagePNG: "PNG"}},
	} {
		got := forms(test.value)
		for mime, want := range test.want {
			if !strings.Contains(fmt.Sprintf("%s", got[mime]), want) {
				t.Errorf("%T as %s: %.200q, want %q", test.value, mime, got[mime], want)
			}
		}
		if len(got) != len(test.want) {
			t.Errorf("%T has %d forms, want %d", test.value, len(got), len(test.want))
		}
	}
	config, err := png.DecodeConfig(bytes.NewReader(forms(plot.New())[protocol.MIMEImagePNG].([]byte)))
	if err != nil || config.Width < 600 || config.Height < 350 {
		t.Errorf("a plot of %d×%d (%v)", config.Width, config.Height, err)
	}
}

func TestVegaLite(t *testing.T) {
	for _, spec := range []any{"{", "[1]", "null", func() {}, []byte("3"), nil, math.Inf(1)} {
		if err := VegaLite(spec); err == nil || !regexp.MustCompile("^show.VegaLite: ").MatchString(err.Error()) {
			t.Errorf("%v is taken for a chart (%v)", spec, err)
		}
	}
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", -1000: "-1,000", -999: "-999", 1234567: "1,234,567"} {
		if got := thousands(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
