package lesson

import (
	"math/rand/v2"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
)

func TestAutomaton(t *testing.T) {
	const T, n = 40, 50
	for _, test := range []struct {
		name string
		rule uint8
		K    int
		want func(x func(k int) bool) bool // of the cell, given those at a distance k
	}{
		{"nothing happens", 90, 0, func(x func(int) bool) bool { return x(0) }},
		{"exclusive or of the neighbours", 90, 1, func(x func(int) bool) bool { return x(-1) != x(1) }},
		{"twice: of those two away", 90, 2, func(x func(int) bool) bool { return x(-2) != x(2) }},
		{"four times: of those four away", 90, 4, func(x func(int) bool) bool { return x(-4) != x(4) }},
		{"l xor (c or r)", 30, 1, func(x func(int) bool) bool { return x(-1) != (x(0) || x(1)) }},
		{"twice", 30, 2, func(x func(int) bool) bool {
			l, c, r := x(-2) != (x(-1) || x(0)), x(-1) != (x(0) || x(1)), x(0) != (x(1) || x(2))
			return l != (c || r)
		}},
		{"the left neighbour", 240, 3, func(x func(int) bool) bool { return x(-3) }},
		{"the right neighbour", 170, 3, func(x func(int) bool) bool { return x(3) }},
		{"all die", 0, 1, func(func(int) bool) bool { return false }},
	} {
		xs, ys := Automaton(rand.New(rand.NewPCG(1, 1)), test.rule, test.K, T, n)
		x, y := tensors.MustCopyFlatData[float32](xs), tensors.MustCopyFlatData[int32](ys)
		if len(x) != T*n || len(y) != (T-2*test.K)*n {
			t.Fatalf("%s: %s and %s", test.name, xs.Shape(), ys.Shape())
		}
		ones := 0
		for i, got := range y {
			at := i + test.K*n
			if want := test.want(func(k int) bool { return x[at+k*n] == 1 }); want != (got == 1) || got&1 != got {
				t.Fatalf("rule %d, %d steps (%s): label %d is %d", test.rule, test.K, test.name, i, got)
			}
		}
		for _, v := range x {
			if v != -1 && v != 1 {
				t.Fatalf("a cell is %g", v)
			} else if v == 1 {
				ones++
			}
		}
		if ones < 900 || ones > 1100 { // four and a half standard deviations
			t.Errorf("%d of 2000 cells are 1", ones)
		}
	}
}
