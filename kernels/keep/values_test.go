package keep

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand"
	"reflect"
	"testing"
	"testing/quick"
	"time"

	"birnn/kernels/internal/kept"
)

type (
	point  struct{ X, Y float64 }
	area   interface{ Area() float64 }
	square struct{ Side float64 }
	tree   struct {
		Name        string
		Left, Right *tree
	}
	all struct {
		Weights [][]float32
		Names   map[string][]int
		Best    *point
		When    time.Time
		Big     *big.Int
		Any     any
		Fixed   [3]complex128
		Texts   [2]string
		Empty   [0]int
		Set     map[point]struct{}
		_       int
	}
	unexported struct{ cache map[string]int }
	layers     struct{ Layers []unexported }
	network    struct{ Parts map[string]*layers }
	sealed     struct{ secret int }
	embedding  struct {
		time.Time
		Name string
	}
	list      []list
	noMethods struct{ Name string }
	blank     struct{ _ int }
)

func (s square) Area() float64              { return s.Side * s.Side }
func (s sealed) GobEncode() ([]byte, error) { return []byte{byte(s.secret)}, nil }
func (s *sealed) GobDecode(b []byte) error {
	if len(b) != 1 {
		return fmt.Errorf("%d bytes", len(b))
	}
	s.secret = int(b[0])
	return nil
}

// again keeps value and returns the value that the next cell gets.
func again[T any](t *testing.T, value T, options ...Option) T {
	t.Helper()
	session(t)
	Value("x", give(value), options...)
	nextCell()
	return Value("x", never[T](t), options...)
}

func same[T any](t *testing.T, value T, options ...Option) {
	t.Helper()
	if got := again(t, value, options...); !reflect.DeepEqual(value, got) {
		t.Errorf("%#v came back as %#v", value, got)
	}
}

func TestValues(t *testing.T) {
	zero := 0
	same(t, 7)
	same(t, "")
	same(t, "语言\x00\xff")
	same(t, math.Inf(-1))
	same(t, time.Duration(5))
	same(t, []string(nil))
	same(t, []string{})
	same(t, map[string]int(nil))
	same(t, map[string]int{})
	same(t, map[string][]byte{"nil": nil, "empty": {}, "some": {1}})
	same(t, map[point][]byte{{1, 2}: {3}, {}: nil})
	same(t, map[[2]string]bool{{"a", "b"}: true})
	same(t, map[string]struct{}{"a": {}, "b": {}})
	same(t, make([]struct{}, 1000))
	same(t, make([]blank, 1000))
	same(t, make([]string, 1000))
	same(t, make([]*point, 1000))
	same(t, (*point)(nil))
	same(t, &point{})
	same(t, &zero)
	same(t, []*int{nil, &zero})
	same(t, any(nil))
	same(t, any("some"))
	same(t, any([]int{1}))
	same(t, struct{ A, B any }{nil, (*point)(nil)}, Types(&point{}))
	same(t, time.Now().Round(0).UTC())
	same(t, sealed{9})
	same(t, []sealed{{1}, {2}})
	same(t, map[string]*sealed{"a": {1}, "b": nil})
	same(t, embedding{time.Unix(5, 6).UTC(), "birthday"}) // not only the time
	same(t, &tree{"root", &tree{Name: "left"}, &tree{"right", nil, &tree{Name: "leaf"}}})
	same(t, []area{square{2}, nil, &square{3}}, Types(square{}, &square{}))
	same(t, struct {
		All  []any
		Uses tree
	}{[]any{tree{Name: "of T"}}, tree{}}) // T's own types need not be named
	same(t, [2][2]bool{{true}, {false, true}})
	same(t, list{{}, nil, {{}, {}}})
	same(t, all{
		Weights: [][]float32{{1, 2}, {}, nil}, Names: map[string][]int{"名": {1}, "": {}}, Best: &point{1, 0}, When: time.Unix(1, 2).UTC(),
		Big: new(big.Int).Exp(big.NewInt(3), big.NewInt(200), nil), Any: int8(3), Fixed: [3]complex128{1i, 0, 2},
		Texts: [2]string{"a", "b"}, Set: map[point]struct{}{{1, 1}: {}},
	})
	var parsed any
	if err := json.Unmarshal([]byte(`{"a":[],"b":{},"c":[1,"x",null,{"d":[true,2.5]}]}`), &parsed); err != nil {
		t.Fatal(err)
	}
	same(t, parsed)
}

