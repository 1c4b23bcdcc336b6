package torch_test

import (
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/torch"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// What StackStates and SplitStates compute is compared with PyTorch's h_n and c_n in birnnlib's TestAgainstTorch.

func TestStatesErrors(t *testing.T) {
	type State = birnnlib.State
	both, forward := birnnlib.Sizes{Forward: 4, Backward: 4}, birnnlib.Sizes{Forward: 4}
	for _, test := range []struct {
		name string
		do   func(state func(dims ...int) *Node)
		want []string
	}{
		{"no layers", func(state func(dims ...int) *Node) { torch.StackStates(nil) }, []string{"0 layers"}},
		{"backward only", func(state func(dims ...int) *Node) { torch.StackStates([]State{{Backward: []*Node{state(2, 4)}}}) }, []string{"a forward direction"}},
		{"directions differ", func(state func(dims ...int) *Node) {
			torch.StackStates([]State{{Forward: []*Node{state(2, 4)}, Backward: []*Node{state(2, 3)}}})
		}, []string{"part 1 of the backward state of layer 1 is (Float32)[2, 3]", "(Float32)[2, 4]", "one size"}},
		{"layers differ", func(state func(dims ...int) *Node) {
			torch.StackStates([]State{{Forward: []*Node{state(2, 3), state(2, 4)}}, {Forward: []*Node{state(2, 3), state(2, 5)}}})
		}, []string{"part 2 of the forward state of layer 2 is (Float32)[2, 5]", "(Float32)[2, 4]"}},
		{"a layer has no backward direction", func(state func(dims ...int) *Node) {
			torch.StackStates([]State{{Forward: []*Node{state(2, 4)}, Backward: []*Node{state(2, 4)}}, {Forward: []*Node{state(2, 4)}}})
		}, []string{"layers 1 and 2", "backward"}},
		{"a layer has no forward direction", func(state func(dims ...int) *Node) {
			torch.StackStates([]State{{Forward: []*Node{state(2, 4)}, Backward: []*Node{state(2, 4)}}, {Backward: []*Node{state(2, 4)}}})
		}, []string{"forward state of layer 2 has 0 parts"}},
		{"another cell backward", func(state func(dims ...int) *Node) {
			torch.StackStates([]State{{Forward: []*Node{state(2, 4), state(2, 4)}, Backward: []*Node{state(2, 4)}}})
		}, []string{"backward state of layer 1 has 1 parts", "2"}},
		{"a cell with three states", func(state func(dims ...int) *Node) {
			torch.StackStates([]State{{Forward: []*Node{state(2, 4), state(2, 4), state(2, 4)}}})
		}, []string{"3 parts"}},
		{"nil", func(state func(dims ...int) *Node) { torch.StackStates([]State{{Forward: []*Node{state(2, 4), nil}}}) }, []string{"part 2 of the forward state of layer 1 is nil"}},

		{"no sizes", func(state func(dims ...int) *Node) { torch.SplitStates(nil, state(1, 2, 4), nil) }, []string{"one size"}},
		{"sizes differ by direction", func(state func(dims ...int) *Node) {
			torch.SplitStates([]birnnlib.Sizes{{Forward: 4, Backward: 3}}, state(2, 2, 4), nil)
		}, []string{"[4+3]", "one size"}},
		{"sizes differ by layer", func(state func(dims ...int) *Node) {
			torch.SplitStates([]birnnlib.Sizes{both, forward}, state(3, 2, 4), nil)
		}, []string{"one size"}},
		{"too few", func(state func(dims ...int) *Node) {
			torch.SplitStates([]birnnlib.Sizes{both, both}, state(2, 2, 4), nil)
		}, []string{"(Float32)[2, 2, 4]", "[4, n, 4]"}},
		{"another width", func(state func(dims ...int) *Node) { torch.SplitStates([]birnnlib.Sizes{forward}, state(1, 2, 3), nil) }, []string{"(Float32)[1, 2, 3]", "[1, n, 4]"}},
		{"another width of c", func(state func(dims ...int) *Node) {
			torch.SplitStates([]birnnlib.Sizes{forward}, state(1, 2, 3), state(1, 2, 3))
		}, []string{"(Float32)[1, 2, 3] and (Float32)[1, 2, 3]", "[1, n, 4]"}},
		{"h is wider than c", func(state func(dims ...int) *Node) {
			torch.SplitStates([]birnnlib.Sizes{forward}, state(1, 2, 5), state(1, 2, 4))
		}, []string{"(Float32)[1, 2, 5] and"}},
		{"another batch in c", func(state func(dims ...int) *Node) {
			torch.SplitStates([]birnnlib.Sizes{forward}, state(1, 2, 4), state(1, 3, 4))
		}, []string{"(Float32)[1, 3, 4]"}},
		{"without a batch", func(state func(dims ...int) *Node) { torch.SplitStates([]birnnlib.Sizes{forward}, state(1, 4), nil) }, []string{"(Float32)[1, 4]"}},
	} {
		_, err := CallOnce(gobackend.GetBackend(), func(x *Node) *Node {
			test.do(func(dims ...int) *Node { return Zeros(x.Graph(), shapes.Make(dtypes.Float32, dims...)) })
			return x
		}, float32(0))
		says(t, test.name, err, test.want)
	}
}
