package birnnlib_test

import (
	"encoding/json"
	"maps"
	"math"
	"os"
	"slices"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/train/loss"
)

// jaxCase is one case of testdata/jax_birnn.json; testdata/jax_birnn.py writes it and explains it.
type jaxCase struct {
	Activation       string               `json:"activation"`
	Sizes            [][2]int             `json:"sizes"`
	AsPosted         bool                 `json:"as_posted"`
	Vocab            int                  `json:"vocab"`
	T                int                  `json:"T"`
	N                int                  `json:"n"`
	X                []int32              `json:"x"`
	Y                []int32              `json:"y"`
	Weights          map[string][]float32 `json:"weights"`
	Initial          map[string][]float32 `json:"initial"`
	H                []float32            `json:"h"`
	O                []float32            `json:"o"`
	Loss             float64              `json:"loss"`
	Gradients        map[string][]float32 `json:"gradients"`
	InitialGradients map[string][]float32 `json:"initial_gradients"`
	Summary          map[string]struct {
		Norm   float64   `json:"norm"`
		Sum    float64   `json:"sum"`
		Step   int       `json:"step"`
		Sample []float32 `json:"sample"`
	} `json:"summary"`
}

func (c *jaxCase) sizes() []birnnlib.Sizes {
	var sizes []birnnlib.Sizes
	for _, s := range c.Sizes {
		sizes = append(sizes, birnnlib.Sizes{Forward: s[0], Backward: s[1]})
	}
	return sizes
}

// shapes lists the parameters in the order in which the script draws them.
func (c *jaxCase) shapes() (names []string, shapes [][]int) {
	add := func(name string, dims ...int) { names, shapes = append(names, name), append(shapes, dims) }
	d := c.Vocab
	for l, s := range c.Sizes {
		layer := []string{"layer_1/", "layer_2/", "layer_3/"}[l]
		for i, dir := range []string{"f", "b"} {
			add(layer+"W_xh^"+dir, d, s[i])
			add(layer+"W_hh^"+dir, s[i], s[i])
			add(layer+"b_h^"+dir, s[i])
		}
		d = s[0] + s[1]
	}
	add("W_hq", d, c.Vocab)
	add("b_q", c.Vocab)
	return names, shapes
}

// fill sets the inputs and weights that the fixture does not hold, drawn by the `rule` of the script.
func (c *jaxCase) fill() {
	if c.Weights != nil {
		return
	}
	c.Weights = map[string][]float32{}
	names, shapes := c.shapes()
	for stream, name := range names {
		size := 1
		for _, dim := range shapes[stream] {
			size *= dim
		}
		c.Weights[name] = make([]float32, size)
		if len(shapes[stream]) == 2 {
			for i, v := range rule(uint64(stream), size) {
				c.Weights[name][i] = float32(0.01 * v)
			}
		}
	}
	var text []int32
	for _, v := range rule(99, c.T*c.N+c.N) {
		text = append(text, min(int32(math.Abs(v)*300), int32(c.Vocab-1)))
	}
	c.X, c.Y = text[:c.T*c.N], text[c.N:]
}

// rule is the script's function of that name.
func rule(stream uint64, size int) []float64 {
	splitmix := func(z uint64) uint64 {
		z += 0x9E3779B97F4A7C15
		z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
		z = (z ^ (z >> 27)) * 0x94D049BB133111EB
		return z ^ (z >> 31)
	}
	values := make([]float64, size)
	for k := range values {
		i := stream<<32 + 2*uint64(k)
		u1 := (float64(splitmix(i)>>11) + 1) / (1 << 53)
		u2 := float64(splitmix(i+1)>>11) / (1 << 53)
		values[k] = math.Sqrt(-2*math.Log(u1)) * math.Cos(2*math.Pi*u2)
	}
	return values
}

// TestAgainstJAX compares outputs, the loss and every gradient with JAX's, in both readings: within 1e-5 of the largest
// magnitude in each array.
func TestAgainstJAX(t *testing.T) { againstJAX(t) }

func TestLongAgainstJAX(t *testing.T) {
	testall.Long(t)
	againstJAX(t)
}

func againstJAX(t *testing.T) {
	blob, err := os.ReadFile("testdata/jax_birnn.json")
	if err != nil {
		t.Fatal(err)
	}
	var fixture struct{ Cases map[string]*jaxCase }
	if err := json.Unmarshal(blob, &fixture); err != nil {
		t.Fatal(err)
	}
	if len(fixture.Cases) != 8 {
		t.Fatalf("%d cases in the fixture, want 8", len(fixture.Cases))
	}
	names := slices.Sorted(maps.Keys(fixture.Cases))
	onXLA := []string{"tanh, sizes differ, initial state", "three layers, as posted", "post, formulas"}
	matrix(t, names, onXLA, func(t *testing.T, b compute.Backend, name string) { fixture.Cases[name].compare(t, b) })
}

