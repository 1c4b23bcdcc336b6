package birnnlib

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// Embedding builds the embedding layer X = E[x]. E is the table with these q rows and d columns, and x [...] holds integers
// from 0 to q-1 (see [CheckIndices]), each of which selects a row; it returns X [..., d] of the dtype of the table. As
// an input of [New], x is [T, n] and X [T, n, d]. The initializer is as in [Output].
func Embedding(scope *model.Scope, x *Node, table shapes.Shape, initializer ...Initializer) *Node {
	if table.Rank() != 2 || table.Size() < 1 || !table.DType.IsFloat() {
		Panicf("birnnlib.Embedding: the table is %s; it must be [q, d] of a float type", table)
	}
	if !x.DType().IsInt() {
		Panicf("birnnlib.Embedding: x is %s; it must hold the indices of rows, of an integer type", x.Shape())
	}
	e := parameter(scope, initializer, x.Graph(), "E", table.DType, Weight{Dims: table.Dimensions}, nil)
	return project(x, e, nil)
}
