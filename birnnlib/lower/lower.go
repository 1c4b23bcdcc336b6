// Package lower shows the intermediate forms of a function: the graph that GoMLX builds, and the StableHLO that XLA
// compiles; and of a compiled one the memory that XLA plans to take.
package lower

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"k8s.io/klog/v2"
)

// Lowered is a function, built for inputs of given shapes.
type Lowered struct {
	g       *graph.Graph
	outputs []*graph.Node
}

// Build builds f, a function from *graph.Node to *graph.Node or []*graph.Node, for inputs of the given shapes. If the
// first argument of f is a *model.Scope, it gets one of a new store. Build returns panics of f, GoMLX's errors, as
// errors.
func Build(b compute.Backend, f any, inputs ...shapes.Shape) (l *Lowered, err error) {
	defer func() {
		if r := recover(); r != nil {
			l, err = nil, fmt.Errorf("building the graph: %v", r)
		}
	}()
	fn := reflect.ValueOf(f)
	if fn.Kind() != reflect.Func {
		return nil, fmt.Errorf("expected a function, got a %T", f)
	}
	g := graph.NewGraph(b, "lowered")
	var args []reflect.Value
	if fn.Type().NumIn() > 0 && fn.Type().In(0) == reflect.TypeFor[*model.Scope]() {
		args = append(args, reflect.ValueOf(model.NewStore().RootScope()))
	}
	var nodes []*graph.Node
	for i, shape := range inputs {
		nodes = append(nodes, graph.Parameter(g, fmt.Sprintf("input_%d", i), shape))
	}
	if n := fn.Type().NumIn(); n == len(args)+1 && fn.Type().In(n-1) == reflect.TypeFor[[]*graph.Node]() {
		args = append(args, reflect.ValueOf(nodes))
	} else {
		for _, node := range nodes {
			args = append(args, reflect.ValueOf(node))
		}
	}
	if n := fn.Type().NumIn(); n != len(args) {
		return nil, fmt.Errorf("the function takes %d arguments, but %d were given", n, len(args))
	}
	l = &Lowered{g: g}
	for _, result := range fn.Call(args) {
		switch r := result.Interface().(type) {
		case *graph.Node:
			l.outputs = append(l.outputs, r)
		case []*graph.Node:
			l.outputs = append(l.outputs, r...)
		default:
			return nil, fmt.Errorf("the function returns a %v, expected *graph.Node or []*graph.Node", result.Type())
		}
	}
	return l, nil
}

// Graph returns GoMLX's graph, one line per node of Nodes.
func (l *Lowered) Graph() string {
	var text strings.Builder
	nodes := l.Nodes()
	fmt.Fprintf(&text, "Graph %q: %d nodes", l.g.Name(), len(nodes))
	for _, n := range nodes {
		fmt.Fprintf(&text, "\n\t#%d\t%s", n.Id(), n)
	}
	return text.String()
}

// Nodes returns the inputs and the nodes of GoMLX's graph that the outputs depend on, including those in the bodies of
// loops, each after its inputs.
func (l *Lowered) Nodes() (nodes []*graph.Node) {
	needed := map[*graph.Node]bool{}
	for _, output := range l.outputs {
		needed[output] = true
	}
	for _, n := range slices.Backward(l.g.Nodes()) {
		inLoop := n.Function() != nil && n.Function().IsClosure()
		if !needed[n] && !inLoop && n.Type() != graph.NodeTypeParameter {
			continue
		}
		for _, input := range n.Inputs() {
			needed[input] = true
		}
		nodes = append(nodes, n)
	}
	slices.Reverse(nodes)
	return nodes
}

// Outputs returns the nodes that the function returned.
func (l *Lowered) Outputs() []*graph.Node { return l.outputs }

// capturing guards klog's settings, which are global.
var capturing sync.Mutex

// StableHLO compiles the function and returns the StableHLO program that XLA compiles, without the operations that nothing
// uses, which XLA removes first. The backend must be XLA.
func (l *Lowered) StableHLO() (program string, err error) {
	if name := l.g.Backend().Name(); !strings.HasPrefix(name, "xla") && !strings.Contains(name, "hlo") {
		return "", fmt.Errorf("the backend %s does not compile StableHLO; ask for xla:cpu", name)
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("compiling: %v", r)
		}
	}()
	capturing.Lock()
	defer capturing.Unlock()
	// go-xla writes the program to its log.
	var log bytes.Buffer
	restore := verbose("2", &log)
	err = l.g.Compile(l.outputs...)
	restore()
	if err != nil {
		return "", err
	}
	_, program, found := strings.Cut(log.String(), "StableHLO program:\n")
	if !found {
		return "", errors.New("go-xla did not log its program; check its version")
	}
	if end := strings.Index(program, "\n}\n"); end >= 0 {
		program = program[:end+3]
	}
	return used(program), nil
}

var (
	statement = regexp.MustCompile(`^    (%[^=]+ = )?"`) // of the main function, with its results; loops are indented further
	value     = regexp.MustCompile(`%\w+`)
)

// used returns a StableHLO program without the operations of its main function whose results nothing uses.
func used(program string) string {
	var statements []string // each with the lines that belong to it
	for line := range strings.Lines(program) {
		if len(statements) > 0 && !statement.MatchString(line) && !strings.HasPrefix(line, "  }") {
			statements[len(statements)-1] += line
		} else {
			statements = append(statements, line)
		}
	}
	uses := map[string]bool{}
	for i, s := range slices.Backward(statements) {
		results, rest := "", s
		if m := statement.FindStringSubmatch(s); m != nil {
			results, rest = m[1], s[len(m[1]):]
		}
		if names := value.FindAllString(results, -1); len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return uses[n] }) {
			statements = slices.Delete(statements, i, i+1)
			continue
		}
		for _, name := range value.FindAllString(rest, -1) {
			uses[name] = true
		}
	}
	return strings.Join(statements, "")
}

// verbose sets klog's level and where it writes.
func verbose(level string, w io.Writer) (restore func()) {
	flags := flag.NewFlagSet("klog", flag.ContinueOnError)
	klog.InitFlags(flags)
	before := map[string]string{}
	for _, name := range []string{"v", "logtostderr", "stderrthreshold"} {
		before[name] = flags.Lookup(name).Value.String()
	}
	flags.Set("v", level)
	flags.Set("logtostderr", "false")
	flags.Set("stderrthreshold", "FATAL")
	klog.SetOutput(w)
	return func() {
		klog.Flush()
		for name, value := range before {
			flags.Set(name, value)
		}
		klog.SetOutput(io.Discard)
	}
}

var shapeText = regexp.MustCompile(`^(\w+)\[([\d, ]*)\]$`)

// ParseShape reads a shape as "float32[32, 256]"; a scalar is "float32[]".
func ParseShape(text string) (shapes.Shape, error) {
	m := shapeText.FindStringSubmatch(strings.TrimSpace(text))
	if m == nil {
		return shapes.Shape{}, fmt.Errorf("%q is not a shape; expected a type and dimensions, as in float32[32,256]", text)
	}
	dtype, ok := dtypes.MapOfNames[m[1]]
	if !ok {
		return shapes.Shape{}, fmt.Errorf("%q has no type that GoMLX knows; expected float32, int32 or the like", text)
	}
	var dims []int
	for part := range strings.SplitSeq(m[2], ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return shapes.Shape{}, fmt.Errorf("%q has the dimension %s, expected a number from 1", text, part)
		}
		dims = append(dims, n)
	}
	return shapes.Make(dtype, dims...), nil
}
