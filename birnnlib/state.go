package birnnlib

import (
	"strings"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// stateName starts the names of the variables that hold states from one call to the next: "state_1^f" is H^f, "state_2^f"
// the memory C^f of an LSTM.
const stateName = "state_"

// Stateful lets a sequence go on in the next mini-batch: the final states stay in variables of the scope, which are not
// trained, and are the initial states of the next call of the graph, without a gradient from there to here. Row i of the
// next mini-batch must continue row i of this one. [ResetStates] starts anew.
//
// Only what walks forward in time can be carried. By the formulas the backward direction starts at zero after the last
// time step of every mini-batch, since what comes after it is not there yet; with [BiRNN.BothForward] both directions walk
// forward, and both are carried.
func (b *BiRNN) Stateful() *BiRNN {
	b.stateful = true
	return b
}

// Streaming is [BiRNN.Stateful] for reading a sequence piece by piece as it comes, one time step or several at each call:
// the outputs are those of the whole sequence read at once. A network with a backward direction cannot do that, and
// Done panics.
func (b *BiRNN) Streaming() *BiRNN {
	b.streaming = true
	return b.Stateful()
}

// ResetStates sets the states that Stateful networks keep in the scope to zero.
func ResetStates(scope *model.Scope) error {
	for v := range scope.IterVariables() {
		if !strings.HasPrefix(v.Name(), stateName) {
			continue
		}
		if err := v.SetValue(tensors.FromShape(v.Shape())); err != nil {
			return err
		}
	}
	return nil
}

// checkStateful panics when the states cannot be carried.
func (b *BiRNN) checkStateful() {
	if !b.stateful {
		return
	}
	if b.initial != nil {
		Panicf("birnnlib: both InitialStates and Stateful were given; a stateful network starts where the last call ended")
	}
	for l, s := range b.sizes {
		if b.streaming && s.Backward > 0 && !b.bothForward {
			Panicf("birnnlib: layer %d has %d backward units, and cannot stream: the backward state of a time step comes from "+
				"the steps after it, which are not there yet; use Sizes{Forward: %d}, or read whole windows", l+1, s.Backward, s.Forward)
		}
	}
}

// carried returns the variables that hold the states of one direction of a layer, nil if they are not carried.
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
