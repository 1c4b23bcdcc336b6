package lesson5

import (
	"math"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/internal/backendtest"
	"birnn/internal/testall"
	"birnn/notebooks/kit/exercise/exercisetest"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

func TestSolutions(t *testing.T) { exercisetest.SameAsSolutions(t, "05-gates") }

func TestParameters(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, Parameters(b, ofLSTM, ofGRU))
	for _, wrong := range []struct {
		answer     string
		LSTM, GRU  func(d, h int) int
		hintToGive string
	}{
		{"nothing yet", func(d, h int) int { return 0 }, ofGRU, "weights for the input"},
		{"one direction", func(d, h int) int { return ofLSTM(d, h) / 2 }, ofGRU, "one direction"},
		{"no bias", func(d, h int) int { return 8 * (d + h) * h }, ofGRU, "leaves a bias out"},
		{"three gates and no candidate", func(d, h int) int { return 6 * (d*h + h*h + h) }, ofGRU, "each gate"},
		{"d and h exchanged", func(d, h int) int { return 8 * (d*h + d*d + h) }, ofGRU, "weights for the state"},
		{"two biases as in PyTorch", func(d, h int) int { return 8 * (d*h + h*h + 2*h) }, ofGRU, "birnnlib has one"},
		{"no b_hh", ofLSTM, func(d, h int) int { return 6 * (d*h + h*h + h) }, "GRU, d=5 h=7: 546 leaves a bias out"},
		{"two biases in the GRU", ofLSTM, func(d, h int) int { return 6 * (d*h + h*h + 2*h) }, "and b_hh in the GRU"},
		{"one b_hh for both directions", ofLSTM, func(d, h int) int { return 6*(d*h+h*h+h) + h }, "GRU"},
		{"a panic", ofLSTM, func(d, h int) int { return []int{}[h] }, "index out of range [7]"},
	} {
		exercisetest.Wrong(t, wrong.answer, Parameters(b, wrong.LSTM, wrong.GRU), wrong.hintToGive)
	}
}

func TestByHand(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, ByHand(b, handWx, handB, handWhq))
	exercisetest.Right(t, ByHand(b, [][]float32{{0, 0, -0.05, 0}, {40, 0, 0, 0}}, []float32{-20, 12, 0, 0}, -40)) // the output gate at 1/2
	for _, wrong := range []struct {
		answer string
		Wx     [][]float32
		bias   []float32
		Whq    float32
		hint   string
	}{
		{"nothing yet", [][]float32{{0, 0, 0, 0}, {0, 0, 0, 0}}, []float32{0, 0, 0, 0}, 0, "the forget gate is 0.50"},
		{"a row missing", [][]float32{{0, 0, 0.1, 0}}, handB, 10, "2 rows of 4"},
		{"no bias", handWx, nil, 10, "2 rows of 4"},
		{"the forget gate not quite open", handWx, []float32{-10, 5, 0, 10}, 10, "the forget gate is 0.99"},
		{"forgetting at marks of size 1", [][]float32{{0, -20, 0.1, 0}, {20, 0, 0, 0}}, handB, 10, "the forget gate"},
		{"the input gate always open", [][]float32{{0, 0, 0.1, 0}, {0, 0, 0, 0}}, []float32{10, 10, 0, 10}, 10, "without a mark"},
		{"the number opens the input gate", [][]float32{{20, 0, 0.1, 0}, {0, 0, 0, 0}}, handB, 10, "without a mark"},
		{"never open", [][]float32{{0, 0, 0.1, 0}, {0, 0, 0, 0}}, handB, 10, "at a mark"},
		{"a candidate that is not linear", [][]float32{{0, 0, 1, 0}, {20, 0, 0, 0}}, handB, 1, "candidate's factor"},
		{"no factor in the output layer", handWx, handB, 1, "candidate's factor"},
		{"not a number", handWx, handB, float32(math.NaN()), "candidate's factor"},
	} {
		exercisetest.Wrong(t, wrong.answer, ByHand(b, wrong.Wx, wrong.bias, wrong.Whq), wrong.hint)
	}
}

func TestAgreement(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, Agreement(b, agreeing))
	for _, wrong := range []struct {
		answer  string
		br, bhh float32
		hint    string
	}{
		{"nothing yet", 0, 1, "what must it be in the other"},
		{"the reset gate at 1/2", 0, 0, "for which R_t"},
		{"the reset gate at 0", -30, 0, "sees nothing of the old state"},
		{"the reset gate at 0, and any b_hh", -30, 5, "sees nothing of the old state"},
		{"the reset gate at 0 for good", float32(math.Inf(-1)), 5, "sees nothing of the old state"},
		{"a b_r of 1 for an R_t of 1", 1, 0, "for which R_t"},
		{"not quite 1", 5, 0, "for which R_t"},
		{"b_hh left as it is", 30, 1, "what must it be in the other"},
		{"not a number", float32(math.NaN()), 0, "for which R_t"},
	} {
		exercisetest.Wrong(t, wrong.answer, Agreement(b, func() (br, bhh float32) { return wrong.br, wrong.bhh }), wrong.hint)
	}
}

