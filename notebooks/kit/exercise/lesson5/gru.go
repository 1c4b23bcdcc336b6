package lesson5

import (
	"math"
	"math/rand/v2"

	"birnn/birnnlib"
	"birnn/notebooks/kit/exercise"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// noise returns a random input [T, 3, d].
func noise(T, d int) *tensors.Tensor {
	rng, values := rand.New(rand.NewPCG(2, 2)), make([]float32, T*3*d)
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(values, T, 3, d)
}

// Agreement checks exercise 3: with all of b_r = br and of b_hh = bhh, either convention of the GRU computes the same
// from any input, and the candidate sees the old state. That is so where R_t = 1 and b_hh = 0. Where R_t = 0 they agree,
// too, but the candidate sees nothing.
func Agreement(b compute.Backend, agreeing func() (br, bhh float32)) error {
	return exercise.Try(func() error {
		br, bhh := agreeing()
		largest, err := disagreement(b, br, bhh)
		switch {
		case err != nil:
			return err
		case largest < 1e-5 && br < 0:
			return exercise.Faultf("they agree, but only because the candidate sees nothing of the old state; b_hh would not matter then",
				"两者相同，但只是因为候选状态完全看不到旧状态；这时b_hh是多少都无所谓")
		case largest < 1e-5:
			return nil
		case bhh != 0:
			return exercise.Faultf("they differ by %.2g: one convention has no b_hh, so what must it be in the other?",
				"相差%.2g：一种约定没有b_hh，那么在另一种里它必须是多少？", largest)
		}
		return exercise.Faultf("they differ by %.2g: for which R_t does it not matter where it is applied, and which b_r makes it so?",
			"相差%.2g：R_t等于多少时，作用在哪里都一样？什么样的b_r能做到？", largest)
	})
}

// disagreement returns the largest difference between the states of the two conventions, with the same parameters.
func disagreement(b compute.Backend, br, bhh float32) (float32, error) {
	const h = 7
	build := func(scope *model.Scope, X *Node, resetBefore bool) *Node {
		H, _ := birnnlib.New(scope, X, birnnlib.Sizes{Forward: h}).Cell(birnnlib.GRU{ResetBefore: resetBefore}).
			Initializer(birnnlib.TorchUniform().Seed(1)).Done()
		return H
	}
	params, X := model.NewStore(), noise(12, 5)
	bias, biases := make([]float32, 3*h), make([]float32, h)
	for u := range h {
		bias[u], biases[u] = br, bhh
	}
	for name, value := range map[string]any{"layer_1/b^f": bias, "layer_1/b_hh^f": biases} {
		if _, err := params.CreateVariable(name, tensors.MustFromAnyValue(value)); err != nil {
			return 0, err
		}
	}
	after, err := model.CallOnce(b, params, func(scope *model.Scope, X *Node) *Node { return build(scope, X, false) }, X)
	if err != nil {
		return 0, err
	}
	largest, err := model.CallOnce(b, params, func(scope *model.Scope, X, after *Node) *Node {
		return ReduceAllMax(Abs(Sub(after, build(scope, X, true))))
	}, X, after)
	if err != nil {
		return 0, err
	}
	return tensors.ToScalar[float32](largest), nil
}

// Exchange checks exercise 4: exchange rewrites the parameters of a GRU whose update gate is the other way round,
// H_t = (1-Z_t) H_{t-1} + Z_t H̃_t, in place, a call for each of W_x [d, 3h], W_h [h, 3h] and b [1, 3h], so that
// [birnnlib.GRU] computes the same.
func Exchange(b compute.Backend, exchange func(rows [][]float32)) error {
	return exercise.Try(func() error {
		for _, h := range []int{2, 3} {
			if err := exchangeOf(b, h, exchange); err != nil {
				return err
			}
		}
		return nil
	})
}

func exchangeOf(b compute.Backend, h int, exchange func(rows [][]float32)) error {
	const T, d = 9, 2
	rng := rand.New(rand.NewPCG(4, uint64(h)))
	Wx, Wh, bias := random(rng, d, 3*h), random(rng, h, 3*h), random(rng, 1, 3*h)
	x := random(rng, T, d)
	want, was := exchanged(Wx, Wh, bias[0], x), Wx[0][h]
	for _, part := range [][][]float32{Wx, Wh, bias} {
		exchange(part)
	}
	params := model.NewStore()
	for name, value := range map[string]any{"W_x": Wx, "W_h": Wh, "b": bias[0], "b_hh": make([]float32, h)} {
		if _, err := params.CreateVariable("layer_1/"+name+"^f", tensors.MustFromAnyValue(value)); err != nil {
			return err
		}
	}
	final, err := model.CallOnce(b, params, func(scope *model.Scope, x *Node) *Node {
		_, final := birnnlib.New(scope, ExpandDims(x, 1), birnnlib.Sizes{Forward: h}).Cell(birnnlib.GRU{}).Done()
		return final[0].Forward[0]
	}, x)
	if err != nil {
		return err
	}
	for u, got := range tensors.MustCopyFlatData[float32](final) {
		if math.Abs(float64(got)-want[u]) < 1e-5 {
			continue
		}
		if Wx[0][h] == was {
			return exercise.Faultf("h=%d, unit %d: %.4f, it should be %.4f; the columns of z, from h to 2h-1, are as before",
				"h=%d，单元%d：%.4f，应当是%.4f；z的那几列，从h到2h-1，没有变", h, u, got, want[u])
		}
		return exercise.Faultf("h=%d, unit %d: %.4f, it should be %.4f; are all of W_x, W_h and b rewritten, and only the columns of z?",
			"h=%d，单元%d：%.4f，应当是%.4f；W_x、W_h和b都改写了吗？只改了z的那几列吗？", h, u, got, want[u])
	}
	return nil
}

// random returns numbers between -1 and 1.
func random(rng *rand.Rand, rows, columns int) [][]float32 {
	all := make([][]float32, rows)
	for i := range all {
		all[i] = make([]float32, columns)
		for k := range all[i] {
			all[i][k] = 2*rng.Float32() - 1
		}
	}
	return all
}

// exchanged is the GRU of exercise 4, in plain Go: its state after the inputs x [T, d].
func exchanged(Wx, Wh [][]float32, b []float32, x [][]float32) []float64 {
	h := len(Wh)
	H := make([]float64, h)
	for _, x := range x {
		next := make([]float64, h)
		for u := range next {
			at := func(k int) (fromX, fromH float64) { // block k of unit u
				fromX = float64(b[k*h+u])
				for i, x := range x {
					fromX += float64(x * Wx[i][k*h+u])
				}
				for j := range h {
					fromH += H[j] * float64(Wh[j][k*h+u])
				}
				return fromX, fromH
			}
			σ := func(a, b float64) float64 { return 1 / (1 + math.Exp(-a-b)) }
			R, Z := σ(at(0)), σ(at(1))
			fromX, fromH := at(2)
			next[u] = (1-Z)*H[u] + Z*math.Tanh(fromX+R*fromH)
		}
		H = next
	}
	return H
}
