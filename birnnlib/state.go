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

// StatesIn is [BiRNN.Stateful] with the states in a scope that you name, of the same store. One network can so read several
// streams, each in its scope and with its batch size, and sampling leaves the states of training alone:
//
//	birnnlib.New(scope, x, sizes...).StatesIn(scope.Store().Scope("/sampling")).Done()
//
// The paths of the states are those of the network below the named scope, such as /sampling/encoder/layer_1/state_1^f for a
// network in /encoder, so that all networks of a model can share it.
func (b *BiRNN) StatesIn(scope *model.Scope) *BiRNN {
	if scope == nil || scope.Store() != b.scope.Store() {
		Panicf("birnnlib: StatesIn got a scope that is nil or of another store than the network; pass one such as scope.Store().Scope(\"/sampling\")")
	}
	b.statesIn = scope
	return b.Stateful()
}

// Streaming is [BiRNN.Stateful] for reading a sequence piece by piece, one or more time steps per call: the outputs
// equal those of the whole sequence read at once. With a backward direction that is impossible, and Done panics. Add
// [BiRNN.StatesIn] to read several sequences in turn.
func (b *BiRNN) Streaming() *BiRNN {
	b.streaming = true
	return b.Stateful()
}

// carriedName matches the paths of the variables that hold states.
var carriedName = regexp.MustCompile(`/layer_\d+/` + stateName + `\d+\^[fb]$`)

// ResetStates sets to zero the states that Stateful networks keep in the scope and below it: those of a stream, for the scope
// that [BiRNN.StatesIn] names, or, for the root scope, all of the store.
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
	if b.statesIn != nil {
		scope = scope.Store().Scope(model.JoinPath(b.statesIn.Scope(), scope.Scope()))
	}
	scope = scope.WithInitializer(initializer.Zero)
	for i, size := range sizes {
		shape := shapes.Make(b.dtype, b.x.Shape().Dim(1), size)
		name := stateName + string(rune('1'+i)) + "^" + name
		if v := scope.GetVariable(name); v != nil && !v.Shape().Equal(shape) {
			Panicf("birnnlib: the states kept in %s are %s, but x %s needs %s; a stateful network keeps its batch size: "+
				"for a stream of another, name another scope with StatesIn", v.Path(), v.Shape(), b.x.Shape(), shape)
		}
		variables = append(variables, scope.VariableWithShape(name, shape).SetTrainable(false))
	}
	return variables
}