// TestBits checks what reflect.DeepEqual ignores.
func TestBits(t *testing.T) {
	for _, bits := range []uint64{1 << 63, 0x7ff8000000000123, 0xfff0000000000001, 0x7ff0000000000001, 1} {
		x := math.Float64frombits(bits)
		got := again(t, struct {
			F float64
			S []float64
			A any
			M map[string]float64
			C complex128
		}{x, []float64{x}, x, map[string]float64{"": x}, complex(x, x)})
		for _, y := range []float64{got.F, got.S[0], got.A.(float64), got.M[""], real(got.C), imag(got.C)} {
			if math.Float64bits(y) != bits {
				t.Errorf("%x came back as %x", bits, math.Float64bits(y))
			}
		}
	}
	if x := math.Float32frombits(0x7f800001); math.Float32bits(again(t, []float32{x})[0]) != 0x7f800001 {
		t.Error("a signalling NaN is quiet now")
	}
	if got := again(t, map[float64]int{math.NaN(): 1, 2: 3}); len(got) != 2 || got[2] != 3 {
		t.Errorf("%v", got)
	}
}

func TestSharing(t *testing.T) {
	p, m, s := &point{1, 2}, map[string]int{"a": 1}, []int{1, 2}
	got := again(t, struct {
		P, Q *point
		M, N map[string]int
		S, R []int
		A    any
	}{p, p, m, m, s, s, p}, Types(p))
	got.P.X, got.M["a"], got.S[0] = 7, 8, 9
	if got.Q.X != 7 || got.N["a"] != 8 || got.R[0] != 9 || got.A != any(got.P) {
		t.Errorf("no longer the same: %+v", got)
	}
	keys := again(t, struct {
		Of map[*point]string
		To []*point
	}{map[*point]string{p: "p"}, []*point{p, {1, 2}}})
	if keys.Of[keys.To[0]] != "p" || keys.Of[keys.To[1]] != "" {
		t.Errorf("%+v", keys)
	}
	empty := []string{}
	if two := again(t, [2][]string{empty, empty}); two[0] == nil || len(two[0]) != 0 || two[1] == nil {
		t.Errorf("%#v", two)
	}

	cycle := &tree{Name: "a"}
	cycle.Right = &tree{Name: "b", Left: cycle}
	if got := again(t, cycle); got.Right.Left != got || got.Right.Name != "b" {
		t.Errorf("not a cycle: %+v", got)
	}
	ring := make([]any, 2)
	ring[1] = ring
	if got := again(t, ring); &got[1].([]any)[0] != &got[0] {
		t.Error("not a ring")
	}
	self := map[string]any{}
	self["self"] = self
	got2 := again(t, self)
	got2["new"] = 1
	if got2["self"].(map[string]any)["new"] != 1 {
		t.Error("not in itself")
	}
	loop := list{nil}
	loop[0] = loop
	if got := again(t, loop); &got[0][0] != &got[0] {
		t.Error("not a loop")
	}
	var deep *tree
	for range deepest / 3 {
		deep = &tree{Left: deep}
	}
	n := 0
	for x := again(t, deep); x != nil; x = x.Left {
		n++
	}
	if n != deepest/3 {
		t.Errorf("%d deep", n)
	}
}

// refused checks that value is not kept, that the error has the parts, and whether f was called.
func refused[T any](t *testing.T, value T, after bool, parts ...string) {
	t.Helper()
	dir := session(t)
	computed := false
	err := panicOf(t, func() { Value("x", func() (T, error) { computed = true; return value, nil }) })
	if err == nil {
		nextCell()
		t.Errorf("%#v is kept and comes back as %#v", value, Value("x", never[T](t)))
		return
	}
	contains(t, err.Error(), append(parts, `keep.Value("x")`, "cannot be kept")...)
	if computed != after {
		t.Errorf("computed before the error: %t (%v)", computed, err)
	}
	if infos, err := kept.List(dir); len(infos) > 0 || err != nil {
		t.Errorf("and yet it is kept: %+v, %v", infos, err)
	}
}

