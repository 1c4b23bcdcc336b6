package torch

import (
	"slices"

	"birnn/birnnlib"

	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// StackStates returns the states of all layers, such as the final ones that [birnnlib.BiRNN.Done] returns, as PyTorch's h_n
// and c_n: [layers·directions, n, r] and [layers·directions, n, h], layer by layer, and in each forward before backward.
// Only an LSTM has c, which else is nil; r is h, or the width of its projection.
//
// It panics if PyTorch cannot hold the states together: with different sizes, without a forward direction, with two
// directions in some layers only, or with a part that is nil.
func StackStates(states []birnnlib.State) (h, c *Node) {
	if len(states) == 0 || len(states[0].Forward) == 0 {
		Panicf("torch.StackStates: there are %d layers of states; PyTorch needs one at least, and all with a forward direction", len(states))
	}
	first := states[0]
	var parts [2][]*Node
	for l, s := range states {
		if (len(s.Backward) > 0) != (len(first.Backward) > 0) {
			Panicf("torch.StackStates: only one of layers 1 and %d has a backward direction; in PyTorch all layers have, or none", l+1)
		}
		for i, direction := range [][]*Node{s.Forward, s.Backward} {
			if i == 1 && len(direction) == 0 {
				continue
			}
			name := []string{"forward", "backward"}[i]
			if len(direction) != len(first.Forward) || len(direction) > len(parts) {
				Panicf("torch.StackStates: the %s state of layer %d has %d parts, and that of layer 1 %d; in PyTorch all have one, H, or two, H and C",
					name, l+1, len(direction), len(first.Forward))
			}
			for k, part := range direction {
				if part == nil {
					Panicf("torch.StackStates: part %d of the %s state of layer %d is nil; pass its zeros", k+1, name, l+1)
				}
				if want := first.Forward[k].Shape(); !part.Shape().Equal(want) {
					Panicf("torch.StackStates: part %d of the %s state of layer %d is %s, and that of the forward state of layer 1 %s; "+
						"in PyTorch all layers and directions have one size", k+1, name, l+1, part.Shape(), want)
				}
				parts[k] = append(parts[k], part)
			}
		}
	}
	if h = Stack(parts[0], 0); len(parts[1]) > 0 {
		c = Stack(parts[1], 0)
	}
	return h, c
}

// SplitStates is the way back: it returns the states of the layers with these sizes, such as [birnnlib.BiRNN.InitialStates]
// takes, from PyTorch's h [layers·directions, n, r] and, for an LSTM, c [layers·directions, n, h], which else is nil.
//
// It panics if the shapes do not fit the sizes, or if PyTorch has no module of these sizes.
func SplitStates(sizes []birnnlib.Sizes, h, c *Node) []birnnlib.State {
	if len(sizes) == 0 || sizes[0].Forward < 1 || sizes[0].Backward != 0 && sizes[0].Backward != sizes[0].Forward ||
		slices.ContainsFunc(sizes, func(s birnnlib.Sizes) bool { return s != sizes[0] }) {
		Panicf("torch.SplitStates: the sizes are %+v; in PyTorch all layers and directions have one size, and a forward direction", sizes)
	}
	units, count := sizes[0].Forward, len(sizes)
	if sizes[0].Backward > 0 {
		count *= 2
	}
	memory := c // the state with h units
	if c == nil {
		memory = h
	}
	if h.Rank() != 3 || h.Shape().Dim(0) != count || memory.Rank() != 3 || memory.Shape().Dim(2) != units ||
		!slices.Equal(h.Shape().Dimensions[:2], memory.Shape().Dimensions[:2]) || h.DType() != memory.DType() || h.Shape().Dim(2) > units {
		shape := h.Shape().String()
		if c != nil {
			shape += " and " + c.Shape().String()
		}
		Panicf("torch.SplitStates: the states are %s; for %d layers with the sizes %+v they must be [layers·directions, batch, hidden] = [%d, n, %d] "+
			"(an LSTM has two, and with a projection the first is narrower)", shape, len(sizes), sizes, count, units)
	}
	states, i := make([]birnnlib.State, len(sizes)), 0
	next := func() (direction []*Node) {
		for _, stacked := range []*Node{h, c} {
			if stacked != nil {
				direction = append(direction, Squeeze(Slice(stacked, AxisElem(i)), 0))
			}
		}
		i++
		return direction
	}
	for l := range states {
		if states[l].Forward = next(); sizes[l].Backward > 0 {
			states[l].Backward = next()
		}
	}
	return states
}
