package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/segment"
	"birnn/birnnlib/examples/training"
	kit "birnn/notebooks/kit/lesson"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// In lesson 10 a network of self-attention has so many heads, and its inputs so many columns for the position.
const heads, positions = 4, 16

// The names of the layers of lesson 10 in the settings.
const selfAttention, minGRU = "attention", "minGRU"

// cells10 are the cells of lesson 10.
var cells10 = map[string]birnnlib.Cell{
	"tanh": birnnlib.RNN{Activation: activation.TypeTanh}, "GRU": birnnlib.GRU{}, minGRU: birnnlib.MinGRU{},
}

// plan10 lists the experiments of lesson 10: the tasks of lessons 2, 3 and 5 and word segmentation, each with a
// bidirectional network, one of minGRUs and one layer of self-attention of about the same number of parameters; and forward
// networks that tag a character when they have read some more.
func plan10() (plan []settings, err error) {
	for _, task := range []struct {
		name, cell               string
		hidden, minimal, attends string
		steps                    int
	}{
		{"window", "tanh", "22+22", "108+108", "20", 400},
		{"exclusive or", "tanh", "16+16", "53+53", "12", 600},
		{"adding", "GRU", "12+12", "87+87", "20", 400},
		{"segmentation", "GRU", "32+32", "72+72", "76", 300},
	} {
		for _, layer := range [][2]string{{task.cell, task.hidden}, {selfAttention, task.attends}, {minGRU, task.minimal}} {
			for seed := range uint64(seeds) {
				plan = append(plan, settings{Name: task.name, Layer: layer[0], Hidden: layer[1], Initial: "Glorot", LearningRate: 0.01, Clip: 1, Steps: task.steps, Seed: seed + 1})
			}
		}
	}
	for _, delay := range []int{0, 1, 2, 4} {
		for seed := range uint64(seeds) {
			plan = append(plan, settings{Name: "delay", Layer: "GRU", Hidden: "32+0", Delay: delay, Initial: "Glorot", LearningRate: 0.01, Clip: 1, Steps: 300, Seed: seed + 1})
		}
	}
	return plan, nil
}

// layer10 returns H [T, n, h] for x [T, n, d].
func layer10(scope *model.Scope, x *Node, s settings) (h *Node, final []birnnlib.State, err error) {
	sizes, err := training.ParseSizes(s.Hidden)
	if err != nil {
		return nil, nil, err
	}
	initial := initials[s.Initial].Seed(s.Seed)
	if s.Layer != selfAttention {
		h, final = birnnlib.New(scope, x, sizes...).Cell(cells10[s.Layer]).Initializer(birnnlib.Orthogonal(initial)).Done()
		return h, final, nil
	}
	return attend(scope, positioned(x), sizes[0].Forward, initial), nil, nil
}

// positioned returns x [T, n, d] with the columns of its position beside those that it has.
func positioned(x *Node) *Node {
	T, n := x.Shape().Dim(0), x.Shape().Dim(1)
	values := make([][][]float32, T)
	for t := range values {
		row := make([]float32, positions)
		for i := range positions / 2 {
			angle := float64(t) / math.Pow(1000, 2*float64(i)/positions)
			row[2*i], row[2*i+1] = float32(math.Sin(angle)), float32(math.Cos(angle))
		}
		values[t] = [][]float32{row}
	}
	return Concatenate([]*Node{x, BroadcastToDims(Const(x.Graph(), values), T, n, positions)}, -1)
}

// attend returns the outputs [T, n, h] of a layer of self-attention.
func attend(scope *model.Scope, z *Node, h int, initial birnnlib.Initializer) *Node {
	T, n := z.Shape().Dim(0), z.Shape().Dim(1)
	project := func(name string) *Node {
		return Reshape(birnnlib.Output(scope.In("%s", name), z, h, initial), T, n, heads, h/heads)
	}
	q, k, v := project("query"), project("key"), project("value")
	a := Softmax(DivScalar(Einsum("tnmd,snmd->nmts", q, k), math.Sqrt(float64(h/heads))), -1)
	return Reshape(Einsum("nmts,snmd->tnmd", a, v), T, n, h)
}

// A task10 is what a network learns in lesson 10.
type task10 struct {
	batch func() []any
	loss  func(scope *model.Scope, xy []*Node) *Node
	test  []any
	score func(params *model.Store) (float64, error) // F1, for word segmentation
}

const windowT, addingT, rowT, mostDelay = 80, 30, 32, 8

// corpus10 returns the rows of the People's Daily to learn from and to test. Tests replace it.
var corpus10 = sync.OnceValues(func() (rows [2]*kit.Rows, err error) {
	lines, err := peoplesDaily(context.Background())
	if err != nil {
		return rows, err
	}
	rows[0] = kit.NewRows(lines[:3000], rowT, nil)
	rows[1] = kit.NewRows(lines[len(lines)-500:], rowT, rows[0])
	return rows, nil
})

