package keep

import (
	"bufio"
	"bytes"
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
func again[T any](t *testing.T, value T) T {
	t.Helper()
	session(t)
	put(t, "x", value)
	nextCell()
	got, err := Get[T]("x")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func same[T any](t *testing.T, value T) {
	t.Helper()
	if got := again(t, value); !reflect.DeepEqual(value, got) {
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
	same(t, struct {
		A, B any
		C    []*point
	}{nil, (*point)(nil), nil}) // T's own types may be in interfaces
	same(t, time.Now().Round(0).UTC())
	same(t, sealed{9})
	same(t, []sealed{{1}, {2}})
	same(t, map[string]*sealed{"a": {1}, "b": nil})
	same(t, embedding{time.Unix(5, 6).UTC(), "birthday"}) // not only the time
	same(t, &tree{"root", &tree{Name: "left"}, &tree{"right", nil, &tree{Name: "leaf"}}})
	same(t, struct {
		All  []area
		Uses *square
	}{[]area{square{2}, nil, &square{3}}, nil})
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
	}{p, p, m, m, s, s, p})
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

// refused checks that value is not kept and that the error has the parts.
func refused[T any](t *testing.T, value T, parts ...string) {
	t.Helper()
	dir := session(t)
	err := Put("x", value)
	if err == nil {
		got, err := Get[T]("x")
		t.Errorf("%#v is kept and comes back as %#v (%v)", value, got, err)
		return
	}
	contains(t, err.Error(), append(parts, `keep.Put("x")`, "cannot be kept")...)
	if infos, err := kept.List(dir); len(infos) > 0 || err != nil {
		t.Errorf("and yet it is kept: %+v, %v", infos, err)
	}
	contains(t, panicOf(t, func() { Value("x", give(value)) }).Error(), append(parts, `keep.Value("x")`, "cannot be kept")...)
}

func TestRefused(t *testing.T) {
	refused(t, network{}, "keep.network", "Parts[].Layers[].cache (map[string]int) is unexported", "export it", "keep.unexported", "GobEncode")
	refused(t, make(chan int), "it is a chan int", "remove it from the type")
	refused(t, []func(){}, "[] is a func()")
	refused(t, struct{ F map[string]func() }{}, "F[] is a func()")
	refused(t, map[struct{ n int }]int{}, "[key].n (int) is unexported")
	refused(t, uintptr(0), "uintptr")
	refused(t, struct{ noMethods }{}, "noMethods", "unexported")
	refused(t, struct {
		*time.Time
		name string
	}{}, "name (string)", "unexported")
	session(t)
	err := panicOf(t, func() {
		Value("x", func() (chan int, error) { t.Error("computed before the error"); return nil, nil })
	})
	contains(t, err.Error(), "it is a chan int")

	refused(t, map[string]any{"k": square{1}}, "[k] is a keep.square in an interface", "instead of the interface")
	refused(t, struct{ S any }{[]any{unexported{cache: nil}}}, "S[0] is a keep.unexported in an interface")
	refused(t, []error{errors.New("x")}, "[0] is a *errors.errorString in an interface")
}

func TestTooDeep(t *testing.T) {
	var deep *tree
	for range deepest {
		deep = &tree{Left: deep}
	}
	refused(t, deep, "nested more than 100000 deep")
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
		if err := decode(bufio.NewReader(&b), reflect.ValueOf(&got).Elem()); err != nil {
			t.Error(err)
		}
		return reflect.DeepEqual(value, got)
	}
	if err := quick.Check(check, &quick.Config{MaxCount: 300, Rand: rand.New(rand.NewSource(1))}); err != nil {
		t.Error(err)
	}
}
