package cell

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Program is the program that GoNB runs for a cell: the cell, and the declarations of earlier cells that it needs.
type Program struct {
	Source string
	Decls  []*Decl

	number int // of the cell
	places []place
}

// HasMain reports whether the program declares func main.
func (p *Program) HasMain() bool { return slices.ContainsFunc(p.Decls, (*Decl).isMain) }

// place is the origin of a line of the program.
type place struct {
	cell, line   int
	after, shift int // columns beyond after are shift columns further right in the cell
	decl         *Decl
}

// resultCall shows the result of a cell. The import has a name that users do not choose.
const (
	resultImport = `birnnshow "birnn/kernels/show"`
	resultCall   = "birnnshow.Result("
)

// Options are the options of [Notebook.Program].
type Options struct {
	// Exports returns the exported names of a package, or nil if they are unknown. The program includes a dot import
	// only if it uses one of them.
	Exports func(path string) map[string]bool
	// Unused are the paths of dot imports that the compiler has reported as unused.
	Unused []string
	// Quiet suppresses the display of the result.
	Quiet bool
	// Without are declarations that the program leaves out.
	Without []*Decl
}

// Program returns the program of cell c, which has that number and whose declarations the notebook includes already.
func (n *Notebook) Program(c *Cell, number int, opts Options) *Program {
	p := &Program{number: number}
	for _, d := range c.Directives {
		p.add(d.Text, number, d.Line, 0)
	}
	p.Decls = n.needed(c, opts.Without)
	foreign := n.foreign(c, p.Decls)
	for _, i := range n.Imports() {
		if c.isProgram() && !slices.Contains(c.Imports, i) {
			continue
		}
		if i.Name == "." && opts.Exports != nil {
			exports := opts.Exports(i.Path)
			if slices.Contains(opts.Unused, i.Path) || exports != nil && !overlap(exports, foreign) {
				continue
			}
		}
		p.add(strings.TrimSpace(fmt.Sprintf("import %s %q", i.Name, i.Path)), number, i.Line, 0)
	}
	body := c.Body
	var shown place
	if c.Result != nil && !opts.Quiet {
		p.add("import "+resultImport, number, 0, 0)
		r := *c.Result
		_, column := position(body, r.From)
		shown.line, _ = position(body, r.From)
		shown.after, shown.shift = column-1, -len(resultCall)
		body = body[:r.From] + resultCall + body[r.From:r.To] + ")" + body[r.To:]
	} else if c.Result != nil && !c.runs {
		body = body[:c.Result.From] + "_ = " + body[c.Result.From:]
	}
	for i, d := range p.Decls {
		shift := d.Column - 1
		if d.Kind == token.VAR {
			shift += len("var ") - len("\t") // GoNB writes it into a block
		}
		text := d.forGoNB(i)
		if d.Kind == token.VAR && d.Names[0] == "_" {
			shift -= len(text) - len(d.Text)
		}
		for k, line := range strings.Split(protect(text), "\n") {
			p.add(line, d.Cell, d.Line+k, shift)
			p.places[len(p.places)-1].decl = d
			shift = 0
		}
	}
	if body != "" || c.Entry.Text != "" {
		entry := c.Entry.Text
		if entry == "" {
			entry = "%%"
		}
		p.add(entry, number, c.Entry.Line, 0)
		lines := strings.Split(strings.TrimRight(protect(body), "\n \t"), "\n")
		first := 0 // the lines above are blank
		for first < len(lines)-1 && strings.TrimSpace(lines[first]) == "" {
			first++
		}
		for i := first; i < len(lines); i++ {
			p.add(lines[i], number, i+1, 0)
			if shown.line == i+1 {
				last := &p.places[len(p.places)-1]
				last.after, last.shift = shown.after, shown.shift
			}
		}
		for _, local := range c.Locals {
			p.add("_ = "+local, number, 0, 0)
		}
	}
	return p
}

// add adds a line from a line of a cell, or, if line is 0, from no cell.
func (p *Program) add(text string, cell, line, shift int) {
	p.Source += text + "\n"
	p.places = append(p.places, place{cell: cell, line: line, shift: shift})
}

