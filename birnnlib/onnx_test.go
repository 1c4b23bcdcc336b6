package birnnlib_test

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// onnxFixture is testdata/onnx_rnn.json; testdata/onnx_rnn.py writes it and explains it.
type onnxFixture struct {
	ONNX  string      `json:"onnx"`
	T     int         `json:"T"`
	N     int         `json:"n"`
	D     int         `json:"d"`
	H     int         `json:"h"`
	Cases []*onnxCase `json:"cases"`
}

type onnxCase struct {
	Number            uint64    `json:"number"`
	Op                string    `json:"op"`
	Activations       string    `json:"activations"`
	Peepholes         bool      `json:"peepholes"`
	LinearBeforeReset int       `json:"linear_before_reset"`
	Direction         string    `json:"direction"`
	Lengths           []int32   `json:"lengths"`
	Layout            int       `json:"layout"`
	Initial           bool      `json:"initial"`
	Y                 []float64 `json:"Y"`
	Yh                []float64 `json:"Y_h"`
	Yc                []float64 `json:"Y_c"`
}

func readONNX(t *testing.T, path string) *onnxFixture {
	t.Helper()
	blob, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f onnxFixture
	if err := json.Unmarshal(blob, &f); err != nil {
		t.Fatal(err)
	}
	if len(f.Cases) != 72 {
		t.Fatalf("%d cases in %s, want 72", len(f.Cases), path)
	}
	return &f
}

// String names the case.
func (c *onnxCase) String() string {
	name := c.Op
	if c.Activations != "" {
		name += " " + c.Activations
	}
	switch {
	case c.Op == "GRU":
		name += fmt.Sprintf(" linear_before_reset %d", c.LinearBeforeReset)
	case c.Peepholes:
		name += " peepholes"
	}
	name += ", " + c.Direction
	if len(c.Lengths) > 0 {
		name += ", lengths"
	}
	if c.Initial {
		name += ", initial states"
	}
	return name + fmt.Sprintf(", layout %d", c.Layout)
}

func (c *onnxCase) cell() birnnlib.Cell {
	var φ [3]func(z *Node) *Node // f, g and h
	for i, name := range strings.Fields(c.Activations) {
		φ[i] = map[string]func(z *Node) *Node{"HardSigmoid": hardSigmoid, "Relu": activation.Relu, "Softsign": softsign}[name]
	}
	switch c.Op {
	case "RNN":
		t := map[string]activation.Type{"Sigmoid": activation.TypeSigmoid, "Tanh": activation.TypeTanh, "Relu": activation.TypeRelu}[c.Activations]
		if t != activation.TypeNone {
			return birnnlib.RNN{Activation: t}
		}
		return birnnlib.RNN{Function: φ[0]}
	case "LSTM":
		return birnnlib.LSTM{Peepholes: c.Peepholes, Gate: φ[0], Candidate: φ[1], Output: φ[2]}
	}
	return birnnlib.GRU{ResetBefore: c.LinearBeforeReset == 0, Gate: φ[0], Candidate: φ[1]}
}

// hardSigmoid is that of the script.
func hardSigmoid(z *Node) *Node { return activation.HardSigmoidWith(z, 0.25, 0.5) }

// softsign is an activation that GoMLX does not have.
func softsign(z *Node) *Node { return Div(z, OnePlus(Abs(z))) }

// directions are the names that the directions have in our parameters, in the order of ONNX's axis of directions.
func (c *onnxCase) directions() []string {
	return map[string][]string{"forward": {"f"}, "reverse": {"b"}, "bidirectional": {"f", "b"}}[c.Direction]
}

// draw returns one of ONNX's inputs, as the script's function of that name draws it.
func (c *onnxCase) draw(name string, size int) []float64 {
	i := slices.Index([]string{"X", "W", "R", "B", "P", "initial_h", "initial_c"}, name)
	values := rule(100*c.Number+uint64(i), size)
	if name != "X" {
		for i := range values {
			values[i] *= 0.5
		}
	}
	return values
}

// onnxBlocks splits a stack into n blocks of the same size.
func onnxBlocks(values []float64, n int) [][]float64 {
	return slices.Collect(slices.Chunk(values, len(values)/n))
}

// sideBySide returns ONNX's blocks [h, columns] transposed and side by side, [columns, blocks·h]: the layout of our
// weights.
func sideBySide(blocks [][]float64, columns int) array {
	var values []float64
	for column := range columns {
		for _, block := range blocks {
			for row := range len(block) / columns {
				values = append(values, block[row*columns+column])
			}
		}
	}
	return array{values, []int{columns, len(values) / columns}}
}

func vector(blocks ...[]float64) array {
	values := slices.Concat(blocks...)
	return array{values, []int{len(values)}}
}