func (c *jaxCase) compare(t *testing.T, b compute.Backend) {
	c.fill()
	store := model.NewStore()
	names, shapes := c.shapes()
	for i, name := range names {
		if _, err := store.CreateVariable(name, tensors.FromFlatDataAndDimensions(c.Weights[name], shapes[i]...)); err != nil {
			t.Fatal(err)
		}
	}
	var initialNames []string
	for l := range c.Sizes {
		layer := []string{"layer_1/", "layer_2/", "layer_3/"}[l]
		initialNames = append(initialNames, layer+"f", layer+"b")
	}
	inputs := []any{
		tensors.FromFlatDataAndDimensions(c.X, c.T, c.N),
		tensors.FromFlatDataAndDimensions(c.Y, c.T, c.N),
	}
	for i, name := range initialNames {
		h := c.Sizes[i/2][i%2]
		values := c.Initial[name]
		if values == nil {
			values = make([]float32, c.N*h)
		}
		inputs = append(inputs, tensors.FromFlatDataAndDimensions(values, c.N, h))
	}
	outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, in []*Node) []*Node {
		φ, err := activation.TypeString(c.Activation)
		if err != nil {
			panic(err)
		}
		builder := birnnlib.New(scope, in[0], c.sizes()...).OneHot(c.Vocab).Activation(φ).BothForward(c.AsPosted)
		if len(c.Initial) > 0 { // else the default, which must be zero
			var initial []birnnlib.State
			for l := range c.Sizes {
				initial = append(initial, birnnlib.State{Forward: in[2+2*l : 3+2*l], Backward: in[3+2*l : 4+2*l]})
			}
			builder.InitialStates(initial...)
		}
		h, _ := builder.Done()
		o := birnnlib.Output(scope, h, c.Vocab, nil)
		loss := loss.SparseCategoricalCrossEntropyLogits([]*Node{InsertAxes(in[1], -1)}, []*Node{o})
		wrt := []*Node{}
		for _, name := range names {
			wrt = append(wrt, scope.Store().GetVariable("/"+name).NodeValue(h.Graph()))
		}
		if len(c.Initial) > 0 {
			wrt = append(wrt, in[2:]...)
		}
		return append([]*Node{h, o, loss}, Gradient(loss, wrt...)...)
	}, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	flat := make([][]float32, len(outputs))
	for i, o := range outputs {
		flat[i] = tensors.MustCopyFlatData[float32](o)
	}
	if c.H != nil {
		closeTo(t, "H", flat[0], c.H)
		closeTo(t, "O", flat[1], c.O)
	}
	closeTo(t, "loss", flat[2], []float32{float32(c.Loss)})
	for i, name := range names {
		got := flat[3+i]
		if want, ok := c.Gradients[name]; ok {
			closeTo(t, "gradient of "+name, got, want)
			continue
		}
		summary, ok := c.Summary[name]
		if !ok {
			t.Fatalf("the fixture has no gradient of %s", name)
		}
		var norm, sum, magnitude float64
		var sample []float32
		for i, v := range got {
			norm += float64(v) * float64(v)
			sum += float64(v)
			magnitude += math.Abs(float64(v))
			if i%summary.Step == 0 {
				sample = append(sample, v)
			}
		}
		closeTo(t, "gradient of "+name+", sample", sample, summary.Sample)
		if norm = math.Sqrt(norm); math.Abs(norm-summary.Norm) > 1e-5*summary.Norm {
			t.Errorf("gradient of %s: norm %g, JAX has %g", name, norm, summary.Norm)
		}
		if math.Abs(sum-summary.Sum) > 1e-5*magnitude {
			t.Errorf("gradient of %s: sum %g, JAX has %g", name, sum, summary.Sum)
		}
	}
	if len(c.Initial) > 0 {
		for i, name := range initialNames {
			closeTo(t, "gradient of the initial state "+name, flat[3+len(names)+i], c.InitialGradients[name])
		}
	}
}

// closeTo fails if an entry of got is farther from want than 1e-5 of the largest entry.
func closeTo(t *testing.T, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d entries, want %d", what, len(got), len(want))
		return
	}
	var largest, worst float64
	at := 0
	for i := range want {
		largest = max(largest, math.Abs(float64(want[i])))
		if d := math.Abs(float64(got[i]) - float64(want[i])); d > worst || math.IsNaN(d) {
			worst, at = d, i
		}
	}
	if !(worst <= 1e-5*largest) {
		t.Errorf("%s[%d] = %g, want %g: off by %.2g of the largest magnitude %g", what, at, got[at], want[at], worst/largest, largest)
	}
}
