package lesson7

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/birnnlib/lower"
	"birnn/internal/backendtest"
	"birnn/internal/testall"
	"birnn/notebooks/kit/exercise/exercisetest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func TestSolutions(t *testing.T) {
	exercisetest.SameAsSolutions(t, "07-from-the-formula-to-the-machine")
}

func TestLSTM(t *testing.T) {
	exercisetest.Right(t, LSTM(ofLSTM))
	for _, wrong := range []struct {
		answer string
		ofLSTM func(T, n, d, h int) int
		hint   string
	}{
		{"nothing yet", func(T, n, d, h int) int { return 0 }, "T=50 n=3 d=5 h=7: 0, and the graph has 201600"},
		{"the RNN of the lesson", func(T, n, d, h int) int { return 4 * T * n * (d*h + h*h) }, "a plain RNN"},
		{"no candidate", func(T, n, d, h int) int { return 12 * T * n * (d*h + h*h) }, "three gates"},
		{"one direction", func(T, n, d, h int) int { return 8 * T * n * (d*h + h*h) }, "both directions"},
		{"multiplications alone", func(T, n, d, h int) int { return 2 * T * n * (d + h) * 4 * h }, "an addition for each multiplication"},
		{"inputs alone", func(T, n, d, h int) int { return 16 * T * n * d * h }, "and the graph has"},
		{"a single sequence", func(T, n, d, h int) int { return 16 * T * (d*h + h*h) }, "and the graph has"},
		{"both directions read by the state", func(T, n, d, h int) int { return 16 * T * n * (d*h + 2*h*h) }, "and the graph has"},
	} {
		exercisetest.Wrong(t, wrong.answer, LSTM(wrong.ofLSTM), wrong.hint)
	}
}

func TestTraining(t *testing.T) {
	exercisetest.Right(t, Training(ofTraining))
	exercisetest.Right(t, Training(func(T, n, d, h int) int { return 4 * n * (2*T*d*h + (3*T-1)*h*h) })) // to the operation
	for _, wrong := range []struct {
		answer     string
		ofTraining func(T, n, d, h int) int
		hint       string
	}{
		{"nothing yet", func(T, n, d, h int) int { return 0 }, "T=50 n=3 d=5 h=7: 0, and the graph has 129612"},
		{"forwards", func(T, n, d, h int) int { return 4 * T * n * (d*h + h*h) }, "forward computation alone"},
		{"three times forwards", func(T, n, d, h int) int { return 12 * T * n * (d*h + h*h) }, "with respect to X"},
		{"twice forwards", func(T, n, d, h int) int { return 8 * T * n * (d*h + h*h) }, "comes back as two products"},
		{"backwards alone", func(T, n, d, h int) int { return 4 * T * n * (d*h + 2*h*h) }, "without the forward computation"},
		{"one direction", func(T, n, d, h int) int { return ofTraining(T, n, d, h) / 2 }, "both directions"},
		{"inputs three times, states twice", func(T, n, d, h int) int { return 4 * T * n * (3*d*h + 2*h*h) }, "and the graph has"},
	} {
		exercisetest.Wrong(t, wrong.answer, Training(wrong.ofTraining), wrong.hint)
	}
}

func TestProducts(t *testing.T) {
	exercisetest.Right(t, Products(products))
	for _, wrong := range []struct {
		answer   string
		products func(T, u int) int
		hint     string
	}{
		{"nothing yet", func(T, u int) int { return 0 }, "T=5 u=5: 0, and the program has 12"},
		{"all steps, in each form", func(T, u int) int { return 2 + 2*T }, "the body of a loop is there once"},
		{"the body alone", func(T, u int) int { return 2 + 2*min(T, u) }, "do not fill a round"},
		{"without the inputs", func(T, u int) int { return products(T, u) - 2 }, "inputs come before the loops"},
		{"one direction", func(T, u int) int { return products(T, u) / 2 }, "each direction"},
		{"u where there is no loop", func(T, u int) int { return 2 + 2*(u+T%u) }, "T=9 u=20"},
		{"rounds for steps", func(T, u int) int { return 2 + 2*((T+u-1)/u) }, "T=5 u=5"},
		{"the products of a panic", func(T, u int) int { return T / (u - 5) }, "divide by zero"},
	} {
		exercisetest.Wrong(t, wrong.answer, Products(wrong.products), wrong.hint)
	}
}

// TestOperations counts the operations in the graphs of exercises 1 and 2.
func TestOperations(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, s := range sizes {
			T, n, d, h := s[0], s[1], s[2], s[3]
			lstm := func(scope *model.Scope, X *Node) *Node {
				H, _ := birnnlib.New(scope, X, birnnlib.Sizes{Forward: h, Backward: h}).Cell(birnnlib.LSTM{}).Unroll(unrolled).Done()
				return H
			}
			if got, want := operations(t, b, lstm, T, n, d), lstmOperations(T, n, d, h); got != want {
				t.Errorf("%v: the LSTM has %d operations, want %d", s, got, want)
			}
			want := trainingOperations(T, n, d, h)
			if !hasLoops(b) {
				want += 4 * T * n * h
			}
			if got := operations(t, b, training(h, unrolled), T, n, d); got != want {
				t.Errorf("%v: a training step has %d operations, want %d", s, got, want)
			}
		}
	})
}

// hasLoops reports whether the backend has loops; pure Go has none.
func hasLoops(b compute.Backend) bool {
	c := b.Capabilities()
	return c.Functions && c.Operations[compute.OpTypeDynamicSlice]
}

