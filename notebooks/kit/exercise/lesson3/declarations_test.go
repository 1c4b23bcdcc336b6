package lesson3_test

import (
	"slices"

	"birnn/birnnlib"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// What the solutions use of the lesson.

// count returns the number of parameters, by the formula, for d inputs and q outputs.
func count(d int, sizes []birnnlib.Sizes, q int) (parameters int) {
	for _, s := range sizes {
		parameters += s.Forward*(d+s.Forward+1) + s.Backward*(d+s.Backward+1)
		d = s.Forward + s.Backward
	}
	return parameters + (d+1)*q
}

// A network is what is trained: its hidden layers, the seed of its parameters, and what comes later in the lesson.
type network struct {
	sizes                     []birnnlib.Sizes
	cell                      birnnlib.Cell
	seed                      uint64
	dropout, recurrentDropout float64
	residual                  bool
}

// logits returns O_t [T-2K, n, 2]; the K steps at either end have no label.
func (w network) logits(scope *model.Scope, x *Node, K int) *Node {
	T, initial := x.Shape().Dim(0), birnnlib.Glorot().Seed(w.seed)
	H, _ := birnnlib.New(scope, x, w.sizes...).Cell(w.cell).Initializer(initial).Residual(w.residual).
		Dropout(w.dropout).RecurrentDropout(w.recurrentDropout).Done()
	return Slice(birnnlib.Output(scope, H, 2, initial), AxisRange(K, T-K))
}

// loss builds the mean cross-entropy of the rows x, y.
func (w network) loss(K int) func(scope *model.Scope, xy []*Node) *Node {
	return func(scope *model.Scope, xy []*Node) *Node {
		return birnnlib.CrossEntropy(w.logits(scope, xy[0], K), xy[1])
	}
}

// tanh is the cell of the formulas, with tanh as φ.
var tanh = birnnlib.RNN{Activation: activation.TypeTanh}

// within returns the sizes of so many equal layers: the widest for which a network with 1 input and 2 outputs
// has no more parameters than the budget.
func within(layers, budget int) []birnnlib.Sizes {
	s := birnnlib.Sizes{Forward: 1, Backward: 1}
	for {
		wider := s
		if s.Forward > s.Backward {
			wider.Backward++
		} else {
			wider.Forward++
		}
		if count(1, slices.Repeat([]birnnlib.Sizes{wider}, layers), 2) > budget {
			return slices.Repeat([]birnnlib.Sizes{s}, layers)
		}
		s = wider
	}
}
