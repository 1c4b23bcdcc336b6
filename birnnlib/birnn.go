package birnnlib

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Sizes are the hidden sizes of one layer: h_f units forward, h_b units backward. They may differ; a direction of size 0
// is not there.
type Sizes struct{ Forward, Backward int }

// String writes "256" for equal sizes and "256+128" for different ones, forward first.
func (s Sizes) String() string {
	if s.Forward == s.Backward {
		return strconv.Itoa(s.Forward)
	}
	return strconv.Itoa(s.Forward) + "+" + strconv.Itoa(s.Backward)
}

// ParseSizes reads the hidden sizes of several layers in the form of [Sizes.String], separated by commas: "256" is one
// layer, "256+128,64" two, the first of different sizes forward and backward.
func ParseSizes(s string) ([]Sizes, error) {
	var sizes []Sizes
	for layer := range strings.SplitSeq(s, ",") {
		forward, backward, differ := strings.Cut(layer, "+")
		if !differ {
			backward = forward
		}
		hf, errF := strconv.Atoi(strings.TrimSpace(forward))
		hb, errB := strconv.Atoi(strings.TrimSpace(backward))
		if errF != nil || errB != nil || hf < 0 || hb < 0 || hf+hb == 0 {
			return nil, fmt.Errorf("hidden sizes %q: layer %d is %q; write numbers, as in 256 or 256+128,64 (256+0 is forward only)", s, len(sizes)+1, layer)
		}
		sizes = append(sizes, Sizes{hf, hb})
	}
	return sizes, nil
}

// State is the state of one layer: for each direction the states of its cell, the hidden state H [n, h] first, then, of an
// LSTM, the memory C [n, h]. Nil stands for zeros, or for a direction that is not there.
type State struct{ Forward, Backward []*Node }

// Concat returns H = [H^f, H^b], shaped [n, h_f+h_b].
func (s State) Concat() *Node {
	return Concatenate([]*Node{s.Forward[0], s.Backward[0]}, -1)
}

// Merge says how the outputs of the two directions become one.
type Merge int

// The ways to merge; all but MergeConcat need directions of the same size.
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

// BiRNN configures the hidden layers of a bidirectional recurrent network. Create it with [New], end with
// [BiRNN.Done].
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
	initializer      Initializer
	unroll           int
	recompute        bool
	stateful         bool
	streaming        bool
}

