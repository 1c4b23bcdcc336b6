package birnnlib

import (
	"slices"
	"sync"

	"birnn/birnnlib/internal/closures"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
	"k8s.io/klog/v2"
)

// A StepFunction computes one time step of a [Scan]. It gets the states before the time step and the entry at t of each
// sequence, and returns the states after, of the same shapes, and results of any shapes. It may use any GoMLX operation
// and any other node of the graph, such as weights. Functions inside it (While, If, Sort, another Scan) prevent the loop:
// the Scan is then unrolled.
type StepFunction func(before, at []*Node) (after, results []*Node)

// Loop configures a [Scan]. End with [Loop.Done].
type Loop struct {
	step               StepFunction
	initial, sequences []*Node
	steps              int
	reversed           bool
	unroll             int
	recompute          bool
	padding            padding
}

// Scan prepares the recurrence
//
//	states, results[t] = step(states, sequences[t])   for t = 0 … T-1
//
// from the initial states, of any shapes and dtypes, over sequences [T, …] of any dtypes.
//
// If the backend has loops (XLA does), step becomes the body of a loop, and compile time does not grow with T; otherwise
// (pure Go) the graph holds the step T times. Either way the last states and the results have a gradient with respect to
// the initial states, the sequences and every other node that step uses. A loop has no second derivatives.
//
// Products x W, where W does not depend on the time step, leave the loop where they can: those of an entry of a sequence
// are one product before it, and the gradient of W is one product after it.
//
// Scan calls step once to build a loop, so random numbers drawn in step, as for dropout, are the same at every time step.
// To have different ones, pass them as a sequence.
func Scan(step StepFunction, initial []*Node, sequences ...*Node) *Loop {
	return &Loop{step: step, initial: initial, sequences: sequences}
}

// Steps sets T for a Scan without sequences.
func (l *Loop) Steps(T int) *Loop {
	l.steps = T
	return l
}

// Reversed makes t run from T-1 to 0. The results stay in the order of t.
func (l *Loop) Reversed(reversed bool) *Loop {
	l.reversed = reversed
	return l
}

// Unroll sets the number of time steps in the body of the loop; with T or more there is no loop, and compile time grows
// with T. The default, 0, means 1 if the backend has loops, else T.
func (l *Loop) Unroll(steps int) *Loop {
	l.unroll = steps
	return l
}

// Recompute saves memory in training: only the states before every ⌈√T⌉-th time step are kept for the gradient, which
// recomputes the others. Without a loop it has no effect.
func (l *Loop) Recompute(recompute bool) *Loop {
	l.recompute = recompute
	return l
}

// Lengths sets the number of valid time steps of each of n sequences, as integers shaped [n] from 0 to T; the rest is
// padding. At padding the states do not change, the results are zero, and nothing depends on the values of the sequences.
// The first axis of every state and result, and the second one of every sequence, must be n.
func (l *Loop) Lengths(lengths *Node) *Loop {
	l.padding.lengths = lengths
	return l
}

// Mask marks valid time steps with true and padding with false; Bool, [T, n]. Use it in place of [Loop.Lengths] for padding
// inside a sequence.
func (l *Loop) Mask(mask *Node) *Loop {
	l.padding.mask = mask
	return l
}

// Done builds the recurrence. It returns the states after the last time step and the results, each [T, …].
func (l *Loop) Done() (last, results []*Node) {
	T, valid := l.check()
	sequences := slices.Clone(l.sequences)
	for i, x := range sequences {
		if valid != nil && x.DType().IsFloat() {
			sequences[i] = zeroPadding(x, valid) // since 0·∞ is NaN
		}
	}
	w := &walk{step: l.step, T: T, reversed: l.reversed, unroll: l.unroll}
	return w.withValid(valid).differentiable(l.initial, sequences, l.recompute)
}

// check panics when the arguments do not fit each other; it returns T and which time steps are not padding.
func (l *Loop) check() (T int, valid *Node) {
	if len(l.initial) == 0 {
		Panicf("birnnlib.Scan: no initial state given; pass one at least")
	}
	T = l.steps
	for i, x := range l.sequences {
		if x.Rank() == 0 {
			Panicf("birnnlib.Scan: sequence %d is the scalar %s; its first axis must be the time step", i+1, x.Shape())
		}
		if t := x.Shape().Dim(0); T == 0 {
			T = t
		} else if t != T {
			Panicf("birnnlib.Scan: sequence %d is %s; its first axis must be T = %d, as in what was given before", i+1, x.Shape(), T)
		}
	}
	if T < 1 {
		Panicf("birnnlib.Scan: there are %d time steps; pass a sequence, or Steps(T) with T > 0", T)
	}
	if l.unroll < 0 {
		Panicf("birnnlib.Scan: Unroll got %d; give a number of time steps, or 0 for the default", l.unroll)
	}
	if valid = l.padding.valid("birnnlib.Scan", T); valid == nil {
		return T, nil
	}
	n := valid.Shape().Dim(1)
	for i, s := range l.initial {
		if s.Rank() < 1 || s.Shape().Dim(0) != n {
			Panicf("birnnlib.Scan: state %d is %s; with Lengths or Mask its first axis must be the batch, %d", i+1, s.Shape(), n)
		}
	}
	for i, x := range l.sequences {
		if x.Rank() < 2 || x.Shape().Dim(1) != n {
			Panicf("birnnlib.Scan: sequence %d is %s; with Lengths or Mask its second axis must be the batch, %d", i+1, x.Shape(), n)
		}
	}
	return T, valid
}

