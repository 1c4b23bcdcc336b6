package birnnlib

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// A Cell computes one time step of one direction of one layer. [RNN], [LSTM] and [GRU] are cells; any type with these two
// methods is one. Step may use any GoMLX operation and runs as the step of a [Scan], a loop if the backend has loops, with
// the gradient that GoMLX derives. (RNN, LSTM and GRU have a hand-written one for their usual activations, except with
// [BiRNN.Recompute].)
type Cell interface {
	// Layout returns the parameters and states of the cell with h hidden units.
	Layout(h int) Layout

	// Step returns the states after one time step, [n, Layout.States[i]] each. It gets the weights in the order of
	// Layout.Weights.
	Step(w []*Node, m Moment) (after []*Node)
}

// Moment holds the values of one time step t.
type Moment struct {
	A      *Node   // X_t W_x + b, [n, Layout.Columns]
	P      *Node   // H_{t-1} as used in products, with some units zeroed by recurrent dropout; as H_{t-1}
	Before []*Node // the states of t-1, H_{t-1} first
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

// formulated is a [Cell] with a hand-written gradient. In loops, the derived one takes 1.1 times as long for an LSTM and 1.2
// for a GRU, and keeps more (birnnlib/benchmarks/README.md); an RNN's is as fast, and has a hand-written one for pure Go,
// where loops are unrolled and the gradient of the weights is still a single product for all time steps.
type formulated interface {
	Cell

	// usual reports whether the activations are those of the hand-written gradient.
	usual() bool

	// forward is Step, and also returns whatever else backward needs.
	forward(w []*Node, m Moment) (after, saved []*Node)

	// backward goes one time step back: from the gradient of the loss with respect to the states after, it computes
	// those with respect to A, P and the states before (nil for zero), and whatever else weightGradients needs. It gets
	// transposed weight matrices.
	backward(wT []*Node, m past, dAfter []*Node) (dA, dP *Node, dBefore, kept []*Node)

	// weightGradients returns the gradient with respect to each weight from all time steps together: the first axis of
	// every node of m, dA and kept combines time and batch, [T·n, …].
	weightGradients(w []*Node, m past, dA *Node, kept []*Node) (dw []*Node)
}

// past holds the values of a time step that forward has computed.
type past struct {
	Moment
	After []*Node // the states of t
	Saved []*Node // what forward saved
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

// sumRows returns the sum over the first axis of x [N, a]: as a product, which pure Go computes faster.
func sumRows(x *Node) *Node {
	return Dot(Ones(x.Graph(), shapes.Make(x.DType(), x.Shape().Dim(0))), x).Product()
}

// scale returns x [n, h] with each column multiplied by its entry of v [h].
func scale(x, v *Node) *Node { return Mul(x, InsertAxes(v, 0)) }

// gates cuts x [n, k·h] into its k gates, each [n, h].
func gates(x *Node, k int) []*Node {
	h := x.Shape().Dim(1) / k
	parts := make([]*Node, k)
	for i := range parts {
		parts[i] = Slice(x, AxisRange(), AxisRange(i*h, (i+1)*h))
	}
	return parts
}

// activate returns φ(z), where nil stands for the usual activation.
func activate(φ, usual func(z *Node) *Node, z *Node) *Node {
	if φ == nil {
		return usual(z)
	}
	y := φ(z)
	if !y.Shape().Equal(z.Shape()) {
		Panicf("birnnlib: an activation of the cell got %s and returned %s; it must work entry by entry", z.Shape(), y.Shape())
	}
	return y
}

// The derivatives of the sigmoid and of tanh, by their values.
func sigmoidSlope(y *Node) *Node { return Mul(y, OneMinus(y)) }
func tanhSlope(y *Node) *Node    { return OneMinus(Mul(y, y)) }