// operations adds up the operations of the matrix products that the outputs of f need, [a, b]·[b, c] has 2abc, as in the
// lesson.
func operations(t *testing.T, b compute.Backend, f any, T, n, d int) (sum int) {
	program, err := lower.Build(b, f, f32(T, n, d))
	if err != nil {
		t.Fatal(err)
	}
	needed := map[*Node]bool{}
	for _, output := range program.Outputs() {
		needed[output] = true
	}
	for _, node := range slices.Backward(program.Nodes()) { // each node comes after its inputs
		size := float64(node.Shape().Size()) // ac
		for _, in := range node.Inputs() {
			needed[in] = needed[in] || needed[node]
			size *= float64(in.Shape().Size()) // and ab, and bc
		}
		if needed[node] && node.Type() == NodeTypeDotGeneral {
			sum += 2 * int(math.Round(math.Sqrt(size)))
		}
	}
	return sum
}

// TestPrograms counts the products in the programs of exercise 3.
func TestPrograms(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, s := range programs {
			T, u := s[0], s[1]
			if !hasLoops(b) && u < T {
				continue // it has no loops
			}
			program, err := lower.Build(b, network(4, u), f32(T, 2, 3))
			if err != nil {
				t.Fatal(err)
			}
			count := 0
			for _, node := range program.Nodes() {
				if node.Type() == NodeTypeDotGeneral {
					count++
				}
			}
			if want := productsOf(T, u); count != want {
				t.Errorf("T=%d u=%d: the program has %d products, want %d", T, u, count, want)
			}
		}
	})
}

func TestCombined(t *testing.T) {
	exercisetest.Right(t, Combined(combined))
	weighted := func(weights func(n1, n2 int) (w1, w2 float32)) func(g1, g2 []float32, n1, n2 int) []float32 {
		return func(g1, g2 []float32, n1, n2 int) (g []float32) {
			w1, w2 := weights(n1, n2)
			for i := range g1 {
				g = append(g, w1*g1[i]+w2*g2[i])
			}
			return g
		}
	}
	for _, wrong := range []struct {
		answer   string
		combined func(g1, g2 []float32, n1, n2 int) []float32
		hint     string
	}{
		{"nothing yet", func(g1, g2 []float32, n1, n2 int) []float32 { return nil }, "0 numbers instead of 4"},
		{"both, one after the other", func(g1, g2 []float32, n1, n2 int) []float32 { return append(g1, g2...) }, "8 numbers instead of 4"},
		{"the sum", weighted(func(n1, n2 int) (w1, w2 float32) { return 1, 1 }), "sum of two means"},
		{"the mean", weighted(func(n1, n2 int) (w1, w2 float32) { return 0.5, 0.5 }), "as many sequences"},
		{"the weights exchanged", weighted(func(n1, n2 int) (w1, w2 float32) {
			return float32(n2) / float32(n1+n2), float32(n1) / float32(n1+n2)
		}), "exchanged"},
		{"not divided", weighted(func(n1, n2 int) (w1, w2 float32) { return float32(n1), float32(n2) }), "sum of all losses"},
		{"a quotient of integers", weighted(func(n1, n2 int) (w1, w2 float32) {
			share := float32(n1 / (n1 + n2))
			return share, 1 - share
		}), "is an integer in Go"},
		{"the first device", weighted(func(n1, n2 int) (w1, w2 float32) { return 1, 0 }), "one device alone"},
		{"weights of the other case", weighted(func(n1, n2 int) (w1, w2 float32) { return 0.75, 0.25 }), "n1=1, n2=4"},
		{"not a number", weighted(func(n1, n2 int) (w1, w2 float32) { return float32(math.NaN()), 0 }), "from [0.3"},
	} {
		exercisetest.Wrong(t, wrong.answer, Combined(wrong.combined), wrong.hint)
	}
}

// TestThreefold has times to compile that grow in proportion to T, and are three times that of the loop at 16.
func TestThreefold(t *testing.T) {
	line := func(T int) (float64, error) { return 3 * float64(T) / 16, nil }
	for _, T := range []int{16, 20, 31} { // whoever doubles T goes at most this far
		exercisetest.Right(t, threefoldAt(T, line))
	}
	for _, wrong := range []struct {
		T    int
		hint string
	}{
		{0, "fewer than two steps"}, {1, "fewer than two steps"}, {2, "not yet three times"}, {8, "not yet three times"},
		{11, "not yet three times"}, {44, "at T = 22, which is half of it"}, {64, "at T = 32"}, {128, "at T = 64"}, {129, "much too large"},
	} {
		exercisetest.Wrong(t, fmt.Sprint(wrong.T), threefoldAt(wrong.T, line), wrong.hint)
	}
	b, err := backend.Open(t.Context(), backend.Options{Ask: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Backend.Finalize()
	exercisetest.Wrong(t, "without XLA", Threefold(b, func(*backend.Opened) int { return 16 }), "needs XLA")
}

func TestLongThreefold(t *testing.T) {
	testall.Long(t)
	b, err := backend.Open(t.Context(), backend.Options{Ask: "xla:cpu"})
	if err != nil {
		testall.Missing(t, "XLA: %v", err)
	}
	defer b.Backend.Finalize()
	exercisetest.Right(t, Threefold(b, threefold))
	for _, T := range []int{2, 128} {
		exercisetest.Wrong(t, fmt.Sprint(T), Threefold(b, func(*backend.Opened) int { return T }), "times as long")
	}
}