// Prepend inserts lines from no cell at the beginning of the program.
func (p *Program) Prepend(lines ...string) {
	p.Source = strings.Join(append(lines, p.Source), "\n")
	p.places = append(make([]place, len(lines)), p.places...)
}

// Place returns the place in the cells of a line and column of the program, counted from 1; cellLine is 0 if the line
// is from no cell. A column of 0 stays 0.
func (p *Program) Place(line, column int) (cell, cellLine, cellColumn int) {
	if line < 1 || line > len(p.places) {
		return 0, 0, 0
	}
	at := p.places[line-1]
	if column > at.after {
		column = max(1, column+at.shift)
	}
	return at.cell, at.line, column
}

// DeclAt returns the declaration on a line of the program, counted from 1, or nil if the line has none or the cell's own.
func (p *Program) DeclAt(line int) *Decl {
	if line < 1 || line > len(p.places) || p.places[line-1].decl == nil || p.places[line-1].decl.Cell == p.number {
		return nil
	}
	return p.places[line-1].decl
}

// forGoNB returns the text of the i-th declaration of a program for GoNB, which tells declarations apart by their names
// and repeats or loses those without: it gives them names. GoNB itself calls functions init again that have longer names.
func (d *Decl) forGoNB(i int) string {
	rename := func(name string) string { return d.Text[:d.name] + name + d.Text[d.name+len(last(d.Names[0])):] }
	switch {
	case d.Kind == token.VAR:
		return nameBlanks(d.Text, i)
	case d.Kind == token.CONST:
		return withoutLists(nameBlanks(d.Text, i))
	case d.Names[0] == "init":
		return rename(fmt.Sprintf("init_%06d", i))
	case last(d.Names[0]) == "_":
		return rename(fmt.Sprintf("birnn_%d", i))
	case d.mixedUp: // until Restore
		return rename(fmt.Sprintf("birnn_%d_%s", i, last(d.Names[0])))
	}
	return d.Text
}

var prefixed = regexp.MustCompile(`(?m)^(func \(.*?\) )birnn_\d+_([\pL_])`)

// Restore changes GoNB's source of a program before it is compiled: it takes the prefixes of methods away.
func Restore(source []byte) []byte { return prefixed.ReplaceAll(source, []byte("$1$2")) }

// last returns the name of a method, or else the name.
func last(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// valueSpecs returns the parsed lines of variables or constants, and a function that returns offsets in their text.
func valueSpecs(text string) (specs []*ast.ValueSpec, offset func(token.Pos) int) {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", clause+text, parser.SkipObjectResolution)
	if err != nil {
		return nil, nil // unreachable: it was parsed before
	}
	for _, spec := range f.Decls[0].(*ast.GenDecl).Specs {
		specs = append(specs, spec.(*ast.ValueSpec))
	}
	return specs, func(p token.Pos) int { return files.Position(p).Offset - len(clause) }
}

// nameBlanks gives names to the blank variables or constants.
func nameBlanks(text string, number int) string {
	specs, offset := valueSpecs(text)
	var b strings.Builder
	done, blank := 0, 0
	for _, s := range specs {
		for _, id := range s.Names {
			if id.Name == "_" {
				blank++
				b.WriteString(text[done:offset(id.Pos())] + fmt.Sprintf("birnn_%d_%d", number, blank))
				done = offset(id.End())
			}
		}
	}
	return b.String() + text[done:]
}

// withoutLists writes each constant of a list separately, with its value: GoNB would count lines for iota.
func withoutLists(text string) string {
	specs, offset := valueSpecs(text)
	if !slices.ContainsFunc(specs, func(s *ast.ValueSpec) bool { return len(s.Names) > 1 }) {
		return text
	}
	source := func(n ast.Node) string { return text[offset(n.Pos()):offset(n.End())] }
	var b strings.Builder
	done := 0
	inParentheses := strings.Contains(text[:offset(specs[0].Pos())], "(")
	var typ ast.Expr
	var values []ast.Expr // the last ones, which are repeated
	for iota, s := range specs {
		if len(s.Values) > 0 {
			typ, values = s.Type, s.Values
		}
		b.WriteString(text[done:offset(s.Pos())])
		if !inParentheses {
			b.WriteString("(")
		}
		for i, id := range s.Names {
			if i > 0 {
				b.WriteString("; ")
			}
			b.WriteString(id.Name)
			if typ != nil {
				b.WriteString(" " + source(typ))
			}
			if i < len(values) {
				b.WriteString(" = " + withIota(source(values[i]), iota))
			}
		}
		if !inParentheses {
			b.WriteString(")")
		}
		done = offset(s.End())
	}
	return b.String() + text[done:]
}

// withIota returns an expression with the value of iota.
func withIota(expression string, value int) string {
	x, err := parser.ParseExpr(expression)
	if err != nil {
		return expression // unreachable: it was parsed before
	}
	var b strings.Builder
	done := 0
	ast.Inspect(x, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name == "iota" {
			b.WriteString(expression[done:id.Pos()-1] + strconv.Itoa(value))
			done = int(id.End()) - 1
		}
		return true
	})
	return b.String() + expression[done:]
}

