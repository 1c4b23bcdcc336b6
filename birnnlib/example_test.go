package birnnlib_test

import (
	"fmt"
	"log"

	"birnn/birnnlib"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Two sequences of three characters pass through two hidden layers, the first with different sizes forward and
// backward, and an output layer with one output for each of ten characters.
func Example() {
	characters := [][]int32{{0, 5}, {9, 3}, {1, 1}} // [time step, batch]
	params := model.NewStore()
	outputs, err := model.CallOnceN(gobackend.GetBackend(), params, func(scope *model.Scope, x *Node) []*Node {
		h, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 4, Backward: 2}, birnnlib.Sizes{Forward: 3, Backward: 3}).
			OneHot(10).Done()
		return []*Node{h, birnnlib.Output(scope, h, 10), final[0].Concat()}
	}, characters)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("H:", outputs[0].Shape())
	fmt.Println("O:", outputs[1].Shape())
	fmt.Println("final state of layer 1:", outputs[2].Shape())
	for v := range params.IterVariables() {
		fmt.Println(v.Path(), v.Shape().Dimensions)
	}
	// Output:
	// H: (Float32)[3, 2, 6]
	// O: (Float32)[3, 2, 10]
	// final state of layer 1: (Float32)[2, 6]
	// /layer_1/W_xh^f [10 4]
	// /layer_1/W_hh^f [4 4]
	// /layer_1/b_h^f [4]
	// /layer_1/W_xh^b [10 2]
	// /layer_1/W_hh^b [2 2]
	// /layer_1/b_h^b [2]
	// /layer_2/W_xh^f [6 3]
	// /layer_2/W_hh^f [3 3]
	// /layer_2/b_h^f [3]
	// /layer_2/W_xh^b [6 3]
	// /layer_2/W_hh^b [3 3]
	// /layer_2/b_h^b [3]
	// /W_hq [6 10]
	// /b_q [10]
}

// The first sequence has three time steps, the second one only one. The rest is padding: the outputs there are zero,
// and nothing else depends on it.
func ExampleBiRNN_Lengths() {
	characters := [][]int32{{0, 5}, {9, 0}, {1, 0}}
	h, err := model.CallOnce(gobackend.GetBackend(), model.NewStore(), func(scope *model.Scope, x, lengths *Node) *Node {
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 2, Backward: 2}).OneHot(10).Lengths(lengths).Done()
		return ConvertDType(NotEqual(ReduceMax(Abs(h), -1), ScalarZero(h.Graph(), h.DType())), dtypes.Int32)
	}, characters, []int32{3, 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("outputs other than zero:", h.Value())
	// Output: outputs other than zero: [[1 1] [1 0] [1 0]]
}