// A walk applies step to time steps 0 … T-1 of sequences, or, reversed, to T-1 … 0.
type walk struct {
	step     StepFunction
	T        int
	reversed bool
	unroll   int   // time steps in a round of the loop; 0: the default
	valid    *Node // [T, n] of Bool; nil: all are
}

// withValid returns the walk with padding, where the states do not change, so that a reversed walk starts at the last valid
// step, and the results are zero.
func (w walk) withValid(valid *Node) *walk {
	w.valid = valid
	return &w
}

// prepare returns the step and the sequences with padding among them.
func (w *walk) prepare(sequences []*Node) (StepFunction, []*Node) {
	if w.valid == nil {
		return w.step, sequences
	}
	step := func(before, at []*Node) (after, results []*Node) {
		at, valid := at[:len(at)-1], at[len(at)-1]
		after, results = w.step(slices.Clone(before), at)
		after, results = slices.Clone(after), slices.Clone(results)
		for i := range after {
			after[i] = Where(spread(valid, after[i]), after[i], before[i])
		}
		for i := range results {
			results[i] = zeroPadding(results[i], valid)
		}
		return after, results
	}
	return step, append(slices.Clone(sequences), w.valid)
}

// padding is set by Lengths or Mask.
type padding struct{ lengths, mask *Node }

// valid returns which time steps of which sequences are not padding, [T, n] of Bool; nil if all are. It panics when the lengths or
// the mask do not fit T.
func (p padding) valid(who string, T int) *Node {
	switch lengths, mask := p.lengths, p.mask; {
	case lengths != nil && mask != nil:
		Panicf("%s: both Lengths and Mask were given; give one of them", who)
	case lengths != nil:
		if !lengths.DType().IsInt() || lengths.Rank() != 1 {
			Panicf("%s: Lengths got %s; it must be integers shaped [batch]", who, lengths.Shape())
		}
		return validSteps(lengths, T)
	case mask != nil:
		if mask.DType() != dtypes.Bool || mask.Rank() != 2 || mask.Shape().Dim(0) != T {
			Panicf("%s: Mask got %s; it must be Bool, [time step, batch] with %d time steps", who, mask.Shape(), T)
		}
		return mask
	}
	return nil
}

// validSteps returns which time steps of which sequences are not padding, [T, n] of Bool.
func validSteps(lengths *Node, T int) *Node {
	n := lengths.Shape().Dim(0)
	t := Iota(lengths.Graph(), shapes.Make(dtypes.Int64, T, n), 0)
	return LessThan(t, BroadcastToDims(InsertAxes(ConvertDType(lengths, dtypes.Int64), 0), T, n))
}

// spread broadcasts valid, whose axes are the first ones of x, to the shape of x.
func spread(valid, x *Node) *Node {
	dims := append(slices.Clone(valid.Shape().Dimensions), slices.Repeat([]int{1}, x.Rank()-valid.Rank())...)
	return BroadcastToDims(Reshape(valid, dims...), x.Shape().Dimensions...)
}

// zeroPadding returns x with zeros where valid, whose axes are the first ones of x, is false; without any, x.
func zeroPadding(x, valid *Node) *Node {
	if valid == nil {
		return x
	}
	return Where(spread(valid, x), x, ZerosLike(x))
}

// run returns the last states and the results, each [T, …], in the order of time. They have no gradient, unless they are
// unrolled.
func (w *walk) run(states, sequences []*Node) (last, results []*Node) {
	body, all := w.body(states, sequences)
	if body == nil {
		return w.unrolled(states, sequences)
	}
	all, _ = body.hoist(all)
	return body.loop(w, states, all)
}

