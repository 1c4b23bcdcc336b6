package lesson5

import (
	"log"
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/notebooks/kit/lesson"

	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// The solutions, as in the notebook.

func ofLSTM(d, h int) int { return 2 * 4 * (d*h + h*h + h) }
func ofGRU(d, h int) int  { return 2 * (3*(d*h+h*h+h) + h) }

var (
	handWx  = [][]float32{{0, 0, 0.1, 0}, {20, 0, 0, 0}}
	handB   = []float32{-10, 10, 0, 10}
	handWhq = float32(10)
)

func agreeing() (br, bhh float32) {
	return 30, 0
}

func exchange(rows [][]float32) {
	for _, row := range rows {
		h := len(row) / 3
		for k := h; k < 2*h; k++ {
			row[k] = -row[k]
		}
	}
}

func long(b *backend.Opened) *model.Store {
	params := model.NewStore()
	train(b, params, nets["LSTM"], 25, 500, nil)
	train(b, params, nets["LSTM"], 100, 500, nil)
	return params
}

// What the lesson declares, and long uses.

type net struct {
	cell    birnnlib.Cell
	initial birnnlib.Initializer
	sizes   birnnlib.Sizes
}

var (
	orthogonal = birnnlib.Orthogonal(birnnlib.Glorot())
	forward    = birnnlib.Sizes{Forward: 32}
	nets       = map[string]net{
		"LSTM": {birnnlib.LSTM{ForgetBias: 1}, orthogonal, forward},
		"GRU":  {birnnlib.GRU{}, orthogonal, forward},
	}
)

func must[T any](result T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return result
}

func answer(scope *model.Scope, x *Node, of net) *Node {
	_, final := birnnlib.New(scope, x, of.sizes).Cell(of.cell).Initializer(of.initial.Seed(1)).Done()
	return Squeeze(birnnlib.Output(scope, final[0].Concat(), 1, birnnlib.Glorot().Seed(1)), -1)
}

func train(b *backend.Opened, params *model.Store, of net, T, steps int, each func(done int, loss float64)) {
	rng := rand.New(rand.NewPCG(3, 3))
	must(0, lesson.Training{Steps: steps, LearningRate: 0.02, Clip: 1}.Run(b.Backend, params,
		func(scope *model.Scope, xy []*Node) *Node {
			return ReduceAllMean(Square(Sub(answer(scope, xy[0], of), xy[1])))
		},
		func() []any {
			x, y := lesson.Adding(rng, T, 32)
			return []any{x, y}
		}, each))
}
