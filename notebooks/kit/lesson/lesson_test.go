package lesson

import (
	"math"
	"math/rand/v2"
	"testing"

	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// unseen returns the variance of the part of y(t) that comes from x(t+k) with k outside of from..to: the smallest mean
// squared error given only the others, since the x are independent, of variance 1/12.
func unseen(from, to int) (variance float64) {
	for k := -30; k <= 30; k++ {
		if k < from || k > to {
			variance += Weight(k) * Weight(k) / 12
		}
	}
	return variance
}

func TestFloors(t *testing.T) {
	sum := 0.0
	for k := -30; k <= 30; k++ {
		sum += Weight(k)
	}
	if math.Abs(sum-0.975) > 1e-12 { // 1/10 × 45/10 + 1/20 × 210/20
		t.Errorf("the weights add up to %g, want 0.975", sum)
	}
	// By hand: Σ i² for i ≤ m is m(m+1)(2m+1)/6; the past has variance 285/120000, the future beyond delay D
	// Σ_{i≤19-D} i² / 1920000.
	for _, test := range []struct {
		name     string
		from, to int
		want     float64
	}{
		{"nothing", 1, 0, 285./120000 + 2870./1920000},
		{"forward", -30, 0, 2470. / 1920000},
		{"forward, delay 5", -30, 5, 1015. / 1920000},
		{"forward, delay 10", -30, 10, 285. / 1920000},
		{"forward, delay 19", -30, 19, 0},
		{"backward", 0, 30, 285. / 120000},
		{"both", -30, 30, 0},
	} {
		if got := unseen(test.from, test.to); math.Abs(got-test.want) > 1e-15 {
			t.Errorf("%s: the floor is %g, want %g", test.name, got, test.want)
		}
	}
	// As published with the task, rounded to six decimals.
	for D, want := range map[int]float64{0: 0.001286, 5: 0.000529, 10: 0.000148} {
		if got := unseen(-30, D); math.Abs(got-want) > 5e-7 {
			t.Errorf("delay %d: the floor is %.6f, want %.6f", D, got, want)
		}
	}
}

func TestSchusterPaliwal(t *testing.T) {
	const T, n = 60, 500
	x, y := SchusterPaliwal(rand.New(rand.NewPCG(1, 1)), T, n)
	xs, ys := tensors.MustCopyFlatData[float32](x), tensors.MustCopyFlatData[float32](y)
	at := func(t, b int) float64 {
		if t < 0 || t >= T {
			return 0
		}
		return float64(xs[t*n+b])
	}
	mean, variance := 0.0, 0.0
	for _, t0 := range []int{0, 5, 30, 50, T - 1} {
		want := 0.0 // the published formula
		for k := -10; k <= -1; k++ {
			want += at(t0+k, 3) * (1 - math.Abs(float64(k))/10) / 10
		}
		for k := 0; k <= 19; k++ {
			want += at(t0+k, 3) * (1 - float64(k)/20) / 20
		}
		if got := float64(ys[t0*n+3]); math.Abs(got-want) > 1e-6 {
			t.Errorf("y(%d) = %g, want %g", t0, got, want)
		}
	}
	for b := range n {
		mean += float64(ys[30*n+b]) / n
	}
	for b := range n {
		variance += math.Pow(float64(ys[30*n+b])-mean, 2) / (n - 1)
	}
	if floor := unseen(1, 0); math.Abs(variance/floor-1) > 4*math.Sqrt(2./n) || math.Abs(mean-0.4875) > 4*math.Sqrt(floor/n) {
		t.Errorf("mean %.4f, want 0.4875; variance %.6f, want %.6f", mean, variance, floor)
	}
}

func TestAdding(t *testing.T) {
	for _, T := range []int{2, 3, 50} {
		const n = 2000
		x, y := Adding(rand.New(rand.NewPCG(1, 1)), T, n)
		xs, ys := tensors.MustCopyFlatData[float32](x), tensors.MustCopyFlatData[float32](y)
		squares := 0.0
		for b := range n {
			sum, first, second := float32(0), 0, 0
			for step := range T {
				number, mark := xs[(step*n+b)*2], xs[(step*n+b)*2+1]
				sum += number * mark
				if mark != 0 && step < T/2 {
					first++
				} else if mark != 0 {
					second++
				}
				if number < 0 || number >= 1 {
					t.Fatalf("T=%d: the number %g", T, number)
				}
			}
			if first != 1 || second != 1 || math.Abs(float64(sum-ys[b])) > 1e-6 {
				t.Fatalf("T=%d: sequence %d has %d and %d marks, sum %g, target %g", T, b, first, second, sum, ys[b])
			}
			squares += math.Pow(float64(ys[b])-1, 2) / n
		}
		if math.Abs(squares/AddingVariance-1) > 0.15 {
			t.Errorf("T=%d: variance %g, want %g", T, squares, AddingVariance)
		}
	}
}

func TestTraining(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		// The mean of (w - x)² is least where w is the mean of x, here 3.
		rng := rand.New(rand.NewPCG(1, 1))
		batch := func() []any {
			x := make([]float32, 64)
			for i := range x {
				x[i] = float32(3 + rng.NormFloat64())
			}
			return []any{x}
		}
		loss := func(scope *model.Scope, inputs []*Node) *Node {
			w := scope.VariableWithValue("w", float32(0)).NodeValue(inputs[0].Graph())
			return ReduceAllMean(Square(Sub(w, inputs[0])))
		}
		for _, clip := range []float64{0, 1} {
			params := model.NewStore()
			steps, first, last := 0, 0.0, 0.0
			err := Training{Steps: 200, LearningRate: 0.1, Clip: clip}.Run(b, params, loss, batch, func(done int, l float64) {
				if steps++; done != steps {
					t.Errorf("step %d, want %d", done, steps)
				}
				if last = l; done == 1 {
					first = l
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			w := float64(tensors.ToScalar[float32](params.GetVariable("/w").MustValue()))
			if steps != 200 || math.Abs(w-3) > 0.1 {
				t.Errorf("clip %g: w = %g after %d steps, want 3 after 200", clip, w, steps)
			}
			if math.Abs(first-10) > 2 || math.Abs(last-1) > 0.6 {
				t.Errorf("clip %g: losses %g and %g, want about 10 and 1", clip, first, last)
			}
			// By the cosine the last step is a tiny one.
			rate := tensors.ToScalar[float32](params.GetVariable("/optimizers/learning_rate").MustValue())
			if rate <= 0 || rate > 1e-4 {
				t.Errorf("clip %g: the last learning rate is %g", clip, rate)
			}
		}
		// A second run starts its schedule again, whatever its length.
		params := model.NewStore()
		for _, steps := range []int{70, 200} {
			if err := (Training{Steps: steps, LearningRate: 0.1}).Run(b, params, loss, batch, nil); err != nil {
				t.Fatal(err)
			}
			if rate := tensors.ToScalar[float32](params.GetVariable("/optimizers/learning_rate").MustValue()); rate > 1e-4 {
				t.Errorf("after a run of %d steps the learning rate is %g", steps, rate)
			}
		}
		// After one step Adam's first moment is a tenth of the gradient, which is 2 (0 - 3) before it is clipped.
		for clip, want := range map[float64]float64{0: -0.6, 1: -0.1, 100: -0.6} {
			params := model.NewStore()
			if err := (Training{Steps: 1, LearningRate: 0.1, Clip: clip}).Run(b, params, loss, batch, nil); err != nil {
				t.Fatal(err)
			}
			moment := float64(tensors.ToScalar[float32](params.GetVariable("/AdamOptimizer/w_1st_moment").MustValue()))
			if math.Abs(moment-want) > 0.1*math.Abs(want) {
				t.Errorf("clip %g: the first moment is %g, want %g", clip, moment, want)
			}
		}
		err := Training{Steps: 1, LearningRate: 0.1}.Run(b, model.NewStore(), loss, func() []any { return []any{"no tensor"} }, nil)
		if err == nil {
			t.Error("a batch that is no tensor is no error")
		}
	})
}
