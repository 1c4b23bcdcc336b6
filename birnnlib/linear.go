package birnnlib

import (
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	. "github.com/gomlx/gomlx/support/exceptions"
)

// LinearForm is a way to compute a [LinearScan].
type LinearForm int

// The forms of a LinearScan. They compute the same function and round differently.
const (
	LinearDefault     LinearForm = iota // the faster one, by measurement: see fastest
	LinearSequential                    // one time step after the other, as a [Scan]
	LinearAssociative                   // in ⌊log₂ T⌋ levels, each over many time steps at once
)

// LinearLoop configures a [LinearScan]. End with [LinearLoop.Done].
type LinearLoop struct {
	a, b, initial *Node
	reversed      bool
	form          LinearForm
	padding       padding
}

// LinearScan prepares the linear recurrence
//
//	h_t = a_t ⊙ h_{t-1} + b_t   for t = 0 … T-1
//
// for a and b [T, …] of the same shape and float dtype, from h_{-1} = initial, shaped as one of their entries; nil for zeros.
//
// Since it is linear, it can be computed in ⌊log₂ T⌋ levels: (a, b) stands for h ↦ a h + b, and the composition of two such
// functions, (a₂ a₁, a₂ b₁ + b₂), is associative. Its gradient is a linear recurrence in the other direction:
//
//	dh_t = v_t + a_{t+1} ⊙ dh_{t+1}   db_t = dh_t   da_t = dh_t ⊙ h_{t-1}
//
// Source: E. Martin and C. Cundy, Parallelizing linear recurrent neural nets over sequence length, 2018.
func LinearScan(a, b, initial *Node) *LinearLoop {
	if !a.DType().IsFloat() || a.Rank() == 0 || !a.Shape().Equal(b.Shape()) {
		Panicf("birnnlib.LinearScan: a is %s and b %s; they must have the same shape, [time step, …] of a float type", a.Shape(), b.Shape())
	}
	entry := shapes.Make(a.DType(), a.Shape().Dimensions[1:]...)
	if initial == nil {
		initial = Zeros(a.Graph(), entry)
	} else if !initial.Shape().Equal(entry) {
		Panicf("birnnlib.LinearScan: the initial state is %s; it must be %s, as an entry of a", initial.Shape(), entry)
	}
	return &LinearLoop{a: a, b: b, initial: initial}
}

// Reversed makes t run from T-1 to 0; the initial state is then h_T.
func (l *LinearLoop) Reversed(reversed bool) *LinearLoop {
	l.reversed = reversed
	return l
}

// Form sets how the recurrence is computed.
func (l *LinearLoop) Form(form LinearForm) *LinearLoop {
	l.form = form
	return l
}

// Lengths sets the number of valid time steps of each of n sequences, as integers shaped [n] from 0 to T, for a and b
// [T, n, …]; the rest is padding, where h does not change, and the outputs are zero.
func (l *LinearLoop) Lengths(lengths *Node) *LinearLoop {
	l.padding.lengths = lengths
	return l
}

// Mask marks valid time steps with true and padding with false; Bool, [T, n]. Use it in place of [LinearLoop.Lengths] for
// padding inside a sequence.
func (l *LinearLoop) Mask(mask *Node) *LinearLoop {
	l.padding.mask = mask
	return l
}

// Done builds the recurrence. It returns h [T, …] and the state after the last time step.
func (l *LinearLoop) Done() (h, last *Node) {
	form := l.form
	switch form {
	case LinearDefault:
		form = fastest(l.a)
	case LinearSequential, LinearAssociative:
	default:
		Panicf("birnnlib.LinearScan: there is no form %d; use LinearSequential or LinearAssociative", form)
	}
	a, b := l.a, l.b
	valid := l.padding.valid("birnnlib.LinearScan", a.Shape().Dim(0))
	if valid != nil { // h ↦ 1 h + 0
		if a.Rank() < 2 || a.Shape().Dim(1) != valid.Shape().Dim(1) {
			Panicf("birnnlib.LinearScan: a is %s; with Lengths or Mask its second axis must be the batch, %d", a.Shape(), valid.Shape().Dim(1))
		}
		a, b = Where(spread(valid, a), a, OnesLike(a)), zeroPadding(b, valid)
	}
	outputs := withGradient([]*Node{a, b, l.initial}, func() (outputs, kept []*Node) {
		h := linear(form, a, b, l.initial, l.reversed)
		return []*Node{h, end(h, l.reversed)}, []*Node{h}
	}, func(kept, v []*Node) []*Node {
		h, dH, dLast := kept[0], v[0], v[1]
		// a of the time step after each one; after the last one it is dLast that arrives.
		dh := linear(form, shifted(a, OnesLike(l.initial), !l.reversed), dH, dLast, !l.reversed)
		dInitial := Mul(end(a, !l.reversed), end(dh, !l.reversed))
		return []*Node{Mul(dh, shifted(h, l.initial, l.reversed)), dh, dInitial}
	})
	return zeroPadding(outputs[0], valid), outputs[1]
}

