package birnnlib

import (
	"regexp"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// stateName is the prefix of the variables that hold states from one call to the next: "state_1^f" is H^f, "state_2^f"
// the memory C^f of an LSTM.
const stateName = "state_"

// Stateful continues each sequence in the next mini-batch: the final states are kept in non-trainable variables of the
// scope, and are the initial states of the next call of the graph, without a gradient between calls. Row i of the next
// mini-batch must continue row i of this one. [ResetStates] sets the states to zero again.
//
// Only a direction that walks forward in time can be carried. The backward direction starts at zero after the last time
// step of every mini-batch, because the inputs after it are not known yet; with [BiRNN.BothForward] both directions are
// carried.
func (b *BiRNN) Stateful() *BiRNN {
	b.stateful = true
	return b
}

// Streaming is [BiRNN.Stateful] for reading a sequence piece by piece, one or more time steps per call: the outputs
// equal those of the whole sequence read at once. With a backward direction that is impossible, and Done panics.
func (b *BiRNN) Streaming() *BiRNN {
	b.streaming = true
	return b.Stateful()
}

// carriedName matches the paths of the variables that hold states.
var carriedName = regexp.MustCompile(`/layer_\d+/` + stateName + `\d+\^[fb]$`)

// ResetStates sets to zero the states that Stateful networks keep in the scope.
func ResetStates(scope *model.Scope) error {
	for v := range scope.IterVariables() {
		if !carriedName.MatchString(v.Path()) {
			continue
		}
		if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
			return err
		}
	}
	return nil
}

// checkStateful panics if the states cannot be carried.
func (b *BiRNN) checkStateful() {
	if !b.stateful {
		return
	}
	if b.initial != nil {
		Panicf("birnnlib: both InitialStates and Stateful were given; a stateful network starts where the last call ended")
	}
	for l, s := range b.sizes {
		if b.streaming && s.Backward > 0 && !b.bothForward {
			Panicf("birnnlib: layer %d has %d backward units, and cannot stream: the backward state of a time step depends on "+
				"the steps after it, which are not known yet; use Sizes{Forward: %d}, or read whole windows", l+1, s.Backward, s.Forward)
		}
	}
}

// carried returns the variables that hold the states of one direction of a layer, or nil if they are not carried.
func (b *BiRNN) carried(scope *model.Scope, name string, sizes []int, reversed bool) (variables []*model.Variable) {
	if !b.stateful || reversed {
		return nil
	}
	scope = scope.WithInitializer(initializer.Zero)
	for i, size := range sizes {
		shape := shapes.Make(b.dtype, b.x.Shape().Dim(1), size)
		name := stateName + string(rune('1'+i)) + "^" + name
		if v := scope.GetVariable(name); v != nil && !v.Shape().Equal(shape) {
			Panicf("birnnlib: the states kept in %s are %s, but x %s needs %s; a stateful network keeps its batch size", v.Path(), v.Shape(), b.x.Shape(), shape)
		}
		variables = append(variables, scope.VariableWithShape(name, shape).SetTrainable(false))
	}
	return variables
}