func TestExchange(t *testing.T) {
	b := backendtest.Go(t)
	exercisetest.Right(t, Exchange(b, exchange))
	negate := func(from, to func(row []float32) int) func(rows [][]float32) {
		return func(rows [][]float32) {
			for _, row := range rows {
				for k := from(row); k < to(row); k++ {
					row[k] = -row[k]
				}
			}
		}
	}
	at := func(thirds int) func(row []float32) int {
		return func(row []float32) int { return thirds * len(row) / 3 }
	}
	column := func(k int) func(row []float32) int { return func([]float32) int { return k } }
	for _, wrong := range []struct {
		answer   string
		exchange func(rows [][]float32)
		hint     string
	}{
		{"nothing yet", func([][]float32) {}, "are as before"},
		{"the columns of r", negate(at(0), at(1)), "are as before"},
		{"the columns of h", negate(at(2), at(3)), "are as before"},
		{"all columns", negate(at(0), at(3)), "only the columns of z"},
		{"the columns of z and h", negate(at(1), at(3)), "only the columns of z"},
		{"h of the first case everywhere", negate(column(2), column(4)), "h=3"},
		{"biases left out", func(rows [][]float32) {
			if len(rows) > 1 {
				exchange(rows)
			}
		}, "W_x, W_h and b"},
		{"1-w instead of -w", func(rows [][]float32) {
			for _, row := range rows {
				for k := len(row) / 3; k < 2*len(row)/3; k++ {
					row[k] = 1 - row[k]
				}
			}
		}, "it should be"},
		{"a copy", func(rows [][]float32) {
			for _, row := range rows {
				exchange([][]float32{append([]float32{}, row...)})
			}
		}, "are as before"},
		{"h for the number of rows", func(rows [][]float32) {
			for _, row := range rows {
				for k := len(rows); k < 2*len(rows); k++ {
					row[k] = -row[k]
				}
			}
		}, "it should be"},
		{"beyond the end", func(rows [][]float32) { rows[0][len(rows[0])] = 0 }, "index out of range"},
	} {
		exercisetest.Wrong(t, wrong.answer, Exchange(b, wrong.exchange), wrong.hint)
	}
}

func open(t *testing.T, config string) *backend.Opened {
	b, err := backend.Open(t.Context(), backend.Options{Ask: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Backend.Finalize)
	return b
}

// written returns the LSTM of exercise 2 as the first of 32 units, after so many steps of training.
func written(t *testing.T, steps int64) *model.Store {
	const h = 32
	Wx, Wh, bias, Whq := make([][]float32, 2), make([][]float32, h), make([]float32, 4*h), make([][]float32, h)
	for i := range Wx {
		Wx[i] = make([]float32, 4*h)
		for k := range 4 {
			Wx[i][k*h], bias[k*h] = handWx[i][k], handB[k]
		}
	}
	for u := range h {
		Wh[u], Whq[u] = make([]float32, 4*h), []float32{0}
	}
	Whq[0][0] = handWhq
	params := model.NewStore()
	for name, value := range map[string]any{"layer_1/W_x^f": Wx, "layer_1/W_h^f": Wh, "layer_1/b^f": bias,
		"W_hq": Whq, "b_q": []float32{0}, optimizer.GlobalStepVariableName: steps} {
		if _, err := params.CreateVariable(name, tensors.MustFromAnyValue(value)); err != nil {
			t.Fatal(err)
		}
	}
	return params
}

func TestHundredSteps(t *testing.T) {
	opened := open(t, "go")
	b := opened.Backend
	exercisetest.Right(t, HundredSteps(b, written(t, 1000)))
	trained := func(of net) *model.Store {
		params := model.NewStore()
		train(opened, params, of, 4, 1, nil)
		return params
	}
	lstm := nets["LSTM"]
	for _, wrong := range []struct {
		answer string
		params *model.Store
		hint   string
	}{
		{"nothing yet", nil, "nothing yet"},
		{"not trained", model.NewStore(), "0 steps"},
		{"a step too many", written(t, 1001), "1001 steps"},
		{"twice 1,000 steps", written(t, 2000), "2000 steps"},
		{"hardly trained", trained(lstm), "mean squared error"},
		{"a GRU", trained(nets["GRU"]), `nets["LSTM"]`},
		{"more units", trained(net{lstm.cell, lstm.initial, birnnlib.Sizes{Forward: 64}}), "32 units forward"},
		{"both directions", trained(net{lstm.cell, lstm.initial, birnnlib.Sizes{Forward: 32, Backward: 32}}), "32 units forward"},
	} {
		exercisetest.Wrong(t, wrong.answer, HundredSteps(b, wrong.params), wrong.hint)
	}
}

func TestLongHundredSteps(t *testing.T) {
	testall.Long(t)
	opened := open(t, "")
	exercisetest.Right(t, HundredSteps(opened.Backend, long(opened)))
	params := model.NewStore()
	train(opened, params, nets["LSTM"], 100, 1000, nil)
	exercisetest.Wrong(t, "1,000 steps at once", HundredSteps(opened.Backend, params), "on which sequences")
}
