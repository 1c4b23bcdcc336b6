package birnnlib_test

import (
	"fmt"
	"log"
	"strings"

	"birnn/birnnlib"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// A decoder reads its own output: it spells a word, given its number. Each time step passes the likeliest letter on to the
// next one (greedy decoding). While the decoder learns, the right letter takes its place (teacher forcing).
func ExampleScan_decoder() {
	words, letters := []string{"tea", "ten", "net", "eat"}, "aent"
	const start, q, T, h = 4, 5, 3, 16 // start stands for the letter before the first

	// decoder returns the scores of the letters, [T, n, q], and the letters passed on, [T, n], for the words' numbers [n].
	decoder := func(scope *model.Scope, word *Node, right ...*Node) (o, passed *Node) {
		weight := func(name string, dims ...int) *Node {
			return scope.VariableWithShape(name, shapes.Make(dtypes.Float32, dims...)).NodeValue(word)
		}
		H0, wxh, whh, whq := weight("H_0", len(words), h), weight("W_xh", q, h), weight("W_hh", h, h), weight("W_hq", h, q)
		step := func(before, at []*Node) (after, results []*Node) {
			H, letter := before[0], before[1]
			H = Tanh(Add(Gather(wxh, InsertAxes(letter, -1)), Dot(H, whh).Product()))
			o := Dot(H, whq).Product()
			next := ArgMax(o, -1, dtypes.Int32)
			if len(at) > 0 {
				next = at[0]
			}
			return []*Node{H, next}, []*Node{o, next}
		}
		initial := []*Node{Gather(H0, InsertAxes(word, -1)), AddScalar(ZerosLike(word), start)}
		_, results := birnnlib.Scan(step, initial, right...).Steps(T).Done()
		return results[0], results[1]
	}

	numbers, y := []int32{0, 1, 2, 3}, make([][]int32, T) // y[t][i] is letter t of word i
	for t := range y {
		for _, word := range words {
			y[t] = append(y[t], int32(strings.IndexByte(letters, word[t])))
		}
	}
	params := model.NewStore()
	if err := params.SetRNGStateFromSeed(1); err != nil {
		log.Fatal(err)
	}
	learn := model.MustNewExec(gobackend.GetBackend(), params, func(scope *model.Scope, word, y *Node) *Node {
		o, _ := decoder(scope, word, y)
		l := birnnlib.CrossEntropy(o, y)
		optimizer.Adam().LearningRate(0.05).Done().UpdateGraph(scope, word.Graph(), l)
		return l
	})
	for range 100 {
		learn.MustCall(numbers, y)
	}
	spell := model.MustNewExec(gobackend.GetBackend(), params, func(scope *model.Scope, word *Node) *Node {
		_, passed := decoder(scope, word)
		return passed
	})
	passed := spell.MustCall1(numbers).Value().([][]int32)
	for i := range words {
		for t := range T {
			fmt.Print(letters[passed[t][i] : passed[t][i]+1])
		}
		fmt.Print(" ")
	}
	// Output: tea ten net eat
}
