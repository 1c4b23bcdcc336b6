package birnnlib

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Sizes are the hidden sizes of one bidirectional layer: h_f units forward, h_b units backward. They may differ.
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
		if errF != nil || errB != nil || hf < 1 || hb < 1 {
			return nil, fmt.Errorf("hidden sizes %q: layer %d is %q; write positive numbers, as in 256 or 256+128,64", s, len(sizes)+1, layer)
		}
		sizes = append(sizes, Sizes{hf, hb})
	}
	return sizes, nil
}

// State is the hidden state of one layer, forward [n, h_f] and backward [n, h_b]. A nil node stands for zeros.
type State struct{ Forward, Backward *Node }

// Concat returns H = [H^f, H^b], shaped [n, h_f+h_b].
func (s State) Concat() *Node {
	return Concatenate([]*Node{s.Forward, s.Backward}, -1)
}

// BiRNN configures the hidden layers of a bidirectional recurrent network. Create it with [New], end with
// [BiRNN.Done].
type BiRNN struct {
	scope       *model.Scope
	x           *Node
	sizes       []Sizes
	inputs      int
	dtype       dtypes.DType
	φ           activation.Type
	asPosted    bool
	initial     []State
	lengths     *Node
	initializer Initializer
}

// New prepares the hidden layers of a bidirectional recurrent network that reads x; sizes has one entry for each
// layer, the first one nearest to the input.
//
// x is either
//   - [T, n, d] of a float type: T time steps, n sequences, d features; or
//   - [T, n] of an integer type: the indices of one-hot inputs, whose number d is told by [BiRNN.OneHot].
//     X_t W_xh is then a look-up of rows, and the one-hot vectors are never made.
//
// By default φ is the sigmoid, every initial state is zero, weights are drawn from N(0, 0.01²) with seed 1 and biases
// are zero.
func New(scope *model.Scope, x *Node, sizes ...Sizes) *BiRNN {
	b := &BiRNN{scope: scope, x: x, sizes: sizes, φ: activation.TypeSigmoid, initializer: Normal(0.01, 1)}
	if x.DType().IsFloat() {
		b.dtype = x.DType()
	} else {
		b.dtype = dtypes.Float32
	}
	if len(sizes) == 0 {
		Panicf("birnnlib.New: no hidden sizes given; pass one Sizes for each hidden layer")
	}
	for l, s := range sizes {
		if s.Forward < 1 || s.Backward < 1 {
			Panicf("birnnlib.New: layer %d has hidden sizes %+v; both must be at least 1", l+1, s)
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

// Activation sets φ, such as activation.TypeSigmoid, TypeTanh or TypeRelu.
func (b *BiRNN) Activation(φ activation.Type) *BiRNN {
	b.φ = φ
	return b
}

// AsPosted makes both directions walk forward in time, as the post that the first lesson follows does:
//
//	H_t^b = φ(X_t W_xh^b + H_{t-1}^b W_hh^b + b_h^b)
//
// The "backward" state then sees only the past, so that the network is two ordinary recurrent networks side by side.
// The lessons use it to show that flaw. The default follows the formulas.
func (b *BiRNN) AsPosted(asPosted bool) *BiRNN {
	b.asPosted = asPosted
	return b
}

// InitialStates sets the state that each layer starts with, one [State] a layer: its Forward stands before the first
// time step, its Backward after the last one (with [BiRNN.AsPosted] before the first one as well). The default is zeros.
func (b *BiRNN) InitialStates(states ...State) *BiRNN {
	b.initial = states
	return b
}

// Lengths says how many time steps of each sequence are valid, as integers shaped [n] from 0 to T; the rest is padding.
// The backward direction starts at the last valid step of each sequence, outputs at padding are zero, and the final
// states are those of the last valid steps (of a sequence with length 0, its initial states).
func (b *BiRNN) Lengths(lengths *Node) *BiRNN {
	b.lengths = lengths
	return b
}

// Initializer sets how weights that are not in the scope yet are drawn; biases are always zero.
func (b *BiRNN) Initializer(initializer Initializer) *BiRNN {
	b.initializer = initializer
	return b
}

// Done builds the layers. It returns the states of the last layer at every time step,
//
//	h [T, n, h_f+h_b], with h[t] = H_t = [H_t^f, H_t^b],
//
// and the final states of every layer: Forward after the last time step, Backward after the first one, since that is
// where the backward direction ends (with [BiRNN.AsPosted] after the last one as well). h[T-1] thus holds the final
// forward state, but the final backward state is in h[0].
func (b *BiRNN) Done() (h *Node, final []State) {
	b.check()
	mask := b.mask()
	h = b.x
	for l, sizes := range b.sizes {
		var initial State
		if b.initial != nil {
			initial = b.initial[l]
		}
		scope := b.scope.In("layer_%d", l+1)
		hf, finalF := b.direction(scope, "f", h, sizes.Forward, initial.Forward, mask, false)
		hb, finalB := b.direction(scope, "b", h, sizes.Backward, initial.Backward, mask, !b.asPosted)
		h = Concatenate([]*Node{hf, hb}, -1)
		final = append(final, State{finalF, finalB})
	}
	return h, final
}

// mask returns, for every time step, which sequences are still valid, [T, n, 1] of Bool; nil if all are.
func (b *BiRNN) mask() *Node {
	if b.lengths == nil {
		return nil
	}
	T, n := b.x.Shape().Dim(0), b.x.Shape().Dim(1)
	shape := b.lengths.Shape().Clone()
	shape.Dimensions = []int{T, n}
	t := Iota(b.x.Graph(), shape, 0)
	return InsertAxes(LessThan(t, BroadcastToDims(InsertAxes(b.lengths, 0), T, n)), -1)
}

// check panics when the arguments do not fit each other.
func (b *BiRNN) check() {
	shape := b.x.Shape()
	switch {
	case shape.DType.IsFloat() && b.inputs != 0:
		Panicf("birnnlib: OneHot(%d) was given, but x is %s; one-hot inputs are given as their indices, [time step, batch] of an integer type", b.inputs, shape)
	case shape.DType.IsFloat() && shape.Rank() != 3:
		Panicf("birnnlib: x is %s; inputs of a float type must be [time step, batch, feature]", shape)
	case shape.DType.IsInt() && shape.Rank() != 2:
		Panicf("birnnlib: x is %s; indices must be [time step, batch]", shape)
	case shape.DType.IsInt() && b.inputs < 1:
		Panicf("birnnlib: x is %s, the indices of one-hot vectors; say how many entries those have with OneHot(d), d > 0", shape)
	case !shape.DType.IsFloat() && !shape.DType.IsInt():
		Panicf("birnnlib: x is %s; it must be of a float type, or of an integer type with OneHot", shape)
	case shape.DType.IsFloat() && b.dtype != shape.DType:
		Panicf("birnnlib: DType(%s) was given, but x is %s; convert x instead", b.dtype, shape)
	case slices.Min(shape.Dimensions) < 1:
		Panicf("birnnlib: x is %s; every axis must have at least one entry", shape)
	}
	n := shape.Dim(1)
	if b.initial != nil && len(b.initial) != len(b.sizes) {
		Panicf("birnnlib: InitialStates got %d states for %d layers; give one for each layer", len(b.initial), len(b.sizes))
	}
	for l, s := range b.initial {
		checkState(l, "forward", s.Forward, b.dtype, n, b.sizes[l].Forward)
		checkState(l, "backward", s.Backward, b.dtype, n, b.sizes[l].Backward)
	}
	if b.lengths != nil && (!b.lengths.DType().IsInt() || b.lengths.Rank() != 1 || b.lengths.Shape().Dim(0) != n) {
		Panicf("birnnlib: Lengths got %s; it must be integers shaped [batch] = [%d]", b.lengths.Shape(), n)
	}
}

func checkState(l int, direction string, h0 *Node, dtype dtypes.DType, n, h int) {
	if h0 != nil && (h0.DType() != dtype || h0.Rank() != 2 || h0.Shape().Dim(0) != n || h0.Shape().Dim(1) != h) {
		Panicf("birnnlib: the initial %s state of layer %d is %s; it must be (%s)[batch, hidden] = [%d, %d]",
			direction, l+1, h0.Shape(), dtype, n, h)
	}
}

// Output builds the output layer O_t = H_t W_hq + b_q on h, shaped [..., d], with q outputs; it returns [..., q].
func Output(scope *model.Scope, h *Node, q int, initializer Initializer) *Node {
	if q < 1 {
		Panicf("birnnlib.Output: q is %d; there must be at least one output", q)
	}
	d := h.Shape().Dim(-1)
	whq := weight(scope, initializer, h.Graph(), "W_hq", h.DType(), d, q)
	bq := bias(scope, h.Graph(), "b_q", h.DType(), q)
	return affine(h, whq, bq)
}