// body returns the traced step of a loop, and the sequences that it reads, with padding among them; nil if the walk has to
// be unrolled.
func (w *walk) body(states, sequences []*Node) (body *tracedStep, all []*Node) {
	if w.looped(states[0].Graph()) == 0 {
		return nil, nil
	}
	step, all := w.prepare(sequences)
	if body = traceStep(step, states, all); !body.canLoop() {
		return nil, nil
	}
	return body, all
}

// looped returns the number of time steps in a round of the loop, 0 without a loop.
func (w *walk) looped(g *Graph) int {
	switch {
	case !canLoop(g.Backend()), w.unroll >= w.T, w.T == 1:
		return 0
	case w.unroll == 0:
		return 1
	}
	return w.unroll
}

// many is the number of time steps above which a graph without a loop is worth a warning.
const many = 200

var warnUnrolled sync.Once

// unrolled is run without a loop: a graph that grows with T.
func (w *walk) unrolled(states, sequences []*Node) (last, results []*Node) {
	if w.T > many && w.unroll < w.T {
		warnUnrolled.Do(func() {
			klog.Warningf("birnnlib: %d time steps are unrolled, since backend %q has no loops or the step contains one; "+
				"compile time and memory grow with T (reported once)", w.T, states[0].Graph().Backend().Name())
		})
	}
	step, sequences := w.prepare(sequences)
	var each [][]*Node // for each result its values at all time steps
	at := make([]*Node, len(sequences))
	for i := range w.T {
		t := i
		if w.reversed {
			t = w.T - 1 - i
		}
		for k, s := range sequences {
			at[k] = Squeeze(Slice(s, AxisElem(t)), 0)
		}
		after, now := step(slices.Clone(states), slices.Clone(at))
		checkStep(states, after)
		states = after
		for k, y := range now {
			if i == 0 {
				each = append(each, make([]*Node, w.T))
			}
			each[k][t] = y
		}
	}
	for _, values := range each {
		results = append(results, Stack(values, 0))
	}
	return states, results
}

// checkStep panics when a step returned other states than it got.
func checkStep(before, after []*Node) {
	if len(after) != len(before) {
		Panicf("birnnlib.Scan: the step got %d states and returned %d", len(before), len(after))
	}
	for i := range before {
		if !after[i].Shape().Equal(before[i].Shape()) {
			Panicf("birnnlib.Scan: the step got state %d as %s and returned it as %s", i+1, before[i].Shape(), after[i].Shape())
		}
	}
}

// tracedStep is a step that was traced: its placeholders are the states, then the entries of the sequences, its outputs the
// states, then the results.
type tracedStep struct {
	*traced
	states int
}

func traceStep(step StepFunction, states, sequences []*Node) *tracedStep {
	like := slices.Clone(states)
	for _, x := range sequences {
		like = append(like, Squeeze(Slice(x, AxisElem(0)), 0))
	}
	return &tracedStep{trace(like, func(p []*Node) []*Node {
		before, at := p[:len(states)], p[len(states):]
		after, results := step(slices.Clone(before), slices.Clone(at))
		checkStep(before, after)
		return slices.Concat(after, results)
	}), len(states)}
}

// results are those of the step, traced.
func (b *tracedStep) results() []*Node { return b.outputs[b.states:] }

// canLoop reports whether the step may become the body of a loop.
func (b *tracedStep) canLoop() bool {
	_, fresh := closures.Fresh(b.outputs[0].Graph())
	return !b.any(func(n *Node) bool {
		switch n.Type() {
		case NodeTypeWhile, NodeTypeIf, NodeTypeCall, NodeTypeSort:
			return true // their functions belong to the main function
		}
		return !fresh && closures.Needed(n)
	})
}

// hoist takes the products of sequences out of the step: it reads them from further sequences, which hoist adds. It returns
// the other products whose weight is used in nothing else.
func (b *tracedStep) hoist(sequences []*Node) (all []*Node, others []product) {
	products, only := b.products()
	for _, p := range products {
		if i := slices.Index(b.placeholders, p.x) - b.states; i >= 0 {
			sequences = append(sequences, p.over(sequences[i]))
			b.placeholders = append(b.placeholders, p.y)
		} else if only[p.w] {
			others = append(others, p)
		}
	}
	b.captureAll()
	return sequences, others
}

// loop is run as a loop.
func (b *tracedStep) loop(w *walk, states, sequences []*Node) (last, results []*Node) {
	state := slices.Clone(states)
	for i, y := range b.results() {
		state = append(state, room(sequences, i, w.T, y))
	}
	state = w.rounds(slices.Concat(sequences, b.captured), state, func(p *Node, constants, state []*Node) []*Node {
		sequences, captured := constants[:len(sequences)], constants[len(sequences):]
		return b.apply(w.time(p), sequences, captured, state)
	})
	return state[:len(states)], state[len(states):]
}