func plus(x, y []float64) []float64 {
	sum := slices.Clone(x)
	for i, v := range y {
		sum[i] += v
	}
	return sum
}

// parameters converts ONNX's W [directions, gates·h, d], R [directions, gates·h, h], B [directions, 2·gates·h] and P
// [directions, 3h] to our parameters. B holds two biases for each gate: first all of W's, Wb, then all of R's, Rb.
func (c *onnxCase) parameters(f *onnxFixture) map[string]array {
	gates := map[string]int{"RNN": 1, "LSTM": 4, "GRU": 3}[c.Op]
	directions := c.directions()
	of := func(name string, size int) [][]float64 {
		return onnxBlocks(c.draw(name, len(directions)*size), len(directions))
	}
	ws, rs := of("W", gates*f.H*f.D), of("R", gates*f.H*f.H)
	bs, ps := of("B", 2*gates*f.H), of("P", 3*f.H)

	parameters := map[string]array{}
	for k, direction := range directions {
		set := func(name string, a array) { parameters["layer_1/"+name+"^"+direction] = a }
		w, r, b := onnxBlocks(ws[k], gates), onnxBlocks(rs[k], gates), onnxBlocks(bs[k], 2*gates)
		wb, rb := b[:gates], b[gates:]
		sum := func(gate int) []float64 { return plus(wb[gate], rb[gate]) }
		switch c.Op {
		case "RNN":
			set("W_xh", sideBySide(w, f.D))
			set("W_hh", sideBySide(r, f.H))
			set("b_h", vector(sum(0)))
		case "LSTM":
			// ONNX's order is i, o, f, c; ours is i, f, c, o.
			const i, o, forget, cell = 0, 1, 2, 3
			set("W_x", sideBySide([][]float64{w[i], w[forget], w[cell], w[o]}, f.D))
			set("W_h", sideBySide([][]float64{r[i], r[forget], r[cell], r[o]}, f.H))
			set("b", vector(sum(i), sum(forget), sum(cell), sum(o)))
			if c.Peepholes { // ONNX's order is i, o, f
				p := onnxBlocks(ps[k], 3)
				set("p_i", vector(p[i]))
				set("p_f", vector(p[forget]))
				set("p_o", vector(p[o]))
			}
		case "GRU":
			// ONNX's order is z, r, h: the update gate first; ours is r, z, h.
			const update, reset, hidden = 0, 1, 2
			set("W_x", sideBySide([][]float64{w[reset], w[update], w[hidden]}, f.D))
			set("W_h", sideBySide([][]float64{r[reset], r[update], r[hidden]}, f.H))
			if c.LinearBeforeReset == 0 {
				set("b", vector(sum(reset), sum(update), sum(hidden)))
			} else { // Rb of h is in the product with the reset gate
				set("b", vector(sum(reset), sum(update), wb[hidden]))
				set("b_hh", vector(rb[hidden]))
			}
		}
	}
	return parameters
}

// run returns Y, Y_h and, of an LSTM, Y_c.
func (c *onnxCase) run(t *testing.T, b compute.Backend, f *onnxFixture, dtype dtypes.DType) [][]float64 {
	t.Helper()
	store := model.NewStore()
	for name, p := range c.parameters(f) {
		if _, err := store.CreateVariable(name, inType(dtype, p.values, p.dims...)); err != nil {
			t.Fatal(err)
		}
	}
	cell, directions := c.cell(), c.directions()
	sizes := map[string]birnnlib.Sizes{"forward": {Forward: f.H}, "reverse": {Backward: f.H}, "bidirectional": {Forward: f.H, Backward: f.H}}[c.Direction]
	x, state, axis := []int{f.T, f.N, f.D}, []int{len(directions), f.N, f.H}, 0 // the axis of the states' directions
	if c.Layout == 1 {
		x, state, axis = []int{f.N, f.T, f.D}, []int{f.N, len(directions), f.H}, 1
	}
	inputs := []any{inType(dtype, c.draw("X", f.T*f.N*f.D), x...)}
	for i := range cell.Layout(f.H).States {
		name := []string{"initial_h", "initial_c"}[i]
		inputs = append(inputs, inType(dtype, c.draw(name, len(directions)*f.N*f.H), state...))
	}
	outputs, err := model.CallOnceN(b, store, func(scope *model.Scope, in []*Node) []*Node {
		builder := birnnlib.New(scope, in[0], sizes).Cell(cell).BatchMajor(c.Layout == 1).Initializer(nil) // nil: all parameters must be there
		if c.Initial {
			var initial birnnlib.State
			for k, direction := range directions {
				for _, s := range in[1:] {
					at := []SliceAxisSpec{AxisRange(), AxisRange(), AxisRange()}
					at[axis] = AxisElem(k)
					s = Squeeze(Slice(s, at...), axis)
					if direction == "f" {
						initial.Forward = append(initial.Forward, s)
					} else {
						initial.Backward = append(initial.Backward, s)
					}
				}
			}
			builder.InitialStates(initial)
		}
		if len(c.Lengths) > 0 {
			builder.Lengths(Const(in[0].Graph(), c.Lengths))
		}
		h, final := builder.Done()

		// Y is [T, directions, n, h] in layout 0, where our h is [T, n, directions·h], and [n, T, directions, h] in
		// layout 1.
		dims := h.Shape().Dimensions
		y := Reshape(h, dims[0], dims[1], len(directions), f.H)
		if c.Layout == 0 {
			y = TransposeAllAxes(y, 0, 2, 1, 3)
		}
		outputs := []*Node{y}
		for i := range in[1:] {
			var both []*Node
			for _, states := range [][]*Node{final[0].Forward, final[0].Backward} {
				if states != nil {
					both = append(both, states[i])
				}
			}
			outputs = append(outputs, Stack(both, axis))
		}
		return outputs
	}, inputs...)
	if err != nil {
		t.Fatal(err)
	}
	var results [][]float64
	for _, o := range outputs {
		results = append(results, inFloat64(o))
	}
	return results
}

