package birnnlib

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// check panics if the arguments are inconsistent.
func (b *BiRNN) check() {
	shape := b.x.Shape()
	axes := "[time step, batch"
	if b.batchMajor {
		axes = "[batch, time step"
	}
	given := shape.String() // as the caller knows it
	if b.batchMajor && shape.Rank() > 1 {
		given = Transpose(b.x, 0, 1).Shape().String()
	}
	switch {
	case shape.DType.IsFloat() && b.inputs != 0:
		Panicf("birnnlib: OneHot(%d) was given, but x is %s; pass one-hot inputs as indices, %s] of an integer type", b.inputs, given, axes)
	case shape.DType.IsFloat() && shape.Rank() != 3:
		Panicf("birnnlib: x is %s; inputs of a float type must be %s, feature]", given, axes)
	case shape.DType.IsInt() && shape.Rank() != 2:
		Panicf("birnnlib: x is %s; indices must be %s]", given, axes)
	case shape.DType.IsInt() && b.inputs < 1:
		Panicf("birnnlib: x is %s, the indices of one-hot vectors; set their size with OneHot(d), d > 0", given)
	case !shape.DType.IsFloat() && !shape.DType.IsInt():
		Panicf("birnnlib: x is %s; it must be of a float type, or of an integer type with OneHot", given)
	case shape.DType.IsFloat() && b.dtype != shape.DType:
		Panicf("birnnlib: DType(%s) was given, but x is %s; convert x instead", b.dtype, given)
	case slices.Min(shape.Dimensions) < 1:
		Panicf("birnnlib: x is %s; every axis must have at least one entry", given)
	case b.forward == nil || b.back == nil:
		Panicf("birnnlib: Cells got a nil cell; pass one for each direction, even if the direction has no units")
	case b.merge < MergeConcat || b.merge > MergeProduct:
		Panicf("birnnlib: unknown %s; use MergeConcat, MergeSum, MergeMean or MergeProduct", b.merge)
	case b.unroll < 0:
		Panicf("birnnlib: Unroll got %d; pass a number of time steps, or 0 for the default", b.unroll)
	}
	for name, rate := range map[string]float64{"Dropout": b.dropout, "RecurrentDropout": b.recurrentDropout} {
		if !(rate >= 0 && rate < 1) {
			Panicf("birnnlib: %s got the rate %g; it must be at least 0 and below 1", name, rate)
		}
	}
	for _, cell := range []Cell{b.forward, b.back} {
		if _, linear := cell.(linearCell); linear && b.recurrentDropout > 0 {
			Panicf("birnnlib: RecurrentDropout(%g) was given, but %T has no product with H_{t-1}; use Dropout", b.recurrentDropout, cell)
		}
	}
	n := shape.Dim(1)
	if b.initial != nil && len(b.initial) != len(b.sizes) {
		Panicf("birnnlib: InitialStates got %d states for %d layers; pass one per layer", len(b.initial), len(b.sizes))
	}
	b.checkStateful()
	for l, s := range b.initial {
		b.checkState(l, "forward", s.Forward, b.forward, n, b.sizes[l].Forward)
		b.checkState(l, "backward", s.Backward, b.back, n, b.sizes[l].Backward)
	}
	if b.lengths != nil && b.mask != nil {
		Panicf("birnnlib: both Lengths and Mask were given; use only one")
	}
	if b.lengths != nil && (!b.lengths.DType().IsInt() || b.lengths.Rank() != 1 || b.lengths.Shape().Dim(0) != n) {
		Panicf("birnnlib: Lengths got %s; it must be integers shaped [batch] = [%d]", b.lengths.Shape(), n)
	}
	if b.mask != nil && (b.mask.DType() != dtypes.Bool || !slices.Equal(b.mask.Shape().Dimensions, shape.Dimensions[:2])) {
		Panicf("birnnlib: Mask got %s, for x %s; it must be Bool, %s]", b.mask.Shape(), given, axes)
	}
}

func (b *BiRNN) checkState(l int, direction string, states []*Node, cell Cell, n, units int) {
	if len(states) == 0 {
		return
	}
	if units == 0 {
		Panicf("birnnlib: layer %d has an initial %s state, but no %s units", l+1, direction, direction)
	}
	sizes := cell.Layout(units).States
	if len(states) != len(sizes) {
		Panicf("birnnlib: the initial %s state of layer %d has %d parts; its cell has %d", direction, l+1, len(states), len(sizes))
	}
	for i, s := range states {
		if s != nil && (s.DType() != b.dtype || s.Rank() != 2 || s.Shape().Dim(0) != n || s.Shape().Dim(1) != sizes[i]) {
			Panicf("birnnlib: part %d of the initial %s state of layer %d is %s; it must be (%s)[batch, hidden] = [%d, %d]",
				i+1, direction, l+1, s.Shape(), b.dtype, n, sizes[i])
		}
	}
}

// ofLayer matches the paths of parameters below the scope of a network.
var ofLayer = regexp.MustCompile(`^layer_([0-9]+)/[^/]+\^([fb])$`)

// checkWhole panics if the scope has matrices of layers or directions that the network does not have: it would be smaller than
// the one that was saved or imported. A part of a network that is in the graph already is built on purpose.
func (b *BiRNN) checkWhole() {
	root := strings.TrimSuffix(b.scope.Scope(), model.ScopeSeparator) + model.ScopeSeparator
	var unused []string
	for v := range b.scope.IterVariables() {
		match := ofLayer.FindStringSubmatch(strings.TrimPrefix(v.Path(), root))
		if match == nil || v.Shape().Rank() < 2 || carriedName.MatchString(v.Path()) || v.InUseByGraph(b.x.Graph()) {
			continue
		}
		units := 0
		if l, err := strconv.Atoi(match[1]); err == nil && 1 <= l && l <= len(b.sizes) {
			if units = b.sizes[l-1].Forward; match[2] == "b" {
				units = b.sizes[l-1].Backward
			}
		}
		if units == 0 {
			unused = append(unused, v.Path())
		}
	}
	if len(unused) > 0 {
		slices.Sort(unused)
		Panicf("birnnlib: the scope %s has %s, which a network of %d layers with the sizes %v does not use; pass New the sizes of the saved or "+
			"imported network, or use another scope; to use only a part of it, build the whole network first, and the part in scope.ResetVisited()",
			b.scope.Scope(), strings.Join(unused, ", "), len(b.sizes), b.sizes)
	}
}