func TestRefused(t *testing.T) {
	refused(t, network{}, false, "keep.network", "Parts[].Layers[].cache (map[string]int) is unexported", "export it", "keep.unexported", "GobEncode")
	refused(t, make(chan int), false, "it is a chan int", "remove it from the type")
	refused(t, []func(){}, false, "[] is a func()")
	refused(t, struct{ F map[string]func() }{}, false, "F[] is a func()")
	refused(t, map[struct{ n int }]int{}, false, "[key].n (int) is unexported")
	refused(t, uintptr(0), false, "uintptr")
	refused(t, struct{ noMethods }{}, false, "noMethods", "unexported")
	refused(t, struct {
		*time.Time
		name string
	}{}, false, "name (string)", "unexported")

	refused(t, any(struct{ x int }{1}), true, "x (int) is unexported")
	refused(t, struct{ S any }{[]any{unexported{cache: nil}}}, true, "S[0].cache", "unexported")
	refused(t, map[string]any{"k": square{1}}, true, "[k] is a keep.square in an interface", "keep.Types")
	refused(t, []error{errors.New("x")}, true, "[0].s (string) is unexported", "errors.errorString")
}

func TestTooDeep(t *testing.T) {
	var deep *tree
	for range deepest {
		deep = &tree{Left: deep}
	}
	refused(t, deep, true, "nested more than 100000 deep")
}

// The definition of a type in an interface may change, like that of T.
func TestChangedInInterface(t *testing.T) {
	session(t)
	func() {
		type part struct{ A int }
		Value("x", give([]any{part{1}}), Types(part{}))
	}()
	type part struct{ A, B int }
	nextCell()
	text := said(t, func() { Value("x", give([]any{part{1, 2}}), Types(part{})) })
	contains(t, text, `"x"`, "computing it again", "definition has changed")
	nextCell()
	Value("x", never[[]any](t), Types(part{}))
}

type random struct {
	B bool
	I []int16
	U [2]uint32
	F []float64
	C *complex64
	S []string
	M map[string]*random
	P **int8
	Q struct{ X, Y []byte }
}

func TestRandom(t *testing.T) {
	check := func(value []random) bool {
		var b bytes.Buffer
		v := reflect.ValueOf(&value).Elem()
		if err := encode(&b, v); err != nil {
			t.Error(err)
		}
		var got []random
		if err := decode(bytes.NewReader(b.Bytes()), int64(b.Len()), reflect.ValueOf(&got).Elem()); err != nil {
			t.Error(err)
		}
		return reflect.DeepEqual(value, got)
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 300, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}

// FuzzDecode decodes damaged data: the result is an error or another value, but never a crash or a huge allocation.
func FuzzDecode(f *testing.F) {
	type mixed struct {
		R []random
		A any
		T *tree
		L list
		E sealed
		Z []struct{}
	}
	for _, value := range []mixed{{}, {[]random{{I: []int16{1}, S: []string{"x"}}}, []any{1, "a"}, &tree{Left: &tree{}}, list{{}, nil}, sealed{1}, nil}} {
		var b bytes.Buffer
		if err := encode(&b, reflect.ValueOf(&value).Elem()); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Add(bytes.Repeat([]byte{isNew}, 1000))
	f.Add(binary.AppendUvarint([]byte{isNew}, math.MaxUint64))
	f.Fuzz(func(t *testing.T, data []byte) {
		var value mixed
		if decode(bytes.NewReader(data), int64(len(data)), reflect.ValueOf(&value).Elem()) != nil {
			return
		}
		var b bytes.Buffer
		if err := encode(&b, reflect.ValueOf(&value).Elem()); err != nil {
			t.Error(err)
		}
	})
}
