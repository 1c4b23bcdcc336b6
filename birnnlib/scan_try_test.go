package birnnlib

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

func TestTry(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		const T, n, h = 7, 3, 4
		rng := rand.New(rand.NewPCG(1, 1))
		mk := func(dims ...int) *tensors.Tensor {
			x := tensors.FromShape(shapes.Make(dtypes.Float64, dims...))
			tensors.MustMutableFlatData(x, func(f []float64) {
				for i := range f {
					f[i] = rng.NormFloat64()
				}
			})
			return x
		}
		in := []any{mk(T, n, h), mk(n, h), mk(h, h), mk(h), mk(T, n, h), []int32{7, 4, 1}}
		var want []*tensors.Tensor
		for _, mode := range []string{"unroll", "loop", "recompute", "by 3"} {
			for _, rev := range []bool{false} {
				e := MustNewExec(b, func(in []*Node) []*Node {
					x, h0, w, bias, v, l := in[0], in[1], in[2], in[3], in[4], in[5]
					w2 := Mul(w, w)
					scan := Scan(func(before, at []*Node) (after, results []*Node) {
						s := Tanh(Add(AddScalar(OneMinus(Add(Dot(before[0], w).Product(), at[0])), 0.5), ExpandLeftToRank(bias, 2)))
						s = Sub(s, ReduceAndKeep(s, ReduceMean, -1))
						s = Add(s, Dot(before[0], w2).Product())
						return []*Node{s}, []*Node{s, ReduceMax(s, -1)}
					}, []*Node{h0}, x).Lengths(l).Reversed(rev)
					switch mode {
					case "unroll":
						scan.Unroll(T)
					case "by 3":
						scan.Unroll(3)
					case "recompute":
						scan.Recompute(true)
					}
					last, r := scan.Done()
					loss := Add(Add(ReduceAllSum(Mul(r[0], v)), ReduceAllSum(Square(r[1]))), ReduceAllSum(Sin(last[0])))
					return append([]*Node{loss}, Gradient(loss, x, h0, w, bias)...)
				})
				got, err := e.Call(in...)
				if err != nil {
					t.Fatal(mode, err)
				}
				if want == nil {
					want = got
				}
				for i := range got {
					if !got[i].InDelta(want[i], 1e-12) {
						t.Errorf("%s reversed %t: %d: %v\nwant %v", mode, rev, i, got[i], want[i])
					}
				}
				fmt.Println(mode, rev, got[0])
			}
		}
	})
}