// fastest returns the faster form for a [T, …], as this measured it on an idle 2-core Intel Xeon with AVX-512
// (2026-12-01, twice for pure Go: with SIMD and without):
//
//	go test -run - -bench LinearForms ./birnnlib
//
// With loops (XLA), the sequential form: from T = 280 on it took 0.3 to 0.7 of the associative one's time, and 0.1 to 0.3
// of its time to compile; at T = 4 and 35 it took 0.7 to 1.2 of its time.
//
// Without (pure Go), what a node costs decides. With 256 numbers in a time step the associative form took 0.6 to 0.3 of the
// time with its gradient, from T = 140 on; with 1,024, 0.9 to 1.0 of it with the gradient and up to 1.2 without; with 8,192,
// 1.3 to 1.7 of it. At T = 4,000 the first call of the sequential form, whose graph grows with T, took 1.6 s, that of the other
// one 0.2 s.
func fastest(a *Node) LinearForm {
	const few, tooMany = 1024, 1000 // numbers of a time step, time steps to unroll
	T := a.Shape().Dim(0)
	if !canLoop(a.Graph().Backend()) && (T > tooMany || T > many && a.Shape().Size()/T <= few) {
		return LinearAssociative
	}
	return LinearSequential
}

// end returns the last entry of x in the direction of the walk.
func end(x *Node, reversed bool) *Node {
	t := x.Shape().Dim(0) - 1
	if reversed {
		t = 0
	}
	return Squeeze(Slice(x, AxisElem(t)), 0)
}

// shifted returns x one time step later in the direction of the walk, with first at its beginning.
func shifted(x, first *Node, reversed bool) *Node {
	T := x.Shape().Dim(0)
	first = InsertAxes(first, 0)
	switch {
	case T == 1:
		return first
	case reversed:
		return Concatenate([]*Node{Slice(x, AxisRange(1, T)), first}, 0)
	}
	return Concatenate([]*Node{first, Slice(x, AxisRange(0, T-1))}, 0)
}

// linear returns h_t = a_t ⊙ h_{t-1} + b_t, without a gradient.
func linear(form LinearForm, a, b, initial *Node, reversed bool) *Node {
	T := a.Shape().Dim(0)
	if form == LinearSequential {
		w := &walk{T: T, reversed: reversed, step: func(before, at []*Node) (after, results []*Node) {
			h := Add(Mul(at[0], before[0]), at[1])
			return []*Node{h}, []*Node{h}
		}}
		_, results := w.run([]*Node{initial}, []*Node{a, b})
		return results[0]
	}
	return associative(a, b, initial, reversed)
}

// associative returns h_t = a_t ⊙ h_{t-1} + b_t with O(T) work in ⌊log₂ T⌋ levels: two functions after each other become one,
// which is a recurrence of half the length over every second h_t; the others follow from these.
//
// Source: G. Blelloch, Prefix sums and their applications, 1990.
func associative(a, b, initial *Node, reversed bool) *Node {
	T := a.Shape().Dim(0)
	if T == 1 {
		return Add(Mul(a, InsertAxes(initial, 0)), b)
	}
	first, second := 0, 1 // where every second entry begins: of those that the walk reaches first, and of those after them
	if reversed {
		first, second = (T-1)%2, T%2
	}
	every := func(x *Node, from int) *Node { return Slice(x, AxisRange(from).Stride(2)) }
	aFirst, bFirst, aSecond, bSecond := every(a, first), every(b, first), every(a, second), every(b, second)
	aBefore, bBefore := aFirst, bFirst // each followed by one of the second
	if T%2 == 1 {                      // the last one of the walk is not
		paired := AxisRange(0, T/2)
		if reversed {
			paired = AxisRange(1, T/2+1)
		}
		aBefore, bBefore = Slice(aFirst, paired), Slice(bFirst, paired)
	}
	hSecond := associative(Mul(aSecond, aBefore), Add(Mul(aSecond, bBefore), bSecond), initial, reversed)
	before := delayed(hSecond, initial, T%2 == 0, reversed)
	hFirst := Add(Mul(aFirst, before), bFirst)
	if first == 0 {
		return interleaved(hFirst, hSecond)
	}
	return interleaved(hSecond, hFirst)
}

// delayed returns first, followed by x, less its last entry if cut, in the direction of the walk.
func delayed(x, first *Node, cut, reversed bool) *Node {
	if cut {
		return shifted(x, first, reversed)
	}
	parts := []*Node{InsertAxes(first, 0), x}
	if reversed {
		parts[0], parts[1] = parts[1], parts[0]
	}
	return Concatenate(parts, 0)
}

// interleaved returns x_0, y_0, x_1, y_1 …; x may have one entry more.
func interleaved(x, y *Node) *Node {
	n := y.Shape().Dim(0)
	dims := append([]int{2 * n}, y.Shape().Dimensions[1:]...)
	z := Reshape(Stack([]*Node{Slice(x, AxisRange(0, n)), y}, 1), dims...)
	if x.Shape().Dim(0) == n {
		return z
	}
	return Concatenate([]*Node{z, Slice(x, AxisRange(n))}, 0)
}
