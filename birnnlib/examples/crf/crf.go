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
// The gradient of log Z is the probability of each tag, what the forward-backward algorithm computes:
// ∂ log Z / ∂ o_t[j] = p(y_t = j | x).
//
// The parameters A [q, q], start [q] and end [q] are in a scope under these names, and begin at zero.
//
// Source: J. Lafferty, A. McCallum and F. Pereira, Conditional random fields, 2001; on a bidirectional LSTM, Z. Huang, W. Xu
// and K. Yu, Bidirectional LSTM-CRF models for sequence tagging, 2015.
package crf

import (
	"fmt"

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
// sequence it is 0. What y and o are at padding does not matter, except that o must be finite.
func NegativeLogLikelihood(scope *model.Scope, o, y, lengths *Node) *Node {
	return Sub(LogZ(scope, o, lengths), Score(scope, o, y, lengths))
}

// LogZ returns log Z of each sequence, [n], for the scores o [T, n, q] and lengths [n]; of an empty sequence it is 0.
func LogZ(scope *model.Scope, o, lengths *Node) *Node {
	T, n, q := check("LogZ", o, lengths)
	A, start, end := parameters(scope, o)
	first := func(x *Node, from, to int) *Node { return Slice(x, AxisRange(from, to)) }
	α := Add(ExpandLeftToRank(start, 2), Reshape(first(o, 0, 1), n, q)) // [n, q]
	if T > 1 {
		step := func(before, at []*Node) (after, results []*Node) {
			pairs := Add(InsertAxes(before[0], -1), InsertAxes(A, 0)) // [n, i, j]
			return []*Node{Add(at[0], logSumExp(pairs, 1))}, nil
		}
		further := Max(AddScalar(lengths, -1), ZerosLike(lengths)) // after the first
		last, _ := birnnlib.Scan(step, []*Node{α}, first(o, 1, T)).Lengths(further).Done()
		α = last[0]
	}
	logZ := logSumExp(Add(α, ExpandLeftToRank(end, 2)), 1)
	return Where(GreaterThan(lengths, ZerosLike(lengths)), logZ, ZerosLike(logZ))
}

// Score returns s(y) of each sequence, [n], for the scores o [T, n, q], the tags y [T, n] and lengths [n]; of an empty
// sequence it is 0.
func Score(scope *model.Scope, o, y, lengths *Node) *Node {
	T, n, q := check("Score", o, lengths)
	if y.Rank() != 2 || y.Shape().Dim(0) != T || y.Shape().Dim(1) != n || !y.DType().IsInt() {
		Panicf("crf.Score: the tags are %s and the scores %s; they must be integers [T, n] and floats [T, n, q]", y.Shape(), o.Shape())
	}
	A, start, end := parameters(scope, o)
	y = OneHot(y, q, o.DType()) // [T, n, q]
	t := Iota(o.Graph(), shapes.Make(lengths.DType(), T, n), 0)
	length := ExpandLeftToRank(lengths, 2)
	// of returns the sum, over the time steps where it counts, of the entries at y, [n].
	of := func(scores, counts *Node) *Node {
		at := ReduceSum(Mul(y, scores), -1)
		return ReduceSum(Where(counts, at, ZerosLike(at)), 0)
	}
	valid, zero := LessThan(t, BroadcastToDims(length, T, n)), ZerosLike(t)
	score := of(o, valid)
	score = Add(score, of(BroadcastToDims(ExpandLeftToRank(start, 3), T, n, q), And(valid, Equal(t, zero))))
	score = Add(score, of(BroadcastToDims(ExpandLeftToRank(end, 3), T, n, q), Equal(AddScalar(t, 1), BroadcastToDims(length, T, n))))
	if T > 1 {
		before := Reshape(Dot(Reshape(Slice(y, AxisRange(0, T-1)), -1, q), A).Product(), T-1, n, q)
		pairs := Concatenate([]*Node{ZerosLike(Slice(y, AxisRange(0, 1))), before}, 0)
		score = Add(score, of(pairs, valid))
	}
	return score
}

// check panics when the scores and lengths do not fit each other.
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

// parameters returns A [q, q], start [q] and end [q], which are zero if the scope does not have them yet.
func parameters(scope *model.Scope, o *Node) (A, start, end *Node) {
	q := o.Shape().Dim(-1)
	parameter := func(name string, dims ...int) *Node {
		if v := scope.GetVariable(name); v != nil {
			return v.NodeValue(o.Graph())
		}
		zeros := tensors.FromShape(shapes.Make(o.DType(), dims...))
		return scope.VariableWithValue(name, zeros).NodeValue(o.Graph())
	}
	return parameter(nameA, q, q), parameter(nameStart, q), parameter(nameEnd, q)
}

// logSumExp returns log Σ exp(x) over an axis.
func logSumExp(x *Node, axis int) *Node {
	largest := StopGradient(ReduceMax(x, axis))
	return Add(largest, Log(ReduceSum(Exp(Sub(x, InsertAxes(largest, axis))), axis)))
}

// Transitions are the parameters outside of a graph.
type Transitions struct {
	A          [][]float64 // [q, q]: A[i][j] is the score of tag j after tag i; -Inf forbids it
	Start, End []float64   // [q]
}

// Read returns the parameters of a scope.
func Read(scope *model.Scope) (Transitions, error) {
	var all [3][]float64
	for i, name := range []string{nameA, nameStart, nameEnd} {
		v := scope.GetVariable(name)
		if v == nil {
			return Transitions{}, fmt.Errorf("crf: the scope %s has no parameter %s; build LogZ or Score in it first", scope.Scope(), name)
		}
		value, err := v.Value()
		if err != nil {
			return Transitions{}, err
		}
		if all[i], err = floats(value); err != nil {
			return Transitions{}, fmt.Errorf("crf: parameter %s: %w", name, err)
		}
	}
	t := Transitions{Start: all[1], End: all[2]}
	for q := len(t.Start); len(all[0]) >= q; all[0] = all[0][q:] {
		t.A = append(t.A, all[0][:q])
	}
	return t, nil
}

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
