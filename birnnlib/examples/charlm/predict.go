package charlm

import (
	"context"
	"errors"
	"fmt"

	"birnn/birnnlib"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Continue returns the prefix continued by n characters, each the one that the model finds most likely.
//
// In the post's reading the network goes step by step and carries its state. By the formulas the backward state of a
// step comes from the text after it, so that for each new character the network reads the whole text so far again, in
// both directions.
//
// A character of the prefix that the vocabulary lacks is an error.
func (m *Model) Continue(ctx context.Context, prefix string, n int) (string, error) {
	indices, err := m.vocabulary.Encode(prefix)
	if err != nil {
		return "", fmt.Errorf("charlm: the prefix %q cannot be continued: %w", prefix, err)
	}
	if len(indices) == 0 {
		return "", errors.New("charlm: the prefix is empty; give at least one character to continue")
	}
	if m.config.AsPosted {
		indices, err = m.continueStepwise(ctx, indices, n)
	} else {
		indices, err = m.continueRereading(ctx, indices, n)
	}
	if err != nil {
		return "", err
	}
	return m.vocabulary.Decode(indices), nil
}

// continueStepwise feeds one character after the other, first those of the prefix.
func (m *Model) continueStepwise(ctx context.Context, indices []int32, n int) ([]int32, error) {
	inputs := make([]any, 1, 1+2*len(m.config.Hidden))
	for _, s := range m.config.Hidden {
		for _, h := range []int{s.Forward, s.Backward} {
			if h > 0 {
				inputs = append(inputs, tensors.FromScalarAndDimensions(float32(0), 1, h))
			}
		}
	}
	for i := 0; n > 0; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		inputs[0] = [][]int32{{indices[i]}}
		outputs, err := m.step.Call(inputs...)
		if err != nil {
			return nil, err
		}
		for k, state := range outputs[1:] {
			inputs[1+k] = state
		}
		if i == len(indices)-1 {
			indices = append(indices, tensors.ToScalar[int32](outputs[0]))
			n--
		}
	}
	return indices, nil
}

// stepGraph reads one character x [1, 1] in the states of all layers, forward and backward in turn, each [1, h], those
// without units left out; it returns the index of the likeliest next character and the new states.
func (m *Model) stepGraph(scope *model.Scope, inputs []*Node) []*Node {
	x, states := inputs[0], inputs[1:]
	initial := make([]birnnlib.State, len(m.config.Hidden))
	for l, s := range m.config.Hidden {
		if s.Forward > 0 {
			initial[l].Forward, states = states[:1], states[1:]
		}
		if s.Backward > 0 {
			initial[l].Backward, states = states[:1], states[1:]
		}
	}
	h, final := m.layers(scope, x).InitialStates(initial...).Done()
	outputs := []*Node{likeliest(m.output(scope, h))}
	for _, s := range final {
		outputs = append(append(outputs, s.Forward...), s.Backward...)
	}
	return outputs
}

// continueRereading reads the text so far for each new character.
func (m *Model) continueRereading(ctx context.Context, indices []int32, n int) ([]int32, error) {
	// Room for the whole text, padded to a common length: texts of about the same length share a compiled graph.
	const quantum = 16
	room := (len(indices) + n + quantum - 1) / quantum * quantum
	for ; n > 0; n-- {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		padded := make([]int32, room)
		copy(padded, indices)
		outputs, err := m.read.Call(tensors.FromFlatDataAndDimensions(padded, room, 1), []int32{int32(len(indices))})
		if err != nil {
			return nil, err
		}
		indices = append(indices, tensors.ToScalar[int32](outputs[0]))
	}
	return indices, nil
}

// readGraph reads a text x [T, 1] of which the first lengths [1] characters are valid, and returns the index of the
// likeliest character after them.
func (m *Model) readGraph(scope *model.Scope, x, lengths *Node) *Node {
	h, _ := m.layers(scope, x).Lengths(lengths).Done()
	last := Gather(h, InsertAxes(AddScalar(lengths, -1), -1)) // H at the last character: [1, 1, 2h]
	return likeliest(m.output(scope, last))
}

// likeliest returns the index of the largest output, for o [1, 1, q].
func likeliest(o *Node) *Node {
	return Reshape(ArgMax(o, -1, dtypes.Int32))
}
