package cell

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"birnn/internal/testall"
)

// TestSessions checks properties of sessions of random cells: each program is valid and has no declaration that the cell
// does not reach, no cell spoils a later one, and running all cells twice leads to the same declarations as once.
func TestSessions(t *testing.T) {
	n := uint64(200)
	if testing.Short() {
		n = 50
	}
	for seed := range n {
		session(t, seed)
	}
}

// TestLongSessions checks the same of more sessions.
func TestLongSessions(t *testing.T) {
	testall.Long(t)
	for seed := uint64(1000); seed < 6000; seed++ {
		session(t, seed)
	}
}

// FuzzSession checks the same of any session.
func FuzzSession(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) { session(t, seed) })
}

func session(t *testing.T, seed uint64) {
	t.Helper()
	g := generator{rand.New(rand.NewPCG(seed, 0)), &Notebook{}}
	withIDs := seed%2 == 0 // as some clients send
	var sources []string
	run := func(n *Notebook, number int, source string) *Notebook {
		c, err := n.Parse(source)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, source)
		}
		if withIDs {
			c.ID = fmt.Sprint(number)
		}
		n = n.With(c, number)
		if err := exact(n, c, number); err != nil {
			t.Fatalf("seed %d: cell %d: %v\n%s\nafter\n%s", seed, number, err, source, strings.Join(sources, "\n--\n"))
		}
		return n
	}
	for number := range 12 {
		source := g.cell()
		g.n = run(g.n, number+1, source)
		sources = append(sources, source)
		run(g.n, 1000, "1") // the next cell is not spoiled
		m := *g.n
		for range g.IntN(3) { // nor by a command
			if d := g.n.decls; len(d) > 0 {
				m.Forget(base(d[g.IntN(len(d))].Names[0]))
			}
		}
		run(&m, 1000, "1")
	}
	again := g.n
	for i, source := range sources {
		again = run(again, i+1, source)
	}
	if once, twice := listed(g.n), listed(again); once != twice {
		t.Fatalf("seed %d:\n%s\n== once:\n%s== twice:\n%s", seed, strings.Join(sources, "\n--\n"), once, twice)
	}
}

func listed(n *Notebook) string {
	var b strings.Builder
	for _, d := range n.decls {
		fmt.Fprintf(&b, "%v %v %s\n", d.Kind, d.Names, d.Text)
	}
	return b.String()
}

// generator makes cells. What a declaration refers to has a smaller number, so that there are no circles. Fields have the
// names of variables.
type generator struct {
	*rand.Rand
	n *Notebook
}

func (g generator) pick(options ...string) string { return options[g.IntN(len(options))] }

