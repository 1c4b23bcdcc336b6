// Package crf is the linear-chain conditional random field: a layer on the scores of a recurrent network that also scores
// pairs of neighbouring tags, so that the tags of a sequence are predicted together.
//
// Let o_t ∈ R^q be the scores of the q tags at time step t. A sequence of tags y = y_1 … y_T has the score and the
// probability
//
//	s(y)        = start[y_1] + Σ_t o_t[y_t] + Σ_{t>1} A[y_{t-1}, y_t] + end[y_T]
//	log p(y|x)  = s(y) - log Z,     Z = Σ_y exp s(y)
//
// Z has q^T terms; the forward recursion, a [birnnlib.Scan], adds them up in T steps:
//
//	α_1    = start + o_1
//	α_t[j] = o_t[j] + log Σ_i exp(α_{t-1}[i] + A[i, j])
//	log Z  = log Σ_j exp(α_T[j] + end[j])
//
// The gradient of log Z is the probability of each tag, which the forward-backward algorithm computes, too:
// ∂ log Z / ∂ o_t[j] = p(y_t = j | x).
//
// The parameters A [q, q], start [q] and end [q] are in a scope under these names, have the dtype of the scores, and are
// zero at first. Train them with [NegativeLogLikelihood]; then [Read] them, and find the best tags with
// [Transitions.Decode].
//
// Sources: J. Lafferty, A. McCallum and F. Pereira, Conditional random fields: probabilistic models for segmenting and
// labeling sequence data, ICML 2001; on a bidirectional LSTM, Z. Huang, W. Xu and K. Yu, Bidirectional LSTM-CRF models for
// sequence tagging, arXiv:1508.01991, 2015; with scores of the first and the last tag, G. Lample et al., Neural
// architectures for named entity recognition, NAACL 2016.
package crf

