package text

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func ExampleConsecutive() {
	// 0 … 12 in two rows of six; the last number has no place in them.
	indices := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}
	batches, err := Consecutive(indices, 2, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	for batch := range batches {
		fmt.Println(batch.X, batch.Y)
	}
	// Output:
	// [0 6 1 7] [1 7 2 8]
	// [2 8 3 9] [3 9 4 10]
}

// d2l_samplers.json is written by d2l_samplers.py.
//
//go:embed testdata/d2l_samplers.json
var referenceJSON []byte

type reference struct {
	Cases []struct {
		Length, Batch, Steps int
		Text                 []int32
		Order                []int
		Random, Consecutive  []referenceBatch
	}
	Counts []struct{ Length, Batch, Steps, Random, Consecutive int }
}

// referenceBatch has the sequences as rows.
type referenceBatch struct{ X, Y [][]int32 }

func loadReference(t *testing.T) reference {
	t.Helper()
	var r reference
	if err := json.Unmarshal(referenceJSON, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Cases) == 0 || len(r.Counts) == 0 {
		t.Fatal("the reference is empty")
	}
	return r
}

// rows returns a batch's X and Y as the reference has them.
func rows(batch Batch) referenceBatch {
	turn := func(flat []int32) [][]int32 {
		rows := make([][]int32, batch.Size)
		for i, index := range flat {
			rows[i%batch.Size] = append(rows[i%batch.Size], index)
		}
		return rows
	}
	return referenceBatch{turn(batch.X), turn(batch.Y)}
}

func checkBatches(t *testing.T, got []Batch, want []referenceBatch, size, steps int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%d batches, want %d", len(got), len(want))
	}
	for i, batch := range got {
		if batch.Size != size || batch.Steps != steps || len(batch.X) != size*steps || len(batch.Y) != size*steps {
			t.Fatalf("batch %d: Size %d, Steps %d, %d and %d indices; want %d and %d",
				i, batch.Size, batch.Steps, len(batch.X), len(batch.Y), size, steps)
		}
		if g, w := fmt.Sprint(rows(batch)), fmt.Sprint(want[i]); g != w {
			t.Errorf("batch %d: got %s, want %s", i, g, w)
		}
	}
}

