package lower

import (
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func affine(scope *model.Scope, x *Node) *Node {
	return Tanh(AddScalar(Dot(x, Transpose(x, 0, 1)).Product(), 1))
}

func TestGraph(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		l, err := Build(b, affine, shapes.Make(dtypes.Float32, 2, 3))
		if err != nil {
			t.Fatal(err)
		}
		if text := l.Graph(); !strings.Contains(text, "Tanh") || !strings.Contains(text, "input_0") {
			t.Errorf("the graph is\n%s", text)
		}
		nodes, outputs := l.Nodes(), l.Outputs()
		if nodes[0].Type() != NodeTypeParameter || len(outputs) != 1 || outputs[0] != nodes[len(nodes)-1] || outputs[0].Type() != NodeTypeTanh {
			t.Errorf("the nodes are %v, the outputs %v", nodes, outputs)
		}
		program, err := l.StableHLO()
		if strings.Contains(b.Name(), "xla") {
			if err != nil || !strings.Contains(program, "stablehlo.tanh") || !strings.Contains(program, "tensor<2x3xf32>") || !strings.HasSuffix(program, "}\n") {
				t.Errorf("the program is %q, %v", program, err)
			}
		} else if err == nil {
			t.Errorf("%s compiles StableHLO: %s", b.Name(), program)
		}
	})
}

// TestUnused: what the outputs do not need is in neither form, and a loop is whole.
func TestUnused(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		l, err := Build(b, func(scope *model.Scope, x *Node) *Node {
			Sqrt(Dot(x, x).Product()) // dead
			h, _ := birnnlib.New(scope, InsertAxes(x, 1), birnnlib.Sizes{Forward: 3}).Cell(birnnlib.LSTM{}).Done()
			return h
		}, shapes.Make(dtypes.Float32, 8, 8))
		if err != nil {
			t.Fatal(err)
		}
		products := 1 + 8 // of the inputs, and of the states
		if strings.Contains(b.Name(), "xla") {
			products = 1 + 1
			program, err := l.StableHLO()
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(program, "stablehlo.dot_general"); got != products || strings.Contains(program, "sqrt") || strings.Count(program, "stablehlo.while") != 1 {
				t.Errorf("%d products, want %d, in\n%s", got, products, program)
			}
		}
		got := 0
		for _, n := range l.Nodes() {
			if n.Type() == NodeTypeDotGeneral {
				got++
			}
		}
		if got != products || strings.Contains(l.Graph(), "Sqrt") {
			t.Errorf("%d products, want %d, in\n%s", got, products, l.Graph())
		}
	})
}

func TestBuildErrors(t *testing.T) {
	b := backendtest.One(t)
	for want, f := range map[string]any{
		"expected a function": 1, "returns a int": func(x *Node) int { return 1 }, "takes 2 arguments": func(x, y *Node) *Node { return x },
		"building the graph": func(x *Node) *Node { return Dot(x, x).Product() },
	} {
		if _, err := Build(b, f, shapes.Make(dtypes.Float32, 2, 3)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestParseShape(t *testing.T) {
	for text, want := range map[string]string{
		"float32[32,256]": "(Float32)[32, 256]", "int32[]": "(Int32)", " bfloat16[ 1, 2 ] ": "(BFloat16)[1, 2]",
		"float32": "is not a shape", "floaty[1]": "no type", "int32[0]": "dimension 0",
	} {
		shape, err := ParseShape(text)
		got := shape.String()
		if err != nil {
			got = err.Error()
		}
		if !strings.Contains(got, want) {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}