// apply returns the state, which is states and places for results, after time step t.
func (b *tracedStep) apply(t *Node, sequences, captured, state []*Node) (next []*Node) {
	next = b.again(slices.Concat(state[:b.states], entries(sequences, t)), captured)
	for k, y := range next[b.states:] {
		next[b.states+k] = put(state[b.states+k], InsertAxes(y, 0), t)
	}
	return next
}

// rounds repeats round for p = 0 … T-1, with as many of them in a round of the loop as Unroll says.
func (w *walk) rounds(constants, state []*Node, round func(p *Node, constants, state []*Node) []*Node) []*Node {
	g := state[0].Graph()
	unroll := w.looped(g)
	count := w.T / unroll
	state = repeat(count, constants, state, func(i *Node, constants, state []*Node) []*Node {
		for u := range unroll {
			p := i
			if unroll > 1 {
				p = Add(Mul(i, Const(i.Graph(), int32(unroll))), Const(i.Graph(), int32(u)))
			}
			state = round(p, constants, state)
		}
		return state
	})
	// The remainder follows without a loop.
	for p := count * unroll; p < w.T; p++ {
		state = round(Const(g, int32(p)), constants, state)
	}
	return state
}

// time returns t of the p-th time step that is walked.
func (w *walk) time(p *Node) *Node {
	if w.reversed {
		return Sub(Const(p.Graph(), int32(w.T-1)), p)
	}
	return p
}

// repeat returns the state after count rounds of a loop, state = body(i, constants, state) for i = 0 … count-1. The
// body must use neither nodes from outside nor helpers such as AddScalar, whose constants are shared across the graph; a
// traced step has neither.
func repeat(count int, constants, state []*Node, body func(i *Node, constants, state []*Node) []*Node) []*Node {
	g := state[0].Graph()
	// All that the loop reads or writes is passed from round to round.
	carried := slices.Concat([]*Node{Const(g, int32(0))}, state, constants)
	closure := func(f func(p []*Node) []*Node) *Function {
		restore, _ := closures.Fresh(g)
		defer restore()
		return NewClosure(g, func(g *Graph) []*Node {
			p := make([]*Node, len(carried))
			for i, c := range carried {
				p[i] = Parameter(g, "", c.Shape())
			}
			return f(p)
		})
	}
	condition := closure(func(p []*Node) []*Node { return []*Node{LessThan(p[0], Const(g, int32(count)))} })
	round := closure(func(p []*Node) []*Node {
		i, state, constants := p[0], p[1:1+len(state)], p[1+len(state):]
		return slices.Concat([]*Node{Add(i, Const(g, int32(1)))}, body(i, constants, state), constants)
	})
	return While(condition, round, carried...)[1 : 1+len(state)]
}

// room allocates T entries like y, all of which the loop overwrites. XLA would copy a constant for each loop at the start
// of the program, and a shared value for each place, so room fills each place with a different entry of what the loop
// reads.
func room(sequences []*Node, place, T int, y *Node) *Node {
	dims := append([]int{T}, y.Shape().Dimensions...)
	if len(sequences) == 0 || !y.DType().IsFloat() && !y.DType().IsInt() {
		return Zeros(y.Graph(), shapes.Make(y.DType(), dims...))
	}
	x := sequences[0]
	number := first(Slice(x, AxisRangeToEnd(place%x.Shape().Dim(0))))
	return BroadcastToDims(ConvertDType(number, y.DType()), dims...)
}

// entries returns entry t of each sequence.
func entries(sequences []*Node, t *Node) []*Node {
	at := make([]*Node, len(sequences))
	for k, x := range sequences {
		at[k] = entry(x, t)
	}
	return at
}

// entry returns entry t of x, along the first axis.
func entry(x, t *Node) *Node {
	dims := slices.Clone(x.Shape().Dimensions)
	dims[0] = 1
	return Squeeze(DynamicSlice(x, position(t, x.Rank()), dims), 0)
}

// put returns x with part in it from t on, along the first axis.
func put(x, part, t *Node) *Node { return DynamicUpdateSlice(x, part, position(t, x.Rank())) }

// position returns the start of time step t in a sequence of that rank.
func position(t *Node, rank int) []*Node {
	start := []*Node{t}
	for range rank - 1 {
		start = append(start, Const(t.Graph(), int32(0)))
	}
	return start
}

// canLoop reports whether the backend has all that a loop needs. GoMLX's pure-Go backend has no dynamic slices. (XLA does
// not list its While, which it has.)
func canLoop(b compute.Backend) bool {
	c := b.Capabilities()
	return c.Functions && c.Operations[compute.OpTypeDynamicSlice] && c.Operations[compute.OpTypeDynamicUpdateSlice]
}