// New prepares the hidden layers of a bidirectional recurrent network that reads x; sizes has one entry for each
// layer, the first one nearest to the input.
//
// x is either
//   - [T, n, d] of a float type: T time steps, n sequences, d features; or
//   - [T, n] of an integer type: the indices of one-hot inputs, whose number d is told by [BiRNN.OneHot].
//     X_t W_xh is then a look-up of rows, and the one-hot vectors are never made.
//
// By default the cell is the [RNN] of the formulas with the sigmoid, every initial state is zero, weights are drawn from
// N(0, 0.01²) with seed 1 and biases are zero.
func New(scope *model.Scope, x *Node, sizes ...Sizes) *BiRNN {
	b := &BiRNN{scope: scope, x: x, sizes: sizes, forward: RNN{}, back: RNN{}, initializer: Normal(0.01, 1)}
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

// OneHot says that x holds indices of one-hot vectors with d entries: integers from 0 to d-1. Required when x is of an
// integer type, and wrong otherwise.
func (b *BiRNN) OneHot(d int) *BiRNN {
	b.inputs = d
	return b
}

// DType sets the type of the parameters and states when x holds indices; the default is Float32. When x is of a float
// type, that is the type.
func (b *BiRNN) DType(dtype dtypes.DType) *BiRNN {
	b.dtype = dtype
	return b
}

// Cell sets the cell of both directions: an [RNN], [LSTM] or [GRU], or one of your own.
func (b *BiRNN) Cell(cell Cell) *BiRNN { return b.Cells(cell, cell) }

// Cells sets a cell for each direction.
func (b *BiRNN) Cells(forward, backward Cell) *BiRNN {
	b.forward, b.back = forward, backward
	return b
}

// Activation makes the cell of both directions an [RNN] with φ: activation.TypeSigmoid, TypeTanh or TypeRelu.
func (b *BiRNN) Activation(φ activation.Type) *BiRNN { return b.Cell(RNN{Activation: φ}) }

// BothForward makes both directions walk forward in time:
//
//	H_t^b = φ(X_t W_xh^b + H_{t-1}^b W_hh^b + b_h^b)
//
// The "backward" state then depends on the past only, and the network is two ordinary recurrent networks side by side.
// The first lesson shows what goes wrong then. By default the backward direction walks from the last time step to the
// first.
func (b *BiRNN) BothForward(bothForward bool) *BiRNN {
	b.bothForward = bothForward
	return b
}

// Merge says how the outputs of the two directions become the output of a layer. The default is MergeConcat.
func (b *BiRNN) Merge(merge Merge) *BiRNN {
	b.merge = merge
	return b
}

// Residual adds to the output of every layer but the first the output of the layer below, which must be of its size.
func (b *BiRNN) Residual(residual bool) *BiRNN {
	b.residual = residual
	return b
}

// Dropout sets the rate at which, while training, outputs of every layer but the last are zeroed; the others grow to
// make up for it.
func (b *BiRNN) Dropout(rate float64) *BiRNN {
	b.dropout = rate
	return b
}

// RecurrentDropout sets the rate at which, while training, units of H_{t-1} are zeroed where H_{t-1} goes into the
// products of the cell, the same units at every time step of a sequence; the others grow to make up for it.
//
// Source: Y. Gal and Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks, 2016.
func (b *BiRNN) RecurrentDropout(rate float64) *BiRNN {
	b.recurrentDropout = rate
	return b
}

// BatchMajor says that x is [n, T, …] instead of [T, n, …], and so will h be.
func (b *BiRNN) BatchMajor(batchMajor bool) *BiRNN {
	b.batchMajor = batchMajor
	return b
}

// InitialStates sets the state that each layer starts with, one [State] a layer: its Forward stands before the first
// time step, its Backward after the last one (with [BiRNN.BothForward] before the first one as well). The default is zeros.
func (b *BiRNN) InitialStates(states ...State) *BiRNN {
	b.initial = states
	return b
}

// Lengths says how many time steps of each sequence are valid, as integers shaped [n] from 0 to T (see [CheckLengths]);
// the rest is padding. The backward direction starts at the last valid step of each sequence, outputs at padding are
// zero, nothing depends on what x holds there, and the final states are those of the last valid steps (of a sequence
// with length 0, its initial states).
func (b *BiRNN) Lengths(lengths *Node) *BiRNN {
	b.lengths = lengths
	return b
}

// Mask tells valid time steps by true and padding by false, for each step: Bool, shaped as x without its features. Where
// padding lies inside a sequence, the states wait there. It is the other way to say what [BiRNN.Lengths] says.
func (b *BiRNN) Mask(mask *Node) *BiRNN {
	b.mask = mask
	return b
}

// CheckLengths returns an error that names the first length that is not from 0 to T. A graph cannot tell: there, what
// is longer than T counts as T, and what is negative as 0.
func CheckLengths(lengths []int32, T int) error {
	for i, length := range lengths {
		if length < 0 || int(length) > T {
			return fmt.Errorf("birnnlib: the length of sequence %d is %d; it must be from 0 to T = %d", i, length, T)
		}
	}
	return nil
}

// Initializer sets how parameters that are not in the scope yet are drawn.
func (b *BiRNN) Initializer(initializer Initializer) *BiRNN {
	b.initializer = initializer
	return b
}

// Unroll sets how many time steps lie in the body of the loop over time; with T or more there is no loop, and the time
// to compile grows with T. The default, 0, is 1 where the backend has loops (XLA has), and T elsewhere.
func (b *BiRNN) Unroll(steps int) *BiRNN {
	b.unroll = steps
	return b
}

// Recompute saves memory in training: of each layer, only the outputs and the states before every ⌈√T⌉-th time step are kept
// for the gradient; on the way back, the others are computed once more, the products with the input weights included.
// The gradients are the same, and a step takes longer. Where the backend has no loops (pure Go), it changes nothing.
func (b *BiRNN) Recompute(recompute bool) *BiRNN {
	b.recompute = recompute
	return b
}

// Done builds the layers. It returns the outputs of the last layer at every time step,
//
//	h [T, n, h_f+h_b], with h[t] = H_t = [H_t^f, H_t^b],
//
// and the final states of every layer: Forward after the last time step, Backward after the first one, since that is
// where the backward direction ends (with [BiRNN.BothForward] after the last one as well). h[T-1] thus holds the final
// forward state, but the final backward state is in h[0].
func (b *BiRNN) Done() (h *Node, final []State) {
	hf, hb, below, final := b.build()
	return b.arranged(b.output(hf, hb, below, len(b.sizes))), final
}

// DoneApart is [BiRNN.Done] with the outputs of the last layer's two directions apart, [T, n, h_f] and [T, n, h_b]; nil
// for one that is not there. They are as the cells give them, without merge and residual.
func (b *BiRNN) DoneApart() (hf, hb *Node, final []State) {
	hf, hb, _, final = b.build()
	return b.arranged(hf), b.arranged(hb), final
}
