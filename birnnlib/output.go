package birnnlib

import (
	"slices"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Output builds the output layer O_t = H_t W_hq + b_q on h, shaped [..., d], with q outputs; it returns [..., q].
func Output(scope *model.Scope, h *Node, q int, initializer Initializer) *Node {
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

// nodeByNode reports whether the backend computes one node after the other, as GoMLX's pure-Go one does, so that every
// node is a walk over its array: where XLA fuses nodes and picks the layouts, the graph has to.
func nodeByNode(g *Graph) bool { return !canLoop(g.Backend()) }

// CrossEntropy returns the mean softmax cross-entropy of the outputs o [..., q] of [Output] for the labels y [...],
// integers from 0 to q-1: the mean of log Σ_k exp(o_k) - o_y, a scalar.
//
// It is GoMLX's loss.SparseCategoricalCrossEntropyLogits with a hand-written gradient, (softmax(o) - onehot(y)) / N for
// N labels, which saves several passes over an array of the size of o.
func CrossEntropy(o, y *Node) *Node {
	if !o.DType().IsFloat() || !y.DType().IsInt() || o.Rank() != y.Rank()+1 || y.Shape().Size()*o.Shape().Dim(-1) != o.Shape().Size() {
		Panicf("birnnlib.CrossEntropy: the outputs are %s and the labels %s; they must be [..., q] of a float type and [...] of an integer type", o.Shape(), y.Shape())
	}
	g, q := o.Graph(), o.Shape().Dim(-1)
	shape := o.Shape()
	o, y = Reshape(o, -1, q), Reshape(y, -1, 1)
	N := o.Shape().Dim(0)
	row := Iota(g, shapes.Make(y.DType(), N, 1), 0)
	label := Concatenate([]*Node{row, y}, 1)
	if (o.DType() == dtypes.Float32 || o.DType() == dtypes.Float64) && g.Backend().Capabilities().Operations[compute.OpTypeFusedSoftmax] {
		return fusedCrossEntropy(o, row, label)
	}
	mean := func() (outputs, kept []*Node) {
		largest := ReduceAndKeep(o, ReduceMax, -1)
		e := Exp(Sub(o, largest))
		sum := ReduceAndKeep(e, ReduceSum, -1)
		ofLabel := Gather(o, label)
		perLabel := Sub(Reshape(Add(Log(sum), largest), -1), ofLabel)
		return []*Node{ReduceAllMean(perLabel)}, []*Node{e, sum}
	}
	return withGradient([]*Node{o}, mean, func(kept, v []*Node) []*Node {
		e, sum := kept[0], kept[1]
		isLabel := Equal(Iota(g, shapes.Make(y.DType(), N, q), 1), BroadcastToDims(y, N, q))
		d := Sub(Div(e, sum), ConvertDType(isLabel, shape.DType))
		return []*Node{Mul(d, DivScalar(v[0], N))}
	})[0]
}

// fusedCrossEntropy is [CrossEntropy] for a backend that computes the softmax in one node, of o [N, q] with the numbers of
// its rows and the places of the labels in it, [N, 1] and [N, 2].
func fusedCrossEntropy(o, row, label *Node) *Node {
	N := o.Shape().Dim(0)
	mean := func() (outputs, kept []*Node) {
		p := BackendFusedSoftmax(o, 1)
		// log Σ_k exp(o_k) is o_j - log p_j for every j; the largest p_j is far from 0.
		largest := Concatenate([]*Node{row, InsertAxes(ArgMax(o, 1, row.DType()), -1)}, 1)
		perLabel := Sub(Sub(Gather(o, largest), Log(Gather(p, largest))), Gather(o, label))
		return []*Node{ReduceAllMean(perLabel)}, []*Node{p}
	}
	return withGradient([]*Node{o}, mean, func(kept, v []*Node) []*Node {
		d := ScatterSum(kept[0], label, BroadcastToDims(Scalar(o.Graph(), o.DType(), -1), N), false, true)
		return []*Node{Mul(d, DivScalar(v[0], N))}
	})[0]
}
