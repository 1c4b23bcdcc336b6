// Command quality trains LSTM, GRU, minLSTM and minGRU with equal numbers of parameters on two tasks of the lessons, as the
// lessons do, and prints the losses on new sequences, in Markdown:
//
//	go run ./birnnlib/benchmarks/quality
//
// It takes some minutes on XLA.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/internal/cli"
	"birnn/notebooks/kit/lesson"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// A task is what a network of inputs and outputs learns.
type task struct {
	name            string
	inputs, outputs int
	bidirectional   bool
	layers          []int // the numbers of layers to try
	budget          int   // of parameters
	lesson.Training
	draw func(rng *rand.Rand, n int) []any // x [T, n, inputs] and y
	loss func(o, y *Node) *Node            // of the outputs [T, n, outputs]
}

// tasks are those of lessons 5 and 3, with their settings.
func tasks() []task {
	const K = 6 // steps of the automaton
	return []task{{
		name:   "The adding problem at T = 50 (lesson 5), forward only: mean squared error; the answer 1 has 0.167",
		inputs: 2, outputs: 1, layers: []int{1, 2}, budget: 4513, // an LSTM with 32 units
		Training: lesson.Training{Steps: 1000, LearningRate: 0.02, Clip: 1},
		draw: func(rng *rand.Rand, n int) []any {
			x, y := lesson.Adding(rng, 50, n)
			return []any{x, y}
		},
		loss: func(o, y *Node) *Node {
			last := Slice(o, AxisElem(-1), AxisRange(), AxisElem(0))
			return ReduceAllMean(Square(Sub(Reshape(last, y.Shape().Dimensions...), y)))
		},
	}, {
		name:   "Six steps of the automaton of rule 110 (lesson 3), both directions: cross-entropy; not looking has ln 2 = 0.693",
		inputs: 1, outputs: 2, bidirectional: true, layers: []int{2, 3}, budget: 3000,
		Training: lesson.Training{Steps: 800, LearningRate: 0.01, Clip: 1},
		draw: func(rng *rand.Rand, n int) []any {
			x, y := lesson.Automaton(rng, 110, K, 24, n)
			return []any{x, y}
		},
		loss: func(o, y *Node) *Node { return birnnlib.CrossEntropy(Slice(o, AxisRange(K, -K)), y) },
	}}
}

// contenders are the cells that compete.
var contenders = []struct {
	name string
	cell birnnlib.Cell
}{
	{"LSTM", birnnlib.LSTM{ForgetBias: 1}},
	{"GRU", birnnlib.GRU{}},
	{"minLSTM", birnnlib.MinLSTM{}},
	{"minGRU", birnnlib.MinGRU{}},
}

const seeds = 3

func main() { cli.Main("quality", run) }

func run(ctx context.Context, args []string, _ io.Reader, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("quality", flag.ContinueOnError)
	if err := cli.Parse(f, args, stdout); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return cli.Usage("unexpected argument %q; there are none", f.Arg(0))
	}
	b, err := backend.Open(ctx, backend.Options{})
	if err != nil {
		return err
	}
	defer b.Backend.Finalize()
	for _, t := range tasks() {
		fmt.Fprintf(stdout, "%s:\n\n| | layers | units | parameters | seeds 1 to %d | mean |\n| --- | ---: | ---: | ---: | --- | ---: |\n", t.name, seeds)
		for _, c := range contenders {
			for _, layers := range t.layers {
				if err := t.row(ctx, b.Backend, stdout, c.name, c.cell, layers); err != nil {
					return err
				}
			}
		}
		fmt.Fprintln(stdout)
	}
	return nil
}

// row trains a cell from each seed, and prints how it did.
func (t task) row(ctx context.Context, b compute.Backend, stdout io.Writer, name string, cell birnnlib.Cell, layers int) error {
	h := t.widest(cell, layers)
	var each string
	mean := 0.0
	for seed := uint64(1); seed <= seeds; seed++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		loss, err := t.train(b, cell, layers, h, seed)
		if err != nil {
			return fmt.Errorf("%s with %d layers: %w", name, layers, err)
		}
		each, mean = fmt.Sprintf("%s %.4f", each, loss), mean+loss/seeds
	}
	_, err := fmt.Fprintf(stdout, "| %s | %d | %d | %d |%s | %.4f |\n", name, layers, h, t.parameters(cell, layers, h), each, mean)
	return err
}

// sizes returns the layers of h units in each direction.
func (t task) sizes(layers, h int) []birnnlib.Sizes {
	size := birnnlib.Sizes{Forward: h}
	if t.bidirectional {
		size.Backward = h
	}
	return slices.Repeat([]birnnlib.Sizes{size}, layers)
}

// parameters returns how many a network has, its output layer among them.
func (t task) parameters(cell birnnlib.Cell, layers, h int) (count int) {
	inputs := t.inputs
	for _, size := range t.sizes(layers, h) {
		outputs := 0
		for _, units := range []int{size.Forward, size.Backward} {
			if units == 0 {
				continue
			}
			l := cell.Layout(units)
			count += (inputs + 1) * l.Columns
			for _, w := range l.Weights {
				size := 1
				for _, d := range w.Dims {
					size *= d
				}
				count += size
			}
			outputs += units
		}
		inputs = outputs
	}
	return count + (inputs+1)*t.outputs
}

// widest returns the most units of a network within the budget.
func (t task) widest(cell birnnlib.Cell, layers int) (h int) {
	for h = 1; t.parameters(cell, layers, h+1) <= t.budget; h++ {
	}
	return h
}

// train trains a network and returns its loss on 2,000 new sequences.
func (t task) train(b compute.Backend, cell birnnlib.Cell, layers, h int, seed uint64) (float64, error) {
	params, initial := model.NewStore(), birnnlib.Glorot().Seed(seed)
	loss := func(scope *model.Scope, xy []*Node) *Node {
		h, _ := birnnlib.New(scope, xy[0], t.sizes(layers, h)...).Cell(cell).Initializer(initial).Done()
		return t.loss(birnnlib.Output(scope, h, t.outputs, initial), xy[1])
	}
	rng := rand.New(rand.NewPCG(seed, 3))
	if err := t.Training.Run(b, params, loss, func() []any { return t.draw(rng, 32) }, nil); err != nil {
		return 0, err
	}
	got, err := model.CallOnce(b, params, loss, t.draw(rand.New(rand.NewPCG(9, 9)), 2000)...)
	if err != nil {
		return 0, err
	}
	return float64(tensors.ToScalar[float32](got)), nil
}
