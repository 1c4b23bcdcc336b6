// Package birnnlib implements recurrent networks on GoMLX: bidirectional, of any depth, with any cell.
//
// For a mini-batch of n sequences with d inputs, let X_t ∈ R^(n×d) be the input at time step t. A forward and a
// backward hidden state, of h_f and h_b units, are computed with an activation φ, and the output layer reads their
// concatenation:
//
//	H_t^f = φ(X_t W_xh^f + H_{t-1}^f W_hh^f + b_h^f)     ∈ R^(n×h_f)
//	H_t^b = φ(X_t W_xh^b + H_{t+1}^b W_hh^b + b_h^b)     ∈ R^(n×h_b)
//	H_t   = [H_t^f, H_t^b]                               ∈ R^(n×(h_f+h_b))
//	O_t   = H_t W_hq + b_q                               ∈ R^(n×q)
//
// The state at every time step thus depends on the inputs before it and on the inputs after it. With several hidden
// layers, H_t of one layer is the input X_t of the next; the sizes may differ by layer and by direction.
//
// [New] builds the hidden layers, [Output] the output layer and [CrossEntropy] the loss, inside a GoMLX [model.Scope]
// that holds the parameters under the names of the formulas ([Embedding] adds a table E of inputs):
//
//	| name in the scope | formula | shape        |
//	| ----------------- | ------- | ------------ |
//	| layer_1/W_xh^f    | W_xh^f  | [d, h_f]     |
//	| layer_1/W_hh^f    | W_hh^f  | [h_f, h_f]   |
//	| layer_1/b_h^f     | b_h^f   | [h_f]        |
//	| layer_1/W_xh^b    | W_xh^b  | [d, h_b]     |
//	| layer_1/W_hh^b    | W_hh^b  | [h_b, h_b]   |
//	| layer_1/b_h^b     | b_h^b   | [h_b]        |
//	| W_hq              | W_hq    | [h_f+h_b, q] |
//	| b_q               | b_q     | [q]          |
//
// These are the parameters of the cell [RNN]. In its place each direction can have an [LSTM], a [GRU], one of them with
// layer normalisation inside, a [MinGRU] or [MinLSTM], or a custom [Cell]; their documentation gives their formulas and
// parameters. A recurrence that is no cell is a [Scan] or, if it is linear, a [LinearScan].
//
// Sequences are time-major, [time step, batch, feature], as in the formulas; X_t is x[t]. [BiRNN.BatchMajor] changes
// that.
//
// # One recurrence
//
// The products X_t W_x of all time steps are one product before the recurrence, the gates of a cell are stacked into
// one product inside it, and the gradient of each weight is one product after it. On XLA the recurrence is a loop,
// whose time to compile does not grow with the number of time steps; on GoMLX's pure-Go backend, which has no loops, it
// is unrolled. RNN, LSTM and GRU with their usual activations have hand-written gradients; those of other cells are derived,
// and a minGRU or minLSTM is a [LinearScan]. [BiRNN.Recompute] trades time for memory: it takes the products into the loop and
// derives the gradient.
//
// # Which output is the last state
//
// [BiRNN.Done] returns the final states with the outputs. The forward direction ends in the last output, h[T-1] (or
// h[length-1] with [BiRNN.Lengths]); the backward direction ends in the first, h[0].
//
// # Panics
//
// Like GoMLX's layers, the graph-building functions panic with an error that names the argument, its shape and the
// expected one; GoMLX's executors return such a panic as an error.
//
// # What a layer changes in its backend
//
// Building a layer lifts the default limit of GoMLX's pure-Go backend, 2·GOMAXPROCS operations at once, with which networks of
// several layers can deadlock (compute up to v0.1.6). A limit that you set stays: open the backend with its option
// parallelism and any other number, as in GOMLX_BACKEND=go:parallelism=64; 0 runs one operation at a time.
//
// # Unused parameters in pure Go
//
// In pure Go, a graph fails with “index out of range” if no output needs the parameters that it made last (compute v0.1.6): for
// example the weights of the backward direction, if you return only the forward outputs of [BiRNN.DoneApart]. Return those of
// both directions.
//
// # Packages
//
// [birnn/birnnlib/torch] exchanges weights with PyTorch and Keras, [birnn/birnnlib/backend] chooses between XLA and
// pure Go, and [birnn/birnnlib/backend/plugin] installs the XLA plugin. The packages below birnnlib/examples are models
// built on this one, and what they share: [birnn/birnnlib/examples/charlm] is the character-level language model of lesson 1.
//
// Source: M. Schuster and K. K. Paliwal, Bidirectional recurrent neural networks, IEEE Transactions on Signal
// Processing 45 (11), 1997; the notation is that of A. Zhang, M. Li, Z. C. Lipton and A. J. Smola, Dive into Deep
// Learning, chapter 6.10 of the first Chinese edition.
package birnnlib
