package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// A Cell is a recurrence: what one direction of one layer computes at one time step. [RNN], [LSTM] and [GRU] are cells;
// so is any type of one's own with these methods.
//
// A cell that also has the methods of [Differentiable] runs as a loop where the backend has loops. One that has not runs
// unrolled, with the gradient that GoMLX derives: it then compiles for longer the more time steps there are.
type Cell interface {
	// Layout tells which parameters and states the cell has with h hidden units.
	Layout(h int) Layout

	// Step computes the states after one time step, and whatever else of it Backward wants to have. It gets the weights
	// in the order of Layout.Weights, and of the Moment A, P and Before.
	//
	// It is called in the body of a loop, where GoMLX takes no nodes from outside, no helper with a number in it (such
	// as AddScalar or OneMinus; use [Constant] instead) and no reduction (use a product with ones).
	Step(w []*Node, m Moment) (after, saved []*Node)
}

// Differentiable is what a [Cell] needs to have a gradient of its own.
type Differentiable interface {
	Cell

	// Backward goes one time step back: from the gradient of the loss with respect to the states after, it computes
	// those with respect to A, P and the states before (nil for none), and whatever else WeightGradients wants to have.
	// It gets the weight matrices transposed, as it needs them. It is called in the body of a loop, as Step is.
	Backward(wT []*Node, m Moment, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node)

	// WeightGradients returns the gradient with respect to each weight, after the loop, from all time steps together:
	// the first axis of every node of m, dA and kept is time and batch in one, [T·n, …]. With Recompute it is called in the
	// body of a loop too.
	WeightGradients(w []*Node, m Moment, dA *Node, kept []*Node) (dw []*Node)
}

// Moment is what belongs to one time step t.
type Moment struct {
	A      *Node   // X_t W_x + b, [n, Layout.Columns], computed for all time steps at once before the recurrence
	P      *Node   // H_{t-1} as it goes into products: with variational dropout, some units of it are zero; [n, h]
	Before []*Node // the states of t-1, H_{t-1} first
	After  []*Node // the states of t; nil in Step
	Saved  []*Node // what Step saved; nil in Step
}

// Layout is the parameters and states of a cell. In the scope, the name of the direction is appended to each name: "W_xh"
// becomes "W_xh^f" forward and "W_xh^b" backward.
type Layout struct {
	Wx      string                   // the name of the input weights W_x, [d, Columns]
	Bias    string                   // the name of their bias, [Columns]; "": there is none
	Columns int                      // the hidden units, once for each gate
	BiasAt  func(column int) float64 // what the bias starts with; nil: zero
	Weights []CellWeight             // all others
	States  []int                    // the size of each state; the hidden state H is the first
}

// CellWeight is a weight matrix or a vector of a cell, by its dimensions.
type CellWeight struct {
	Name string
	Dims []int
}

// times returns x w for x [n, a] and w [a, b].
func times(x, w *Node) *Node { return Dot(x, w).Product() }

// transposedTimes returns xᵀ y for x [n, a] and y [n, b]: the gradient of w in x w, where y is that of the product.
func transposedTimes(x, y *Node) *Node {
	if nodeByNode(x.Graph()) { // which would transpose both
		return times(Transpose(x, 0, 1), y)
	}
	return Dot(x, y).General([]int{0}, nil, []int{0}, nil)
}

// sumRows returns the sum over the first axis of x [N, a]: a product, since a loop of XLA's cannot reduce.
func sumRows(x *Node) *Node {
	return Dot(BroadcastToDims(Constant(x, 1), x.Shape().Dim(0)), x).Product()
}

// gates cuts x [n, k·h] into its k gates, each [n, h].
func gates(x *Node, k int) []*Node {
	h := x.Shape().Dim(1) / k
	parts := make([]*Node, k)
	for i := range parts {
		parts[i] = Slice(x, AxisRange(), AxisRange(i*h, (i+1)*h))
	}
	return parts
}

// The derivatives of the sigmoid and of tanh, by their values.
func sigmoidSlope(y *Node) *Node { return Mul(y, Sub(Constant(y, 1), y)) }
func tanhSlope(y *Node) *Node    { return Sub(Constant(y, 1), Mul(y, y)) }
