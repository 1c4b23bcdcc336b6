//go:build unix

package birnnlib

import (
	"fmt"
	"testing"

	"birnn/internal/backendtest"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"golang.org/x/sys/unix"
)

// BenchmarkParts measures the parts of a training step of the benchmarks' LSTM: two bidirectional layers of h + h units
// on d = h inputs, mini-batches of n. The rest of the whole step is spent on the backward gates, on what the loops
// write and read, and on the update. With one sequence, n = 1, it measures the parts of inference.
//
//	GOMLX_BACKEND=xla:cpu go test -run - -bench Parts ./birnnlib
func BenchmarkParts(b *testing.B) {
	const h = 256
	backend := backendtest.One(b)
	// Distinct numbers, or XLA would compute nothing.
	values := func(g *Graph, dims ...int) *Node {
		x := IotaFull(g, shapes.Make(dtypes.Float32, dims...))
		return MulScalar(Sin(x), 0.05)
	}
	wait := func(results ...*tensors.Tensor) {
		for _, result := range results {
			_ = tensors.ToScalar[float32](result)
			result.MustFinalizeAll()
		}
	}
	bench := func(name string, flops int, build func(g *Graph) []*Node, part func(x []*Node) *Node) {
		b.Run(name, func(b *testing.B) {
			var args []any
			for _, input := range MustExecOnceN(backend, func(g *Graph) []*Node { return build(g) }) {
				args = append(args, input)
			}
			exec := model.MustNewExec(backend, model.NewStore(), func(scope *model.Scope, x []*Node) *Node {
				if part == nil && x[0].Shape().Dim(1) == 1 {
					return ReduceAllMax(stacked(scope, x[0], h))
				}
				if part == nil {
					return step(scope, x[0], h)
				}
				return ReduceAllMax(part(x))
			})
			for range 2 { // compile, and compile with the parameters that the first call made
				wait(exec.MustCall(args...)...)
			}
			var before, after unix.Rusage
			if err := unix.Getrusage(unix.RUSAGE_SELF, &before); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				wait(exec.MustCall(args...)...)
			}
			if err := unix.Getrusage(unix.RUSAGE_SELF, &after); err != nil {
				b.Fatal(err)
			}
			used := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(used)/float64(b.Elapsed()), "CPUs")
			b.ReportMetric(float64(flops)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}

	bench("product of 2048", 2*2048*2048*2048, func(g *Graph) []*Node {
		return []*Node{values(g, 2048, 2048), values(g, 2048, 2048)}
	}, func(x []*Node) *Node { return times(x[0], x[1]) })

	for _, size := range [][2]int{{35, 32}, {280, 32}, {280, 1}} {
		T, n := size[0], size[1]
		name := func(part string) string { return fmt.Sprintf("T=%d/n=%d/%s", T, n, part) }
		rows := T * n
		loop := func(step func(w, state *Node) *Node) func(x []*Node) *Node {
			return func(x []*Node) *Node {
				var ends []*Node
				for _, reversed := range []bool{false, true, false, true} {
					w := &walk{T: T, reversed: reversed, step: func(before, at []*Node) (after, results []*Node) {
						after = []*Node{Add(step(x[0], before[0]), at[0])}
						return after, after
					}}
					last, _ := w.run(x[1:2], x[2:])
					ends = append(ends, last[0])
				}
				return Concatenate(ends, 0)
			}
		}
		bench(name("the loops' products, forward"), 4*T*2*n*h*4*h, func(g *Graph) []*Node {
			return []*Node{values(g, h, 4*h), values(g, n, h), values(g, T, n, h)}
		}, loop(func(w, state *Node) *Node {
			z := gates(times(state, w), 4)
			return Add(Add(z[0], z[1]), Add(z[2], z[3]))
		}))
		training := n > 1
		if training {
			bench(name("the loops' products, backward"), 4*T*2*n*h*4*h, func(g *Graph) []*Node {
				return []*Node{values(g, 4*h, h), values(g, n, h), values(g, T, n, h)}
			}, loop(func(w, state *Node) *Node {
				return times(Concatenate([]*Node{state, Neg(state), state, Neg(state)}, 1), w)
			}))
		}
		// Of the first layer's and the second's directions: X W_x, and in training the gradients of W_x, of W_h, and of the
		// second layer's input.
		columns := h + 2*h
		if training {
			columns += h + 2*h + 2*h + 2*h
		}
		bench(name("the products outside of the loops"), 2*2*rows*4*h*columns, func(g *Graph) []*Node {
			inputs := []*Node{values(g, rows, h), values(g, rows, 2*h), values(g, h, 4*h), values(g, 2*h, 4*h)}
			if training {
				inputs = append(inputs, values(g, rows, 4*h))
			}
			return inputs
		}, func(x []*Node) *Node {
			x1, x2, w1, w2 := x[0], x[1], x[2], x[3]
			var all []*Node
			for direction := range 2 {
				// A different factor for each direction, or XLA would compute only one of them.
				k := func(x *Node) *Node { return MulScalar(x, float64(1+direction)) }
				products := []*Node{times(x1, k(w1)), times(x2, k(w2))}
				if training {
					dA := x[4]
					products = append(products, transposedTimes(x1, k(dA)), transposedTimes(x2, k(dA)),
						transposedTimes(k(x1), dA), transposedTimes(k(AddScalar(x1, 1)), dA), Dot(dA, k(w2)).General([]int{1}, nil, []int{1}, nil))
				}
				for _, y := range products {
					all = append(all, ReduceAllMax(y))
				}
			}
			return Stack(all, 0)
		})
		bench(name("all of it"), 0, func(g *Graph) []*Node { return []*Node{values(g, T, n, h)} }, nil)
		if !training {
			continue
		}
		// The part between the products of the loops: gates and states, kept as the gradient needs them.
		bench(name("gates and states, forward"), 0, func(g *Graph) []*Node {
			return []*Node{values(g, h, 4*h), values(g, n, h), values(g, T, n, 4*h)}
		}, func(x []*Node) *Node {
			var ends []*Node
			for _, reversed := range []bool{false, true, false, true} {
				w := &walk{T: T, reversed: reversed, step: func(before, at []*Node) (after, results []*Node) {
					z := gates(at[0], 4)
					i, f, g, o := Sigmoid(z[0]), Sigmoid(z[1]), Tanh(z[2]), Sigmoid(z[3])
					memory := Add(Mul(f, before[0]), Mul(i, g))
					return []*Node{memory}, []*Node{Mul(o, Tanh(memory)), memory, before[0], i, f, g, o}
				}}
				last, kept := w.run(x[1:2], x[2:])
				ends = append(ends, last[0])
				for _, k := range kept {
					ends = append(ends, Squeeze(Slice(k, AxisElem(T/2)), 0))
				}
			}
			return Concatenate(ends, 0)
		})
	}
}

// stacked returns the outputs of two bidirectional layers of LSTMs.
func stacked(scope *model.Scope, x *Node, h int) *Node {
	sizes := Sizes{Forward: h, Backward: h}
	y, _ := New(scope, x, sizes, sizes).Cell(LSTM{}).Initializer(TorchUniform().Seed(1)).Done()
	return y
}

// step is a step of SGD on the mean of the squares; it returns the loss.
func step(scope *model.Scope, x *Node, h int) *Node {
	loss := ReduceAllMean(Square(stacked(scope, x, h)))
	var parameters []*model.Variable
	var values []*Node
	for v := range scope.IterVariables() {
		parameters, values = append(parameters, v), append(values, v.NodeValue(x.Graph()))
	}
	for i, gradient := range Gradient(loss, values...) {
		parameters[i].SetNodeValue(Sub(values[i], MulScalar(gradient, 0.1)))
	}
	return loss
}
