package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/training"
	kit "birnn/notebooks/kit/lesson"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// cells is the length of the rows of lesson 3.
const cells = 24

// initials are the distributions of the initial weights in lesson 3.
var initials = map[string]birnnlib.Initializer{
	"Glorot": birnnlib.Glorot(), "TorchUniform": birnnlib.TorchUniform(), "N(0, 0.01²)": birnnlib.Normal(0.01),
}

// plan3 lists the experiments of lesson 3: depths with the same budget of parameters; dropout on few rows and on new
// ones at every step; and eight layers with and without residual connections.
func plan3() (plan []settings, err error) {
	base := settings{Activation: "tanh", Initial: "Glorot", LearningRate: 0.01, Clip: 1}
	for layers := 1; layers <= 4; layers++ {
		for seed := range uint64(5) {
			s := base
			s.Name, s.Hidden, s.Steps, s.Seed = "depth", within(layers, 3000), 800, seed+1
			plan = append(plan, s)
		}
	}
	for _, rows := range []int{32, 0} {
		for _, rates := range [][2]float64{{0, 0}, {0.5, 0}, {0, 0.25}, {0.5, 0.25}} {
			for seed := range uint64(seeds) {
				s := base
				s.Name, s.Hidden, s.Steps, s.Seed = "dropout", repeat(2, 32), 300, seed+1
				s.Rows, s.Dropout, s.RecurrentDropout = rows, rates[0], rates[1]
				plan = append(plan, s)
			}
		}
	}
	for _, φ := range []string{"sigmoid", "tanh"} {
		for _, initial := range []string{"Glorot", "TorchUniform", "N(0, 0.01²)"} {
			for _, residual := range []bool{false, true} {
				for seed := range uint64(seeds) {
					s := base
					s.Name, s.Hidden, s.Steps, s.Seed = "eight layers", repeat(8, 16), 250, seed+1
					s.Activation, s.Initial, s.Residual = φ, initial, residual
					plan = append(plan, s)
				}
			}
		}
	}
	return plan, nil
}

// within returns the sizes of so many equal layers: the widest for which a network with 1 input and 2 outputs has no
// more parameters than the budget.
func within(layers, budget int) string {
	s := birnnlib.Sizes{Forward: 1, Backward: 1}
	for {
		wider := s
		if s.Forward > s.Backward {
			wider.Backward++
		} else {
			wider.Forward++
		}
		d, parameters := 1, 0
		for range layers {
			parameters += wider.Forward*(d+wider.Forward+1) + wider.Backward*(d+wider.Backward+1)
			d = wider.Forward + wider.Backward
		}
		if parameters+(d+1)*2 > budget {
			return training.FormatSizes(slices.Repeat([]birnnlib.Sizes{s}, layers))
		}
		s = wider
	}
}

// task3 returns what an experiment trains on at each step, the number K of steps of the automaton, and, where the lesson
// tests, the rows of the test.
func task3(s settings) (batch func() []any, K int, test []any, err error) {
	pair := func(x, y *tensors.Tensor) []any { return []any{x, y} }
	rng := rand.New(rand.NewPCG(s.Seed, 3))
	switch s.Name {
	case "depth":
		K = 6
		batch = func() []any { return pair(kit.Automaton(rng, 110, K, cells, 32)) }
		return batch, K, pair(kit.Automaton(rand.New(rand.NewPCG(9, 9)), 110, K, cells, 2000)), nil
	case "dropout":
		test = pair(flipped(rand.New(rand.NewPCG(2, 7)), 1000))
		if s.Rows == 0 {
			return func() []any { return pair(flipped(rng, 32)) }, 1, test, nil
		}
		rows := pair(flipped(rand.New(rand.NewPCG(1, 7)), s.Rows))
		return func() []any { return rows }, 1, test, nil
	case "eight layers":
		return func() []any { return pair(kit.Automaton(rng, 30, 1, cells, 32)) }, 1, nil, nil
	}
	return nil, 0, nil, fmt.Errorf("no experiment is called %q", s.Name)
}

// flipped draws n rows with labels by rule 30, one in five of them flipped, like lesson 3.
func flipped(rng *rand.Rand, n int) (x, y *tensors.Tensor) {
	x, y = kit.Automaton(rng, 30, 1, cells, n)
	labels := tensors.MustCopyFlatData[int32](y)
	for i := range labels {
		if rng.Float64() < 0.2 {
			labels[i] = 1 - labels[i]
		}
	}
	return x, tensors.FromFlatDataAndDimensions(labels, y.Shape().Dimensions...)
}

// make3 trains a network on rows of an automaton.
func make3(_ context.Context, b compute.Backend, s settings) (r result, err error) {
	sizes, err := training.ParseSizes(s.Hidden)
	if err != nil {
		return r, err
	}
	φ, err := activation.TypeString(s.Activation)
	if err != nil {
		return r, err
	}
	batch, K, test, err := task3(s)
	if err != nil {
		return r, err
	}
	initial := initials[s.Initial].Seed(s.Seed)
	loss := func(scope *model.Scope, xy []*Node) *Node {
		h, _ := birnnlib.New(scope, xy[0], sizes...).Cell(birnnlib.RNN{Activation: φ}).Initializer(initial).
			Residual(s.Residual).Dropout(s.Dropout).RecurrentDropout(s.RecurrentDropout).Done()
		return birnnlib.CrossEntropy(Slice(birnnlib.Output(scope, h, 2, initial), AxisRange(K, -K)), xy[1])
	}
	params := model.NewStore()
	if err := params.SetRNGStateFromSeed(int64(s.Seed)); err != nil {
		return r, err
	}
	var last []float64 // the losses of the last ten steps
	err = kit.Training{Steps: s.Steps, LearningRate: s.LearningRate, Clip: s.Clip}.Run(b, params, loss, batch, func(done int, loss float64) {
		if done > s.Steps-10 {
			last = append(last, loss)
		}
	})
	if err != nil {
		return r, err
	}
	of := func(rows []any) (float64, error) {
		got, err := model.CallOnce(b, params, loss, rows...)
		if err != nil {
			return 0, err
		}
		return short(float64(tensors.ToScalar[float32](got))), nil
	}
	if s.Rows > 0 {
		if r.Training, err = of(batch()); err != nil {
			return r, err
		}
	} else {
		for _, loss := range last {
			r.Training += loss / float64(len(last))
		}
		r.Training = short(r.Training)
	}
	if test != nil {
		if r.Test, err = of(test); err != nil {
			return r, err
		}
	}
	drawn, err := kit.Network(params)
	if err != nil {
		return r, err
	}
	for _, layer := range append(drawn.Layers, drawn.Outputs) {
		r.Parameters += layer.Parameters
	}
	return r, nil
}