import (
	"fmt"
	"slices"

	"birnn/birnnlib"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// The names of the parameters.
const (
	nameA     = "A"
	nameStart = "start"
	nameEnd   = "end"
)

// NegativeLogLikelihood returns -log p(y|x) of each sequence, [n], for the scores o [T, n, q], the tags y [T, n], integers
// from 0 to q-1, and the number of valid time steps of each sequence, lengths [n], integers from 0 to T; of an empty
// sequence it is 0. At padding, y may be any integers and o any finite numbers. The parameters must be finite.
//
// Like all functions that build a graph, it panics if the shapes or dtypes do not fit each other or the parameters.
func NegativeLogLikelihood(scope *model.Scope, o, y, lengths *Node) *Node {
	return Sub(LogZ(scope, o, lengths), Score(scope, o, y, lengths))
}

// LogZ returns log Z of each sequence, [n], for the scores o [T, n, q] and lengths [n]; of an empty sequence it is 0. Its
// arguments are those of [NegativeLogLikelihood].
func LogZ(scope *model.Scope, o, lengths *Node) *Node {
	T, n, q := check("LogZ", o, lengths)
	A, start, end := parameters("LogZ", scope, o)
	α := Add(ExpandLeftToRank(start, 2), Reshape(Slice(o, AxisRange(0, 1)), n, q)) // [n, q]
	if T > 1 {
		step := func(before, at []*Node) (after, results []*Node) {
			pairs := Add(InsertAxes(before[0], -1), InsertAxes(A, 0)) // [n, i, j]
			return []*Node{Add(at[0], logSumExp(pairs, 1))}, nil
		}
		further := Max(AddScalar(lengths, -1), ZerosLike(lengths)) // valid time steps after the first
		last, _ := birnnlib.Scan(step, []*Node{α}, Slice(o, AxisRangeToEnd(1))).Lengths(further).Done()
		α = last[0]
	}
	logZ := logSumExp(Add(α, ExpandLeftToRank(end, 2)), 1)
	return Where(GreaterThan(lengths, ZerosLike(lengths)), logZ, ZerosLike(logZ))
}

// Score returns s(y) of each sequence, [n], for the scores o [T, n, q], the tags y [T, n] and lengths [n]; of an empty
// sequence it is 0. Its arguments are those of [NegativeLogLikelihood].
func Score(scope *model.Scope, o, y, lengths *Node) *Node {
	T, n, q := check("Score", o, lengths)
	if y.Rank() != 2 || y.Shape().Dim(0) != T || y.Shape().Dim(1) != n || !y.DType().IsInt() {
		Panicf("crf.Score: the tags are %s and the scores %s; they must be integers [T, n] and floats [T, n, q]", y.Shape(), o.Shape())
	}
	A, start, end := parameters("Score", scope, o)
	y = OneHot(y, q, o.DType()) // [T, n, q]
	t := Iota(o.Graph(), shapes.Make(lengths.DType(), T, n), 0)
	length := ExpandLeftToRank(lengths, 2)
	// of returns the sum of scores[t, i, y[t, i]] over the time steps t where counts[t, i] is true, [n].
	of := func(scores, counts *Node) *Node {
		at := ReduceSum(Mul(y, scores), -1)
		return ReduceSum(Where(counts, at, ZerosLike(at)), 0)
	}
	valid, zero := LessThan(t, BroadcastToDims(length, T, n)), ZerosLike(t)
	score := of(o, valid)
	score = Add(score, of(BroadcastToDims(ExpandLeftToRank(start, 3), T, n, q), And(valid, Equal(t, zero))))
	score = Add(score, of(BroadcastToDims(ExpandLeftToRank(end, 3), T, n, q), Equal(AddScalar(t, 1), BroadcastToDims(length, T, n))))
	if T > 1 {
		before := Reshape(Dot(Reshape(Slice(y, AxisRange(0, T-1)), -1, q), A).Product(), T-1, n, q) // the row y_{t-1} of A
		pairs := Concatenate([]*Node{ZerosLike(Slice(y, AxisRange(0, 1))), before}, 0)
		score = Add(score, of(pairs, valid))
	}
	return score
}

// check returns the sizes of the scores o [T, n, q]. It panics unless o and lengths [n] fit each other.
func check(function string, o, lengths *Node) (T, n, q int) {
	if o.Rank() != 3 || !o.DType().IsFloat() || lengths.Rank() != 1 || lengths.Shape().Dim(0) != o.Shape().Dim(1) || !lengths.DType().IsInt() {
		Panicf("crf.%s: the scores are %s and the lengths %s; they must be floats [T, n, q] and integers [n]", function, o.Shape(), lengths.Shape())
	}
	T, n, q = o.Shape().Dim(0), o.Shape().Dim(1), o.Shape().Dim(2)
	if T < 1 || q < 1 {
		Panicf("crf.%s: the scores are %s; they need a time step and a tag at least", function, o.Shape())
	}
	return T, n, q
}

// parameters returns A [q, q], start [q] and end [q], which are zero if the scope does not have them yet. It panics if the
// scope has others.
func parameters(function string, scope *model.Scope, o *Node) (A, start, end *Node) {
	q := o.Shape().Dim(-1)
	parameter := func(name string, dims ...int) *Node {
		shape := shapes.Make(o.DType(), dims...)
		v := scope.GetVariable(name)
		if v == nil {
			v = scope.VariableWithValue(name, tensors.FromShape(shape))
		}
		if !v.Shape().Equal(shape) {
			Panicf("crf.%s: the scores are %s and the parameter %s is %s; it must be %s", function, o.Shape(), name, v.Shape(), shape)
		}
		return v.NodeValue(o.Graph())
	}
	return parameter(nameA, q, q), parameter(nameStart, q), parameter(nameEnd, q)
}

// logSumExp returns log Σ exp(x) over an axis.
func logSumExp(x *Node, axis int) *Node {
	largest := StopGradient(ReduceMax(x, axis)) // so that exp does not overflow
	return Add(largest, Log(ReduceSum(Exp(Sub(x, InsertAxes(largest, axis))), axis)))
}

// Transitions are the parameters outside of a graph. There, a score of -Inf forbids what it is the score of.
type Transitions struct {
	A          [][]float64 // [q, q]: A[i][j] is the score of tag j after tag i
	Start, End []float64   // [q]: the scores of the first and of the last tag
}

// Read returns a copy of the parameters in a scope. It returns an error if one is missing, if their shapes do not fit each
// other, or if the dtype is neither Float32 nor Float64.
func Read(scope *model.Scope) (Transitions, error) {
	var all [3][]float64
	for i, name := range []string{nameA, nameStart, nameEnd} {
		v := scope.GetVariable(name)
		if v == nil {
			return Transitions{}, fmt.Errorf("crf: the scope %s has no parameter %s; build LogZ or Score in it first", scope.Scope(), name)
		}
		value, err := v.Value()
		if err != nil {
			return Transitions{}, fmt.Errorf("crf: parameter %s: %w", name, err)
		}
		if all[i], err = floats(value); err != nil {
			return Transitions{}, fmt.Errorf("crf: parameter %s: %w", name, err)
		}
	}
	A, start, end := all[0], all[1], all[2]
	q := len(start)
	if q < 1 || len(A) != q*q || len(end) != q {
		return Transitions{}, fmt.Errorf("crf: A has %d entries, start %d and end %d; they must be q², q and q", len(A), len(start), len(end))
	}
	return Transitions{A: slices.Collect(slices.Chunk(A, q)), Start: start, End: end}, nil
}

// floats returns a copy of the values of a tensor, in the order of its memory.
func floats(value *tensors.Tensor) ([]float64, error) {
	switch value.DType() {
	case dtypes.Float64:
		return tensors.CopyFlatData[float64](value)
	case dtypes.Float32:
		narrow, err := tensors.CopyFlatData[float32](value)
		wide := make([]float64, len(narrow))
		for i, x := range narrow {
			wide[i] = float64(x)
		}
		return wide, err
	}
	return nil, fmt.Errorf("the dtype is %s; it must be Float32 or Float64", value.DType())
}