func TestSamplersAgainstReference(t *testing.T) {
	for _, c := range loadReference(t).Cases {
		t.Run(fmt.Sprintf("%d characters, batch %d, steps %d", c.Length, c.Batch, c.Steps), func(t *testing.T) {
			t.Run("random", func(t *testing.T) {
				checkBatches(t, slices.Collect(deal(c.Text, c.Batch, c.Steps, c.Order)), c.Random, c.Batch, c.Steps)
			})
			t.Run("consecutive", func(t *testing.T) {
				batches, err := Consecutive(c.Text, c.Batch, c.Steps)
				if len(c.Consecutive) == 0 {
					if err == nil {
						t.Fatal("no error, though the reference has no batch")
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				for range 2 { // the same batches each time
					checkBatches(t, slices.Collect(batches), c.Consecutive, c.Batch, c.Steps)
				}
			})
		})
	}
}

func TestBatchCountsAgainstReference(t *testing.T) {
	for _, c := range loadReference(t).Counts {
		indices := make([]int32, c.Length)
		consecutive, consecutiveErr := Consecutive(indices, c.Batch, c.Steps)
		random, randomErr := Random(indices, c.Batch, c.Steps, newRand())
		for _, test := range []struct {
			name    string
			batches iter.Seq[Batch]
			err     error
			count   int
			want    int
		}{
			{"consecutive", consecutive, consecutiveErr, ConsecutiveBatches(c.Length, c.Batch, c.Steps), c.Consecutive},
			{"random", random, randomErr, RandomBatches(c.Length, c.Batch, c.Steps), c.Random},
		} {
			id := fmt.Sprintf("%s, %d characters, batch %d, steps %d", test.name, c.Length, c.Batch, c.Steps)
			if test.count != test.want {
				t.Errorf("%s: the count is %d, want %d", id, test.count, test.want)
			}
			if (test.err == nil) != (test.want > 0) {
				t.Errorf("%s: error %v, want %d batches", id, test.err, test.want)
			}
			if test.err != nil {
				continue
			}
			if got := len(slices.Collect(test.batches)); got != test.want {
				t.Errorf("%s: %d batches, want %d", id, got, test.want)
			}
		}
	}
}

// TestRandomDealsEveryExampleOnce checks what the order must not change: each
// sequence is an example, none comes twice, each label is the next character.
func TestRandomDealsEveryExampleOnce(t *testing.T) {
	const length, size, steps = 113, 4, 5
	indices := make([]int32, length)
	for i := range indices {
		indices[i] = int32(i) // an index says where it is from
	}
	batches, err := Random(indices, size, steps, newRand())
	if err != nil {
		t.Fatal(err)
	}
	var orders [][]int32
	for range 2 {
		var starts []int32
		for batch := range batches {
			for b, x := range rows(batch).X {
				starts = append(starts, x[0])
				y := rows(batch).Y[b]
				if x[0]%steps != 0 {
					t.Errorf("sequence %v does not start at a multiple of %d", x, steps)
				}
				for i := range x {
					if x[i] != x[0]+int32(i) || y[i] != x[i]+1 {
						t.Errorf("sequence %v with labels %v", x, y)
					}
				}
			}
		}
		sorted := slices.Sorted(slices.Values(starts))
		if distinct := len(slices.Compact(sorted)); distinct != len(starts) {
			t.Errorf("of %d sequences only %d are distinct", len(starts), distinct)
		}
		if want := (length - 1) / steps / size * size; len(starts) != want {
			t.Errorf("%d sequences, want %d", len(starts), want)
		}
		if slices.IsSorted(starts) {
			t.Error("the sequences come in the order of the text")
		}
		orders = append(orders, starts)
	}
	if slices.Equal(orders[0], orders[1]) {
		t.Error("two passes have the same order")
	}
	again, err := Random(indices, size, steps, newRand())
	if err != nil {
		t.Fatal(err)
	}
	first := rows(slices.Collect(again)[0]).X[0][0]
	if first != orders[0][0] {
		t.Errorf("the same seed starts with example %d, then with %d", orders[0][0], first)
	}
}

// TestSamplersStop checks that a loop may be left, and that a batch belongs to
// its receiver.
func TestSamplersStop(t *testing.T) {
	indices := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8}
	consecutive, err := Consecutive(indices, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	random, err := Random(indices, 1, 2, newRand())
	if err != nil {
		t.Fatal(err)
	}
	for name, batches := range map[string]iter.Seq[Batch]{"consecutive": consecutive, "random": random} {
		n := 0
		for batch := range batches {
			clear(batch.X)
			clear(batch.Y)
			if n++; n == 2 {
				break
			}
		}
		if n != 2 {
			t.Errorf("%s: %d batches before the break", name, n)
		}
	}
	if want := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8}; !slices.Equal(indices, want) {
		t.Errorf("writing to a batch changed the text to %v", indices)
	}
}

func TestSamplerErrors(t *testing.T) {
	for _, test := range []struct {
		length, batch, steps int
		consecutive, random  []string // what the error says; none wanted if empty
	}{
		{0, 1, 1, []string{"0 characters", "needs 2"}, []string{"0 characters", "needs 2"}},
		{1151, 32, 35, []string{"1151 characters", "32 sequences of 35 steps", "needs 1152", "smaller batch"}, nil},
		{1152, 32, 35, nil, nil},
		{1121, 32, 35, []string{"needs 1152"}, nil},
		{1120, 32, 35, []string{"needs 1152"}, []string{"1120 characters", "32 sequences of 35 steps", "needs 1121", "fewer steps"}},
		{10, 0, 1, []string{"batch size is 0"}, []string{"batch size is 0"}},
		{10, 1, -3, []string{"steps is -3"}, []string{"steps is -3"}},
		{10, math.MaxInt, math.MaxInt, []string{"10 characters"}, []string{"10 characters"}},
		{10, 1, math.MaxInt, []string{"10 characters"}, []string{"10 characters"}},
	} {
		indices := make([]int32, test.length)
		_, err := Consecutive(indices, test.batch, test.steps)
		checkError(t, fmt.Sprintf("consecutive, %d, %d, %d", test.length, test.batch, test.steps), err, test.consecutive)
		_, err = Random(indices, test.batch, test.steps, newRand())
		checkError(t, fmt.Sprintf("random, %d, %d, %d", test.length, test.batch, test.steps), err, test.random)
	}
	_, err := Random(make([]int32, 10), 1, 1, nil)
	checkError(t, "random without a source", err, []string{"random source is nil"})
	for _, size := range []int{0, -1} {
		for _, got := range []int{
			ConsecutiveBatches(10, size, 1), ConsecutiveBatches(10, 1, size), ConsecutiveBatches(size, 1, 1),
			RandomBatches(10, size, 1), RandomBatches(10, 1, size), RandomBatches(size, 1, 1),
		} {
			if got != 0 {
				t.Errorf("a size of %d makes %d batches", size, got)
			}
		}
	}
}

// checkError checks that err says each of want, or is nil if want is empty.
func checkError(t *testing.T, what string, err error, want []string) {
	t.Helper()
	if (err != nil) != (len(want) > 0) {
		t.Errorf("%s: error %v, want one that says %q", what, err, want)
		return
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%s: %q does not say %q", what, err, w)
		}
	}
}

func newRand() *rand.Rand { return rand.New(rand.NewPCG(1, 2)) }