// known returns a declared name with a number below level and that initial.
func (g generator) known(initial string, level int) string {
	var names []string
	for _, d := range g.n.decls {
		for _, name := range d.Names {
			if strings.HasPrefix(name, initial) && len(name) == 2 && int(name[1]-'0') < level {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return ""
	}
	return g.pick(names...)
}

func (g generator) field() string { return fmt.Sprintf("v%d", g.IntN(2)) }

func (g generator) value(level int) string {
	switch g.IntN(8) {
	case 0:
		if f := g.known("f", level); f != "" {
			return f + "()"
		}
	case 1:
		if t := g.known("t", level); t != "" {
			field := g.field()
			return g.pick("("+t+"{"+field+": "+g.value(level)+"})."+field, t+"{}.M()", "[]"+t+"{{"+field+": "+g.value(level)+"}}[0]."+field,
				"map[int]*"+t+"{"+g.value(level)+": {"+field+": 1}}[0]."+field)
		}
	case 2:
		if v := g.known("v", level); v != "" {
			return "map[int]int{" + v + ": " + g.value(level) + "}[0]"
		}
	case 3:
		name := g.field()
		return "func(" + name + " int) int { return " + name + " }(" + g.value(level) + ")"
	case 4:
		return g.value(level) + " + " + g.value(level)
	case 5:
		if c := g.known("c", level); c != "" {
			return c
		}
	case 6:
		if v := g.known("v", level); v != "" {
			return v
		}
	}
	return fmt.Sprint(g.IntN(9))
}

func (g generator) cell() string {
	if g.IntN(4) == 0 {
		local := g.field()
		return local + " := " + g.value(6) + "\n// of a local\nvar (\n\tv8 = " + local + "\n\tv9 = v8\n)\n" + g.value(6)
	}
	var parts []string
	for range 1 + g.IntN(3) {
		level := g.IntN(6)
		v := fmt.Sprintf("v%d", level)
		switch g.IntN(9) {
		case 0:
			parts = append(parts, "var "+v+" = "+g.value(level))
		case 1:
			other := fmt.Sprintf("v%d", (level+1)%6)
			pair := "func() (int, int) { return 1, " + g.value(min(level, (level+1)%6)) + " }()"
			parts = append(parts, g.pick("var "+v+", "+other+" = "+pair, "var "+v+", _ = "+pair))
		case 2:
			local := g.field()
			parts = append(parts, g.pick(
				fmt.Sprintf("func f%d() int { return %s }", level, g.value(level)),
				fmt.Sprintf("func f%d() int {\n\t%s := %s\n\treturn %s\n}", level, local, g.value(level), local)))
		case 3:
			parts = append(parts, fmt.Sprintf("type t%d struct{ v0, v1 int }\nfunc (t t%d) M() int { return t.v0 + %s }", level, level, g.value(level)))
		case 4:
			parts = append(parts, fmt.Sprintf("const c%d, _ = iota, 1", (level+2)%6), fmt.Sprintf("const (\n\tc%d = iota\n\t_\n\tc%d, _ = iota, 2\n\t_, _\n)", level, (level+1)%6))
		case 5:
			parts = append(parts, "var _ = "+g.value(6))
		case 6:
			if t := g.known("t", 6); t != "" {
				parts = append(parts, "var _ interface{ M() int } = "+t+"{}", "func _() { "+t+"{}.M() }", "func (t "+t+") _() {}")
			}
		case 7:
			for range 1 + g.IntN(2) {
				parts = append(parts, "func init() { _ = "+g.value(6)+" }")
			}
		case 8:
			parts = append(parts, fmt.Sprintf("func init_%d() { _ = %s }", level, g.value(6)))
		}
	}
	return strings.Join(parts, "\n")
}

// exact returns an error if the program of a cell is not valid or has a declaration that the cell does not reach.
func exact(n *Notebook, c *Cell, number int) error {
	p := n.Program(c, number, Options{Quiet: true})
	text := "package main\n" + p.Source
	if at := strings.LastIndex(text, "\n%%\n"); at >= 0 {
		text = text[:at] + "\nfunc main() {\n" + text[at+4:] + "}\n"
	}
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", text, parser.SkipObjectResolution)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	info := &types.Info{Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}}
	pkg, err := (&types.Config{}).Check("main", files, []*ast.File{f}, info)
	if err != nil {
		return fmt.Errorf("%w\n%s", err, text)
	}
	// The top-level declarations that each node refers to.
	refers := func(node ast.Node) (all []types.Object) {
		ast.Inspect(node, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && info.Uses[id] != nil && info.Uses[id].Parent() == pkg.Scope() {
				all = append(all, info.Uses[id])
			}
			return true
		})
		return all
	}
	edges := map[types.Object][]types.Object{}
	var queue, all []types.Object
	declare := func(node ast.Node, names ...*ast.Ident) {
		var objects []types.Object
		for _, id := range names {
			if !strings.HasPrefix(id.Name, "birnn_") { // a blank one
				objects = append(objects, info.Defs[id])
			}
		}
		for _, object := range objects {
			edges[object] = append(append(edges[object], refers(node)...), objects...)
			all = append(all, object)
		}
		if len(objects) == 0 {
			queue = append(queue, refers(node)...)
		}
	}
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				declare(d, d.Name)
				if name := d.Name.Name; name == "main" || strings.HasPrefix(name, "init_") {
					queue = append(queue, info.Defs[d.Name])
				}
				continue
			}
			of := pkg.Scope().Lookup(receiver(d.Recv.List[0].Type))
			edges[of] = append(edges[of], refers(d)...)
		case *ast.GenDecl:
			var group []*ast.Ident
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.TypeSpec:
					declare(s, s.Name)
				case *ast.ValueSpec:
					group = append(group, s.Names...)
					if d.Tok == token.VAR {
						declare(s, s.Names...)
					}
				}
			}
			if d.Tok == token.CONST {
				declare(d, group...)
			}
		}
	}
	for _, d := range p.Decls {
		if d.Cell == number {
			for _, name := range d.Names {
				queue = append(queue, pkg.Scope().Lookup(base(name)))
			}
		}
	}
	reached := map[types.Object]bool{nil: true}
	for len(queue) > 0 {
		object := queue[0]
		queue = queue[1:]
		if !reached[object] {
			reached[object] = true
			queue = append(queue, edges[object]...)
		}
	}
	if i := slices.IndexFunc(all, func(object types.Object) bool { return !reached[object] }); i >= 0 {
		return fmt.Errorf("%s is not reached\n%s", all[i].Name(), text)
	}
	return nil
}
