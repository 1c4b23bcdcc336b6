package birnnlib

import (
	"fmt"
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Output builds the output layer O_t = H_t W_hq + b_q on h, shaped [..., d], with q outputs; it returns [..., q].
// The initializer is that of parameters that are not in the scope yet, as in [BiRNN.Initializer]; give one at most.
func Output(scope *model.Scope, h *Node, q int, initializer ...Initializer) *Node {
	if q < 1 {
		Panicf("birnnlib.Output: q is %d; there must be at least one output", q)
	}
	d := h.Shape().Dim(-1)
	whq := parameter(scope, initializer, h.Graph(), "W_hq", h.DType(), Weight{Dims: []int{d, q}}, nil)
	bq := parameter(scope, initializer, h.Graph(), "b_q", h.DType(), Weight{Dims: []int{q}}, nil)
	return affine(h, whq, bq)
}

// affine returns x w + b for x [..., d], w [d, q] and b [q], or nil for none: one matrix product whatever the rank of
// x.
func affine(x, w, b *Node) *Node {
	dims := slices.Clone(x.Shape().Dimensions)
	d, q := w.Shape().Dim(0), w.Shape().Dim(1)
	rows := Reshape(x, -1, d)
	product := func() *Node {
		y := times(rows, w)
		if b != nil {
			y = Add(y, ExpandLeftToRank(b, 2))
		}
		return y
	}
	dims[len(dims)-1] = q
	if !nodeByNode(x.Graph()) {
		return Reshape(product(), dims...)
	}
	// The gradient that GoMLX derives sums rows one number at a time, and transposes v and two of the results.
	inputs := []*Node{rows, w}
	if b != nil {
		inputs = append(inputs, b)
	}
	y := withGradient(inputs, func() (outputs, kept []*Node) { return []*Node{product()}, nil }, func(_, v []*Node) []*Node {
		gradients := []*Node{Dot(v[0], w).General([]int{1}, nil, []int{1}, nil), transposedTimes(rows, v[0])}
		if b != nil {
			gradients = append(gradients, sumRows(v[0]))
		}
		return gradients
	})[0]
	return Reshape(y, dims...)
}

// nodeByNode reports whether the backend runs each node separately, as GoMLX's pure-Go backend does. Each node is then a
// pass over memory, and the graph must avoid passes that XLA would fuse.
func nodeByNode(g *Graph) bool { return !canLoop(g.Backend()) }

// A LossOption is an option of [CrossEntropy].
type LossOption func(*lossOptions)

type lossOptions struct {
	weights *Node
	ignored *int
}

// Weights sets the weight of each label in the mean, shaped as the labels: of a float type, or Bool for 1 and 0, such as the
// mask of a [BiRNN]. The loss is Σ weight·loss / Σ weight; it is 0 if all weights are.
func Weights(weights *Node) LossOption { return func(l *lossOptions) { l.weights = weights } }

// Ignore leaves the labels that equal index out of the mean. They need not be from 0 to q-1.
func Ignore(index int) LossOption { return func(l *lossOptions) { l.ignored = &index } }

// CheckIndices returns an error that names the first index, such as a label or the index of a one-hot vector, that is not
// from 0 to q-1. A graph cannot report it: there, an index below 0 counts as 0 and one above q-1 as q-1.
func CheckIndices(indices []int32, q int) error {
	for i, index := range indices {
		if index < 0 || int(index) >= q {
			return fmt.Errorf("birnnlib: index %d is %d; it must be from 0 to q-1 = %d", i, index, q-1)
		}
	}
	return nil
}

// clamped returns indices as Int32, limited to 0 … q-1: one out of range crashes pure Go, while XLA takes the nearest.
func clamped(indices *Node, q int) *Node {
	wide := ConvertDType(indices, dtypes.Int64)
	return ConvertDType(ClipScalar(wide, 0, float64(q-1)), dtypes.Int32)
}

// CrossEntropy returns the mean softmax cross-entropy of the outputs o [..., q] of [Output] for the labels y [...],
// integers from 0 to q-1 (see [CheckIndices]): the mean of log Σ_k exp(o_k) - o_y, a scalar.
//
// It is GoMLX's loss.SparseCategoricalCrossEntropyLogits with a hand-written gradient, weight (softmax(o) - onehot(y)) for
// each label, which saves several passes over an array of the size of o. With 16 bits it computes in 32.
func CrossEntropy(o, y *Node, options ...LossOption) *Node {
	if !o.DType().IsFloat() || !y.DType().IsInt() || o.Rank() != y.Rank()+1 || y.Shape().Size()*o.Shape().Dim(-1) != o.Shape().Size() {
		Panicf("birnnlib.CrossEntropy: the outputs are %s and the labels %s; they must be [..., q] of a float type and [...] of an integer type", o.Shape(), y.Shape())
	}
	var l lossOptions
	for _, option := range options {
		option(&l)
	}
	dtype := o.DType()
	weights := l.labelWeights(y, wide(dtype)) // [N], with the sum 1; nil: 1/N each
	g, q := o.Graph(), o.Shape().Dim(-1)
	o = ConvertDType(Reshape(o, -1, q), wide(dtype))
	y = Reshape(clamped(y, q), -1, 1)
	N := o.Shape().Dim(0)
	label := Concatenate([]*Node{Iota(g, shapes.Make(dtypes.Int32, N, 1), 0), y}, 1)
	mean := func(perLabel *Node) *Node {
		if weights == nil {
			return ReduceAllMean(perLabel)
		}
		// Not a product: 0 times infinity is not 0.
		zero := ZerosLike(perLabel)
		return ReduceAllSum(Where(Equal(weights, zero), zero, Mul(weights, perLabel)))
	}
	// scaled returns d [N, q] with each row multiplied by its weight and by v.
	scaled := func(d, v *Node) *Node {
		if weights == nil {
			return Mul(d, DivScalar(v, N))
		}
		return Mul(d, InsertAxes(Mul(weights, v), -1))
	}
	if g.Backend().Capabilities().Operations[compute.OpTypeFusedSoftmax] { // in one node
		return ConvertDType(withGradient([]*Node{o}, func() (outputs, kept []*Node) {
			p := BackendFusedSoftmax(o, 1)
			// log Σ_k exp(o_k) is o_j - log p_j for every j; the largest p_j is far from 0.
			row := Iota(g, shapes.Make(dtypes.Int32, N, 1), 0)
			largest := Concatenate([]*Node{row, InsertAxes(ArgMax(o, 1, dtypes.Int32), -1)}, 1)
			perLabel := Sub(Sub(Gather(o, largest), Gather(o, label)), Log(Gather(p, largest)))
			return []*Node{mean(perLabel)}, []*Node{p}
		}, func(kept, v []*Node) []*Node {
			d := ScatterSum(kept[0], label, BroadcastToDims(Scalar(g, o.DType(), -1), N), false, true)
			return []*Node{scaled(d, v[0])}
		})[0], dtype)
	}
	return ConvertDType(withGradient([]*Node{o}, func() (outputs, kept []*Node) {
		largest := ReduceAndKeep(o, ReduceMax, -1)
		e := Exp(Sub(o, largest))
		sum := ReduceAndKeep(e, ReduceSum, -1)
		perLabel := Add(Log(Reshape(sum, -1)), Sub(Reshape(largest, -1), Gather(o, label)))
		return []*Node{mean(perLabel)}, []*Node{e, sum}
	}, func(kept, v []*Node) []*Node {
		e, sum := kept[0], kept[1]
		isLabel := Equal(Iota(g, shapes.Make(dtypes.Int32, N, q), 1), BroadcastToDims(y, N, q))
		return []*Node{scaled(Sub(Div(e, sum), ConvertDType(isLabel, o.DType())), v[0])}
	})[0], dtype)
}

// labelWeights returns the weights of the labels y, [N], divided by their sum; nil if all are the same.
func (l lossOptions) labelWeights(y *Node, dtype dtypes.DType) *Node {
	if l.weights == nil && l.ignored == nil {
		return nil
	}
	weights := Ones(y.Graph(), shapes.Make(dtype, y.Shape().Dimensions...))
	if w := l.weights; w != nil {
		if !slices.Equal(w.Shape().Dimensions, y.Shape().Dimensions) || !w.DType().IsFloat() && w.DType() != dtypes.Bool {
			Panicf("birnnlib.CrossEntropy: the weights are %s and the labels %s; they must have the same axes, and the weights a float type or Bool", w.Shape(), y.Shape())
		}
		weights = StopGradient(ConvertDType(w, dtype))
	}
	if l.ignored != nil {
		ignored := Equal(ConvertDType(y, dtypes.Int64), Const(y.Graph(), int64(*l.ignored)))
		weights = Where(ignored, ZerosLike(weights), weights)
	}
	weights = Reshape(weights, -1)
	sum := ReduceAllSum(weights)
	return Where(BroadcastToDims(Equal(sum, ZerosLike(sum)), weights.Shape().Dimensions...), ZerosLike(weights), Div(weights, sum))
}
