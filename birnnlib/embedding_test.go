package birnnlib_test

import (
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// TestEmbedding looks up rows of a table with more rows than the type of the indices can count, and differentiates: each
// row gets the sum of the gradients where it was selected. An index out of range counts as the nearest.
func TestEmbedding(t *testing.T) {
	const q, d = 300, 2
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, x := range []any{[][]uint8{{0, 255}, {7, 7}, {1, 255}}, [][]int32{{-5, 299}, {7, 7}, {1, 400}}} {
			store := model.NewStore()
			outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, x, weights *Node) []*Node {
				X := birnnlib.Embedding(scope.In("words"), x, shapes.Make(dtypes.Float64, q, d), func(w birnnlib.Weight) []float64 {
					values := make([]float64, w.Dims[0]*w.Dims[1])
					for i := range values {
						values[i] = float64(i)
					}
					return values
				})
				table := store.GetVariable("/words/E").NodeValue(x.Graph())
				return []*Node{X, Gradient(ReduceAllSum(Mul(X, weights)), table)[0]}
			}, x, [][][]float64{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}, {{9, 10}, {11, 12}}})
			if err != nil {
				t.Fatal(err)
			}
			last := 299.0
			if _, ok := x.([][]uint8); ok {
				last = 255
			}
			want := tensors.FromValue([][][]float64{{{0, 1}, {2 * last, 2*last + 1}}, {{14, 15}, {14, 15}}, {{2, 3}, {2 * last, 2*last + 1}}})
			if !outputs[0].Equal(want) {
				t.Errorf("%v: X is %s, want %s", x, outputs[0].GoStr(), want.GoStr())
			}
			gradient := make([][]float64, q)
			for i := range gradient {
				gradient[i] = make([]float64, d)
			}
			gradient[0], gradient[1], gradient[7], gradient[int(last)] = []float64{1, 2}, []float64{9, 10}, []float64{12, 14}, []float64{14, 16}
			if !outputs[1].Equal(tensors.FromValue(gradient)) {
				t.Errorf("%v: the gradient is wrong", x)
			}
		}
	})
}

func TestEmbeddingErrors(t *testing.T) {
	table := shapes.Make(dtypes.Float32, 3, 2)
	for _, test := range []struct {
		x           any
		table       shapes.Shape
		initializer birnnlib.Initializer
		want        string
	}{
		{[]float32{1}, table, everywhere, "x is (Float32)[1]"},
		{[]int32{1}, shapes.Make(dtypes.Float32, 3), everywhere, "the table is (Float32)[3]"},
		{[]int32{1}, shapes.Make(dtypes.Int32, 3, 2), everywhere, "the table is (Int32)[3, 2]"},
		{[]int32{1}, shapes.Make(dtypes.Float32, 3, 0), everywhere, "the table is (Float32)[3, 0]"},
		{[]int32{1}, table, nil, "/E does not exist"},
	} {
		_, err := model.CallOnce(backendtest.Go(t), model.NewStore(), func(scope *model.Scope, x *Node) *Node {
			return birnnlib.Embedding(scope, x, test.table, test.initializer)
		}, test.x)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, %s: the error is %v, want one that says %q", test.x, test.table, err, test.want)
		}
	}
}