// task10Of returns the task of an experiment.
func task10Of(b compute.Backend, s settings) (task task10, err error) {
	initial := initials[s.Initial].Seed(s.Seed)
	rng, fixed := rand.New(rand.NewPCG(s.Seed, 10)), rand.New(rand.NewPCG(10, 10))
	hidden := func(scope *model.Scope, x *Node) *Node {
		h, _, err := layer10(scope, x, s)
		if err != nil {
			panic(err)
		}
		return h
	}
	pair := func(x, y *tensors.Tensor) []any { return []any{x, y} }
	switch s.Name {
	case "window":
		variance := 0.0
		for k := -10; k <= 19; k++ {
			variance += kit.Weight(k) * kit.Weight(k) / 12
		}
		task.batch = func() []any { return pair(kit.SchusterPaliwal(rng, windowT, 32)) }
		task.test = pair(kit.SchusterPaliwal(fixed, windowT, 2000))
		task.loss = func(scope *model.Scope, xy []*Node) *Node {
			o := Squeeze(birnnlib.Output(scope, hidden(scope, AddScalar(xy[0], -0.5)), 1, initial), -1)
			y := DivScalar(AddScalar(xy[1], -0.4875), math.Sqrt(variance))
			return ReduceAllMean(Square(Slice(Sub(y, o), AxisRange(kit.Margin, -kit.Margin))))
		}
	case "exclusive or":
		task.batch = func() []any { return pair(kit.Automaton(rng, 90, 1, cells, 32)) }
		task.test = pair(kit.Automaton(fixed, 90, 1, cells, 2000))
		task.loss = func(scope *model.Scope, xy []*Node) *Node {
			return birnnlib.CrossEntropy(Slice(birnnlib.Output(scope, hidden(scope, xy[0]), 2, initial), AxisRange(1, -1)), xy[1])
		}
	case "adding":
		task.batch = func() []any { return pair(kit.Adding(rng, addingT, 32)) }
		task.test = pair(kit.Adding(fixed, addingT, 2000))
		task.loss = func(scope *model.Scope, xy []*Node) *Node {
			h, final, err := layer10(scope, xy[0], s)
			if err != nil {
				panic(err)
			}
			last := Squeeze(Slice(h, AxisElem(-1)), 0)
			if final != nil {
				last = final[0].Concat()
			}
			return ReduceAllMean(Square(Sub(Squeeze(birnnlib.Output(scope, last, 1, initial), -1), xy[1])))
		}
	case "segmentation", "delay":
		rows, err := corpus10()
		if err != nil {
			return task, err
		}
		scores := func(scope *model.Scope, x *Node) *Node {
			e := birnnlib.Embedding(scope, x, shapes.Make(dtypes.Float32, rows[0].Characters(), 64), birnnlib.Normal(0.5).Seed(s.Seed))
			o := birnnlib.Output(scope, hidden(scope, e), segment.Tags, initial)
			return Slice(o, AxisRange(s.Delay, s.Delay+rowT))
		}
		task.batch = func() []any { return pair(rows[0].Tensors(rows[0].Draw(rng, 32), mostDelay)) }
		x, y := rows[1].Tensors(rows[1].Lines, mostDelay)
		task.test = []any{x, y}
		task.loss = func(scope *model.Scope, xy []*Node) *Node {
			return birnnlib.CrossEntropy(scores(scope, xy[0]), xy[1], birnnlib.Ignore(-1))
		}
		task.score = func(params *model.Store) (float64, error) {
			got, err := model.CallOnce(b, params, func(scope *model.Scope, x *Node) *Node { return LogSoftmax(scores(scope, x), -1) }, x)
			if err != nil {
				return 0, err
			}
			score, err := kit.Score(rows[1].Lines, got)
			return rounded(score.F1()), err
		}
	default:
		return task, fmt.Errorf("no experiment is called %q", s.Name)
	}
	return task, nil
}

// make10 trains a network on a task.
func make10(_ context.Context, b compute.Backend, s settings) (r result, err error) {
	task, err := task10Of(b, s)
	if err != nil {
		return r, err
	}
	params, last := model.NewStore(), 0.0 // the mean loss of the last 20 steps
	err = kit.Training{Steps: s.Steps, LearningRate: s.LearningRate, Clip: s.Clip}.Run(b, params, task.loss, task.batch, func(done int, loss float64) {
		if done > s.Steps-20 {
			last += loss / float64(min(20, s.Steps))
		}
	})
	if err != nil {
		return r, err
	}
	r.Training = rounded(last)
	got, err := model.CallOnce(b, params, task.loss, task.test...)
	if err != nil {
		return r, err
	}
	r.Test = rounded(float64(tensors.ToScalar[float32](got)))
	if task.score != nil {
		if r.F1, err = task.score(params); err != nil {
			return r, err
		}
	}
	r.Parameters = trainable(params, "E") // the characters' embedding, which all networks share
	return r, nil
}

// rounded rounds to four digits, more than the seeds agree in.
func rounded(x float64) float64 { return digits(x, 4) }