// wants returns the names of the results of run, and ONNX's values.
func (c *onnxCase) wants() (names []string, values [][]float64) {
	names, values = []string{"Y", "Y_h", "Y_c"}, [][]float64{c.Y, c.Yh, c.Yc}
	if c.Op != "LSTM" {
		return names[:2], values[:2]
	}
	return names, values
}

// TestAgainstONNX compares outputs and final states with those of ONNX's operators, in float64 to 1e-10 and in float32
// to 1e-5 of the largest magnitude in each array.
func TestAgainstONNX(t *testing.T) { againstONNX(t) }

func TestLongAgainstONNX(t *testing.T) {
	testall.Long(t)
	againstONNX(t)
}

func againstONNX(t *testing.T) {
	f := readONNX(t, "testdata/onnx_rnn.json")
	var names []string
	for _, c := range f.Cases {
		names = append(names, c.String())
	}
	onXLA := []string{
		"RNN Sigmoid, reverse, layout 1",
		"LSTM peepholes, bidirectional, lengths, initial states, layout 1",
		"GRU linear_before_reset 0, forward, lengths, initial states, layout 0",
		"GRU linear_before_reset 1, bidirectional, lengths, layout 1",
	}
	matrix(t, names, onXLA, func(t *testing.T, b compute.Backend, name string) {
		c := f.Cases[slices.Index(names, name)]
		c.compare(t, b, f, dtypes.Float64, 1e-10)
		if !compiles(b) || testall.On() {
			c.compare(t, b, f, dtypes.Float32, 1e-5)
		}
	})
}

func (c *onnxCase) compare(t *testing.T, b compute.Backend, f *onnxFixture, dtype dtypes.DType, δ float64) {
	t.Helper()
	got := c.run(t, b, f, dtype)
	names, want := c.wants()
	if len(got) != len(want) {
		t.Fatalf("%d results, want %d", len(got), len(want))
	}
	for i, name := range names {
		near(t, fmt.Sprintf("%s in %s", name, dtype), got[i], want[i], δ)
	}
}

// TestLongONNXFixture recomputes the fixture by the script and compares.
func TestLongONNXFixture(t *testing.T) {
	testall.Long(t)
	python := testall.Python(t, "onnx")
	path := filepath.Join(t.TempDir(), "onnx_rnn.json")
	if out, err := exec.CommandContext(t.Context(), python, "testdata/onnx_rnn.py", path).CombinedOutput(); err != nil {
		t.Fatalf("%s testdata/onnx_rnn.py: %v\n%s", python, err, out)
	}
	old, again := readONNX(t, "testdata/onnx_rnn.json"), readONNX(t, path)
	t.Logf("the fixture is of onnx %s, computed again with onnx %s", old.ONNX, again.ONNX)
	again.ONNX = old.ONNX
	for i, c := range old.Cases {
		names, want := c.wants()
		_, got := again.Cases[i].wants()
		for k, name := range names {
			if len(got[k]) != len(want[k]) {
				t.Fatalf("%s: %s has %d entries, %d in the fixture", c, name, len(got[k]), len(want[k]))
			}
			for j, v := range want[k] {
				if off := math.Abs(got[k][j] - v); !(off <= 1e-12) {
					t.Errorf("%s: %s[%d] = %.17g, %.17g in the fixture: off by %.2g", c, name, j, got[k][j], v, off)
				}
			}
		}
		again.Cases[i].Y, again.Cases[i].Yh, again.Cases[i].Yc = c.Y, c.Yh, c.Yc // compared above
	}
	if !reflect.DeepEqual(again, old) {
		t.Error("the cases are not those of the fixture; write it again")
	}
}
