package birnnlib

import (
	"fmt"
	"strconv"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Sizes are the hidden sizes of one layer: h_f units forward, h_b units backward. They may differ; size 0 leaves a
// direction out.
type Sizes struct{ Forward, Backward int }

// String writes "256" for equal sizes and "256+128" for different ones, forward first.
func (s Sizes) String() string {
	if s.Forward == s.Backward {
		return strconv.Itoa(s.Forward)
	}
	return strconv.Itoa(s.Forward) + "+" + strconv.Itoa(s.Backward)
}

// State is the state of one layer: for each direction the states of its cell, first the hidden state H [n, h], then,
// for an LSTM, the memory C [n, h]. Nil means zeros, or a missing direction.
type State struct{ Forward, Backward []*Node }

// Concat returns H = [H^f, H^b], shaped [n, h_f+h_b]; with one direction, the H of that direction.
func (s State) Concat() *Node {
	var h []*Node
	for _, direction := range [][]*Node{s.Forward, s.Backward} {
		if len(direction) > 0 {
			h = append(h, direction[0])
		}
	}
	if len(h) == 0 {
		Panicf("birnnlib.State.Concat: the state has no direction; states come from Done")
	}
	return Concatenate(h, -1)
}

// Merge is a way to combine the outputs of the two directions.
type Merge int

// All but MergeConcat need directions of the same size.
const (
	MergeConcat  Merge = iota // [H^f, H^b], as in the formulas
	MergeSum                  // H^f + H^b
	MergeMean                 // (H^f + H^b) / 2
	MergeProduct              // H^f ⊙ H^b
)

var mergeNames = []string{"MergeConcat", "MergeSum", "MergeMean", "MergeProduct"}

// String returns the name of the constant.
func (m Merge) String() string {
	if m < 0 || int(m) >= len(mergeNames) {
		return "Merge(" + strconv.Itoa(int(m)) + ")"
	}
	return mergeNames[m]
}

// BiRNN configures the hidden layers of a bidirectional recurrent network. [New] creates it and [BiRNN.Done] builds the
// layers.
type BiRNN struct {
	scope            *model.Scope
	x                *Node
	sizes            []Sizes
	inputs           int
	dtype            dtypes.DType
	forward, back    Cell
	bothForward      bool
	merge            Merge
	residual         bool
	dropout          float64
	recurrentDropout float64
	batchMajor       bool
	initial          []State
	lengths, mask    *Node
	initializer      []Initializer // at most one
	unroll           int
	recompute        bool
	stateful         bool
	statesIn         *model.Scope // nil: the scope of the network
	streaming        bool
	built            bool // Done was called
}

// New configures the hidden layers of a bidirectional recurrent network that reads x; sizes has one entry per layer,
// starting at the input.
//
// x is either
//   - [T, n, d] of a float type: T time steps, n sequences, d features; or
//   - [T, n] of an integer type: the indices of one-hot inputs, whose size d is set by [BiRNN.OneHot].
//     X_t W_xh is then a look-up of rows, and the one-hot vectors are never created.
//
// By default the cell is the [RNN] of the formulas with tanh, and every initial state is zero. Parameters that are not in
// the scope yet start as [BiRNN.Initializer] says.
func New(scope *model.Scope, x *Node, sizes ...Sizes) *BiRNN {
	b := &BiRNN{scope: scope, x: x, sizes: sizes, forward: RNN{}, back: RNN{}}
	if x.DType().IsFloat() {
		b.dtype = x.DType()
	} else {
		b.dtype = dtypes.Float32
	}
	if len(sizes) == 0 {
		Panicf("birnnlib.New: no hidden sizes given; pass one Sizes for each hidden layer")
	}
	for l, s := range sizes {
		if s.Forward < 0 || s.Backward < 0 || s.Forward+s.Backward == 0 {
			Panicf("birnnlib.New: layer %d has hidden sizes %+v; at least one must be positive, and none negative", l+1, s)
		}
	}
	return b
}

// OneHot declares that x holds the indices of one-hot vectors with d entries: integers from 0 to d-1. It is required
// when x is of an integer type, and an error otherwise.
func (b *BiRNN) OneHot(d int) *BiRNN {
	b.inputs = d
	return b
}

// DType sets the type of the parameters and states when x holds indices; the default is Float32. Otherwise they have
// the type of x.
func (b *BiRNN) DType(dtype dtypes.DType) *BiRNN {
	b.dtype = dtype
	return b
}

// Cell sets the cell of both directions: an [RNN], [LSTM] or [GRU], or a custom one.
func (b *BiRNN) Cell(cell Cell) *BiRNN { return b.Cells(cell, cell) }

// Cells sets a cell for each direction.
func (b *BiRNN) Cells(forward, backward Cell) *BiRNN {
	b.forward, b.back = forward, backward
	return b
}

// Activation sets the cell of both directions to an [RNN] with φ, such as activation.TypeSigmoid, TypeTanh or TypeRelu.
func (b *BiRNN) Activation(φ activation.Type) *BiRNN { return b.Cell(RNN{Activation: φ}) }

// BothForward makes both directions walk forward in time:
//
//	H_t^b = φ(X_t W_xh^b + H_{t-1}^b W_hh^b + b_h^b)
//
// The "backward" state then depends on the past only, and the network is two ordinary recurrent networks side by side. By
// default the backward direction walks from the last time step to the first.
func (b *BiRNN) BothForward(bothForward bool) *BiRNN {
	b.bothForward = bothForward
	return b
}

// Merge sets how the outputs of the two directions become the output of a layer. The default is MergeConcat.
func (b *BiRNN) Merge(merge Merge) *BiRNN {
	b.merge = merge
	return b
}

// Residual adds the output of the layer below, which must have the same size, to the output of every layer but the
// first.
func (b *BiRNN) Residual(residual bool) *BiRNN {
	b.residual = residual
	return b
}

// Dropout sets the rate at which training zeroes outputs of every layer but the last; the remaining ones are scaled up
// accordingly.
func (b *BiRNN) Dropout(rate float64) *BiRNN {
	b.dropout = rate
	return b
}

// RecurrentDropout sets the rate at which training zeroes units of H_{t-1} in the products of the cell, the same units
// at every time step of a sequence; the remaining ones are scaled up accordingly.
//
// Source: Y. Gal and Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks, 2016.
func (b *BiRNN) RecurrentDropout(rate float64) *BiRNN {
	b.recurrentDropout = rate
	return b
}

// BatchMajor makes both x and h [n, T, …] instead of [T, n, …].
func (b *BiRNN) BatchMajor(batchMajor bool) *BiRNN {
	b.batchMajor = batchMajor
	return b
}

// InitialStates sets the initial state of each layer, one [State] per layer: Forward precedes the first time step,
// Backward follows the last one (with [BiRNN.BothForward] it precedes the first one, too). The default is zeros.
func (b *BiRNN) InitialStates(states ...State) *BiRNN {
	b.initial = states
	return b
}

// Lengths sets the number of valid time steps of each sequence, as integers shaped [n] from 0 to T (see
// [CheckLengths]); the rest is padding. The backward direction starts at the last valid step of each sequence, outputs
// at padding are zero, nothing depends on the values of x there, and the final states are those of the last valid steps
// (for a sequence of length 0, its initial states).
func (b *BiRNN) Lengths(lengths *Node) *BiRNN {
	b.lengths = lengths
	return b
}

// Mask is the alternative to [BiRNN.Lengths]: true marks a valid time step and false padding, as Bool shaped like x
// without its features. Padding may lie inside a sequence; the states do not change there.
func (b *BiRNN) Mask(mask *Node) *BiRNN {
	b.mask = mask
	return b
}

// CheckLengths returns an error that names the first length outside 0 to T. A graph cannot check its inputs: there, a
// longer length counts as T, and a negative one as 0.
func CheckLengths(lengths []int32, T int) error {
	for i, length := range lengths {
		if length < 0 || int(length) > T {
			return fmt.Errorf("birnnlib: the length of sequence %d is %d; it must be from 0 to T = %d", i, length, T)
		}
	}
	return nil
}

// Initializer sets the initial values of parameters that are not in the scope yet; nil makes a missing one an error.
// The default is the scope's initializer, if it was set with [model.Scope.WithInitializer], else
//
//	Orthogonal(Glorot())
//
// which draws orthogonal recurrent matrices and uniform other ones, and sets vectors, such as biases, to zero. An [LSTM]
// adds its ForgetBias to b_f.
func (b *BiRNN) Initializer(initializer Initializer) *BiRNN {
	b.initializer = []Initializer{initializer}
	return b
}

// Unroll sets the number of time steps in the body of the loop over time; with T or more there is no loop, and compile
// time grows with T. The default, 0, means 1 if the backend has loops (XLA does, pure Go does not), else T.
func (b *BiRNN) Unroll(steps int) *BiRNN {
	b.unroll = steps
	return b
}

// Recompute saves memory in training: each layer keeps only its outputs and the states before every ⌈√T⌉-th time step, and
// the gradient recomputes the others, including the products of its inputs. The gradients are the same, and a step takes
// longer. On a backend without loops (pure Go) it has no effect.
func (b *BiRNN) Recompute(recompute bool) *BiRNN {
	b.recompute = recompute
	return b
}

// Done builds the layers. It returns the outputs of the last layer at every time step,
//
//	h [T, n, h_f+h_b], with h[t] = H_t = [H_t^f, H_t^b]
//
// (batch-major, merged in another way or with projections if the options say so),
// and the final states of every layer: Forward after the last time step, Backward after the first one, where the
// backward direction ends (with [BiRNN.BothForward] after the last one, too). So h[T-1] holds the final forward state,
// but h[0] the final backward state.
func (b *BiRNN) Done() (h *Node, final []State) {
	hf, hb, below, final := b.build()
	return b.arranged(b.output(hf, hb, below, len(b.sizes))), final
}

// DoneApart is [BiRNN.Done] with separate outputs of the two directions of the last layer, [T, n, h_f] and [T, n, h_b],
// nil for a missing direction. They are the outputs of the cells, without merge and residual.
func (b *BiRNN) DoneApart() (hf, hb *Node, final []State) {
	hf, hb, _, final = b.build()
	return b.arranged(hf), b.arranged(hb), final
}
