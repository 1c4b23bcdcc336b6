package charlm

import (
	"cmp"
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
	if n < 0 {
		return "", fmt.Errorf("charlm: the prefix cannot be continued by %d characters; give 0 or more", n)
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

// samplingScope is where the network keeps its states while it continues a text, away from those of the training.
const samplingScope = "/sampling"

// continueStepwise feeds one character after the other, first those of the prefix.
func (m *Model) continueStepwise(ctx context.Context, indices []int32, n int) (_ []int32, err error) {
	// Left at zero for the next text, and for checkpoints.
	defer func() { err = cmp.Or(err, birnnlib.ResetStates(m.store.Scope(samplingScope))) }()
	for i := 0; n > 0; i++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next, err := m.step.Call1([][]int32{{indices[i]}})
		if err != nil {
			return nil, err
		}
		if i == len(indices)-1 {
			indices = append(indices, tensors.ToScalar[int32](next))
			n--
		}
	}
	return indices, nil
}

// stepGraph reads one character x [1, 1] and returns the index of the likeliest character after all those read so far.
func (m *Model) stepGraph(scope *model.Scope, x *Node) *Node {
	h, _ := m.layers(scope, x).Streaming().StatesIn(scope.Store().Scope(samplingScope)).Done()
	return likeliest(m.output(scope, h))
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
