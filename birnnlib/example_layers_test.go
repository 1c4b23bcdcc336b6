package birnnlib_test

import (
	"fmt"
	"log"
	"math/rand/v2"

	"birnn/birnnlib"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/dataset"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train"
	"github.com/gomlx/gomlx/ml/train/loss"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// A layer in GoMLX's trainer learns whether a sequence of six bits has an odd number of ones. The examples are
// batch-major, like GoMLX's datasets; the final states of both directions depend on the whole sequence.
func ExampleNew_trainer() {
	rng := rand.New(rand.NewPCG(1, 2))
	const examples, T = 256, 6
	x, y := make([][][]float32, examples), make([][]float32, examples)
	for i := range x {
		odd := false
		for range T {
			bit := float32(rng.IntN(2))
			x[i] = append(x[i], []float32{bit})
			odd = odd != (bit == 1)
		}
		y[i] = []float32{0}
		if odd {
			y[i][0] = 1
		}
	}

	backend := gobackend.GetBackend()
	data, err := dataset.InMemoryFromData(backend, "parity", []any{x}, []any{y})
	if err != nil {
		log.Fatal(err)
	}
	data.BatchSize(64, true).Infinite(true).Shuffle()

	params := model.NewStore()
	trainer := train.NewTrainer(backend, params, func(scope *model.Scope, x *Node) *Node {
		_, final := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 16, Backward: 16}).
			Cell(birnnlib.GRU{}).BatchMajor(true).Initializer(birnnlib.Glorot().Seed(1)).Done()
		return birnnlib.Output(scope, final[0].Concat(), 1, birnnlib.Glorot().Seed(1))
	}, loss.BinaryCrossentropyLogits, optimizer.Adam().LearningRate(0.01).Done(), nil, nil)
	metrics, err := train.NewLoop(trainer).RunSteps(data, 600)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("loss below 0.05: %t\n", metrics[0].Value().(float32) < 0.05)
	// Output: loss below 0.05: true
}

// A network with only forward units reads a sequence piece by piece. Its states stay in the store.
func ExampleBiRNN_Streaming() {
	params := model.NewStore()
	stream := model.MustNewExec(gobackend.GetBackend(), params, func(scope *model.Scope, x *Node) *Node {
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 3}).Cell(birnnlib.LSTM{}).Initializer(birnnlib.Glorot().Seed(1)).Streaming().Done()
		return ReduceAllSum(h)
	})
	piece := [][][]float32{{{1, 2}}} // one time step of one sequence
	first, second := stream.MustCall1(piece), stream.MustCall1(piece)
	fmt.Println("the same input in another state gives the same output:", first.Equal(second))

	if err := birnnlib.ResetStates(params.Scope("/")); err != nil {
		log.Fatal(err)
	}
	fmt.Println("after ResetStates:", first.Equal(stream.MustCall1(piece)))
	// Output:
	// the same input in another state gives the same output: false
	// after ResetStates: true
}

// minimal is the minimal gated unit, a cell with one gate:
//
//	F_t = σ(X_t W_xf + H_{t-1} W_hf + b_f)
//	H̃_t = tanh(X_t W_xh + (F_t ⊙ H_{t-1}) W_hh + b_h)
//	H_t = (1 - F_t) ⊙ H_{t-1} + F_t ⊙ H̃_t
//
// Source: G.-B. Zhou and others, Minimal gated unit for recurrent neural networks, 2016.
type minimal struct{}

func (minimal) Layout(h int) birnnlib.Layout {
	return birnnlib.Layout{Wx: "W_x", Bias: "b", Columns: 2 * h, States: []int{h},
		Weights: []birnnlib.CellWeight{{Name: "W_hf", Dims: []int{h, h}}, {Name: "W_hh", Dims: []int{h, h}}}}
}

func (minimal) Step(w []*Node, m birnnlib.Moment) (after []*Node) {
	a := Split(m.A, -1, 2) // the products of X_t with W_xf and W_xh
	f := Sigmoid(Add(a[0], Dot(m.P, w[0]).Product()))
	candidate := Tanh(Add(a[1], Dot(Mul(f, m.P), w[1]).Product()))
	return []*Node{Add(Mul(OneMinus(f), m.Before[0]), Mul(f, candidate))}
}

// A custom cell in a bidirectional network of two layers.
func ExampleCell() {
	params := model.NewStore()
	h, err := model.CallOnce(gobackend.GetBackend(), params, func(scope *model.Scope, x *Node) *Node {
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 4, Backward: 4}, birnnlib.Sizes{Forward: 2, Backward: 3}).Cell(minimal{}).Done()
		return h
	}, [][][]float32{{{1, 2}}, {{3, 4}}, {{5, 6}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(h.Shape())
	for v := range params.Scope("/layer_2").IterVariables() {
		fmt.Println(v.Path(), v.Shape().Dimensions)
	}
	// Output:
	// (Float32)[3, 1, 5]
	// /layer_2/W_x^f [8 4]
	// /layer_2/W_hf^f [2 2]
	// /layer_2/W_hh^f [2 2]
	// /layer_2/b^f [4]
	// /layer_2/W_x^b [8 6]
	// /layer_2/W_hf^b [3 3]
	// /layer_2/W_hh^b [3 3]
	// /layer_2/b^b [6]
}

// An exponential moving average whose rate is a weight, and the gradient of its last value with respect to that weight.
func ExampleScan() {
	outputs, err := CallOnceN(gobackend.GetBackend(), func(x, rate *Node) []*Node {
		last, averages := birnnlib.Scan(func(before, at []*Node) (after, results []*Node) {
			s := Add(before[0], Mul(rate, Sub(at[0], before[0])))
			return []*Node{s}, []*Node{s}
		}, []*Node{ScalarZero(x.Graph(), x.DType())}, x).Done()
		return append(averages, Gradient(last[0], rate)...)
	}, []float32{8, 4, 4, 0}, float32(0.5))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("averages:", outputs[0].Value())
	fmt.Println("gradient:", outputs[1].Value())
	// Output:
	// averages: [4 4 4 2]
	// gradient: -3
}
