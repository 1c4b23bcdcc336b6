package lesson

import (
	"slices"
	"testing"

	"birnn/birnnlib"
	"birnn/notebooks/kit/figure"

	"github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func TestNetwork(t *testing.T) {
	if _, err := Network(model.NewStore()); err == nil {
		t.Error("a store without a network is no error")
	}
	// Parameters by hand: of a direction (d h + h² + h), times 4 for the LSTM, times 3 and h more for the GRU.
	for _, test := range []struct {
		name   string
		cell   birnnlib.Cell
		output int
		want   []figure.Layer // the output layer last
	}{
		{"RNN", birnnlib.RNN{}, 3, []figure.Layer{{Forward: 4, Backward: 2, Parameters: 28 + 10}, {Backward: 5, Parameters: 60}, {Forward: 3, Parameters: 18}}},
		{"LSTM", birnnlib.LSTM{}, 1, []figure.Layer{{Forward: 4, Backward: 2, Parameters: 4 * (28 + 10)}, {Backward: 5, Parameters: 4 * 60}, {Forward: 1, Parameters: 6}}},
		{"GRU", birnnlib.GRU{}, 0, []figure.Layer{{Forward: 4, Backward: 2, Parameters: 3*(28+10) + 6}, {Backward: 5, Parameters: 3*60 + 5}, {}}},
	} {
		params := model.NewStore()
		_, err := model.CallOnce(gobackend.GetBackend(), params, func(scope *model.Scope, x *Node) *Node {
			H, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 4, Backward: 2}, birnnlib.Sizes{Backward: 5}).Cell(test.cell).Done()
			if test.output > 0 {
				H = birnnlib.Output(scope, H, test.output, birnnlib.Glorot().Seed(1))
			}
			return H
		}, [][][]float32{{{1, 2}}, {{3, 4}}})
		if err != nil {
			t.Fatal(err)
		}
		got, err := Network(params)
		if err != nil {
			t.Fatal(err)
		}
		if all := append(slices.Clone(got.Layers), got.Outputs); got.Inputs != 2 || !slices.Equal(all, test.want) {
			t.Errorf("%s: %d inputs and %+v, want 2 and %+v", test.name, got.Inputs, all, test.want)
		}
	}
}
