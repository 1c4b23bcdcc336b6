package birnnlib

import (
	. "github.com/gomlx/gomlx/core/graph"
)

// A Cell is a recurrence: what one direction of one layer computes at one time step. [RNN], [LSTM] and [GRU] are cells;
// so is any other type with these methods.
//
// A [Differentiable] cell runs as a loop if the backend has loops. Any other cell is unrolled and has the gradient that
// GoMLX derives; its compile time grows with the number of time steps.
type Cell interface {
	// Layout returns the parameters and states of the cell with h hidden units.
	Layout(h int) Layout

	// Step computes the states after one time step, and whatever else Backward needs from it. It gets the weights in
	// the order of Layout.Weights, and the fields A, P and Before of the Moment.
	//
	// Step is called in the body of a loop, where GoMLX allows no nodes from outside, no helper that takes a number
	// (such as AddScalar or OneMinus; use [Constant] instead) and no reduction (use a product with ones).
	Step(w []*Node, m Moment) (after, saved []*Node)
}

// Differentiable is a [Cell] with a hand-written gradient.
type Differentiable interface {
	Cell

	// Backward goes one time step back: from the gradient of the loss with respect to the states after, it computes
	// those with respect to A, P and the states before (nil for none), and whatever else WeightGradients needs. It gets
	// transposed weight matrices. Like Step, it is called in the body of a loop.
	Backward(wT []*Node, m Moment, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node)

	// WeightGradients returns the gradient with respect to each weight, after the loop, from all time steps together:
	// the first axis of every node of m, dA and kept combines time and batch, [T·n, …]. With Recompute it is also
	// called in the body of a loop.
	WeightGradients(w []*Node, m Moment, dA *Node, kept []*Node) (dw []*Node)
}

// Moment holds the values of one time step t.
type Moment struct {
	A      *Node   // X_t W_x + b, [n, Layout.Columns], computed for all time steps at once before the recurrence
	P      *Node   // H_{t-1} as used in products, with some units zeroed by recurrent dropout; [n, h]
	Before []*Node // the states of t-1, H_{t-1} first
	After  []*Node // the states of t; nil in Step
	Saved  []*Node // what Step saved; nil in Step
}

// Layout lists the parameters and states of a cell. In the scope each name has the direction appended: "W_xh" becomes
// "W_xh^f" forward and "W_xh^b" backward.
type Layout struct {
	Wx      string                   // the name of the input weights W_x, [d, Columns]
	Bias    string                   // the name of their bias, [Columns]; "": no bias
	Columns int                      // the number of gates times h
	BiasAt  func(column int) float64 // the initial bias; nil: zero
	Weights []CellWeight             // all others
	States  []int                    // the size of each state; the hidden state H is the first
}

// CellWeight is a weight matrix or vector of a cell.
type CellWeight struct {
	Name string
	Dims []int
}

// times returns x w for x [n, a] and w [a, b].
func times(x, w *Node) *Node { return Dot(x, w).Product() }

// transposedTimes returns xᵀ y for x [n, a] and y [n, b]: the gradient of w in x w, where y is that of the product.
func transposedTimes(x, y *Node) *Node { return Dot(x, y).General([]int{0}, nil, []int{0}, nil) }

// sumRows returns the sum over the first axis of x [N, a]: a product, since a loop on XLA cannot reduce.
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