// foreign returns the names that a program uses but does not declare: those of packages, of dot imports and of Go.
func (n *Notebook) foreign(c *Cell, decls []*Decl) map[string]bool {
	declared := n.types(c)
	names := map[string]bool{}
	maps.Copy(names, c.free.all(declared))
	for _, d := range decls {
		maps.Copy(names, d.free.all(declared))
	}
	for _, d := range decls {
		for _, name := range d.Names {
			delete(names, name)
		}
	}
	return names
}

func overlap(a, b map[string]bool) bool {
	for name := range a {
		if b[name] {
			return true
		}
	}
	return false
}

// needed returns the declarations in a cell's program, in the order of the notebook: the cell's, those of other cells
// that nothing refers to but that have an effect, and those that they and the statements refer to, directly or
// indirectly.
func (n *Notebook) needed(c *Cell, without []*Decl) []*Decl {
	m := &Notebook{decls: slices.Clone(n.decls)}
	for _, d := range c.Decls {
		if d.isMain() {
			m.decls = append(m.decls, d)
		}
	}
	declared := n.types(c)
	var roots []*Decl
	for _, d := range m.decls {
		if c.declares(d) || !c.isProgram() && d.hasEffect(declared) {
			roots = append(roots, d)
		}
	}
	names := map[string]bool{}
	maps.Copy(names, c.free.all(declared))
	for _, d := range c.Directives {
		if d.Name() == "%test" && !slices.ContainsFunc(c.Decls, (*Decl).isTest) { // all tests
			for _, d := range n.decls {
				if d.isTest() {
					names[d.Names[0]] = true
				}
			}
		}
	}
	return m.reach(roots, names, without...)
}

// reach returns the declarations in roots, those of names, and those that they refer to, directly or indirectly. A type
// refers to its methods.
func (n *Notebook) reach(roots []*Decl, names map[string]bool, without ...*Decl) []*Decl {
	byName := map[string][]*Decl{}
	for _, d := range n.decls {
		for _, name := range d.Names {
			if base(name) != "_" {
				byName[base(name)] = append(byName[base(name)], d)
			}
		}
	}
	declared := n.types(&Cell{})
	reached := map[*Decl]bool{}
	for _, d := range without {
		reached[d] = true
	}
	queue := slices.Clone(roots)
	add := func(name string) {
		queue = append(queue, byName[name]...)
		delete(byName, name)
	}
	for name := range names {
		add(name)
	}
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		if reached[d] {
			continue
		}
		reached[d] = true
		for name := range d.free.all(declared) {
			add(name)
		}
		for _, name := range d.Names {
			add(base(name))
		}
	}
	return slices.DeleteFunc(slices.Clone(n.decls), func(d *Decl) bool { return !reached[d] || slices.Contains(without, d) })
}

// isTest reports whether the go command's tests call a function.
func (d *Decl) isTest() bool {
	return d.Kind == token.FUNC && slices.ContainsFunc([]string{"Test", "Benchmark", "Fuzz", "Example"}, func(prefix string) bool {
		return strings.HasPrefix(d.Names[0], prefix)
	})
}

// Closure returns the text of the declaration of name and of the declarations that it refers to, directly or
// indirectly: while the text is the same, so is the value.
func (n *Notebook) Closure(name string) string {
	var text strings.Builder
	for _, d := range n.reach(nil, map[string]bool{name: true}) {
		text.WriteString(d.Text + "\n")
	}
	return text.String()
}
