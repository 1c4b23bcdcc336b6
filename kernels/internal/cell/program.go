package cell

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Program is the program that GoNB runs for a cell: the cell, and the declarations of earlier cells that it needs.
type Program struct {
	Source string
	Keys   []string // GoNB's keys of the declarations in it
	Decls  []*Decl

	places []place
}

// place is the origin of a line of the program.
type place struct {
	cell, line   int
	after, shift int // columns beyond after are shift columns further right in the cell
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
}

// Program returns the program of cell c, which has that number and whose declarations the notebook includes already.
func (n *Notebook) Program(c *Cell, number int, opts Options) *Program {
	p := &Program{}
	for _, d := range c.Directives {
		if d.Name() != "%exec" { // GoNB writes that as a function
			p.add(d.Text, number, d.Line, 0)
		}
	}
	p.Decls = n.needed(c)
	foreign := unresolved(p.Decls, c.Body)
	keys := map[string]bool{}
	for _, i := range n.Imports() {
		if i.Name == "." && opts.Exports != nil {
			exports := opts.Exports(i.Path)
			if slices.Contains(opts.Unused, i.Path) || exports != nil && !overlap(exports, foreign) {
				continue
			}
		}
		p.add(strings.TrimSpace(fmt.Sprintf("import %s %q", i.Name, i.Path)), number, i.Line, 0)
		keys[i.gonbKey()] = true
	}
	body := c.Body
	var shown place
	if c.Result != nil && !opts.Quiet {
		p.add("import "+resultImport, number, 0, 0)
		keys["birnnshow"] = true
		r := *c.Result
		_, column := position(body, r.From)
		shown.line, _ = position(body, r.From)
		shown.after, shown.shift = column-1, -len(resultCall)
		body = body[:r.From] + resultCall + body[r.From:r.To] + ")" + body[r.To:]
	} else if c.Result != nil && !isCallText(body[c.Result.From:c.Result.To]) {
		body = body[:c.Result.From] + "_ = " + body[c.Result.From:]
	}
	for _, d := range p.Decls {
		shift := d.Column - 1
		if d.Kind == token.VAR {
			shift += len("var ") - len("\t") // GoNB writes it into a block
		}
		for i, line := range strings.Split(protect(d.Text), "\n") {
			p.add(line, d.Cell, d.Line+i, shift)
			shift = 0
		}
		for _, key := range d.gonbKeys() {
			keys[key] = true
		}
	}
	for _, d := range c.Directives {
		if d.Name() == "%exec" {
			p.add(d.Text, number, d.Line, 0)
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
	p.Keys = slices.Sorted(maps.Keys(keys))
	return p
}

// isCallText reports whether an expression may be a statement.
func isCallText(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasSuffix(text, ")") || strings.HasPrefix(text, "<-")
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

// unresolved returns the names that declarations and statements use but do not declare: those of packages, of dot
// imports and of Go.
func unresolved(decls []*Decl, body string) map[string]bool {
	var source strings.Builder
	source.WriteString(clause)
	for _, d := range decls {
		source.WriteString(d.Text + "\n")
	}
	source.WriteString("func main() {\n" + body + "\n}\n")
	f, err := parser.ParseFile(token.NewFileSet(), "", source.String(), 0)
	if f == nil || err != nil && len(f.Unresolved) == 0 {
		return nil
	}
	// Names of fields are listed as unresolved.
	fields := map[*ast.Ident]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if pair, ok := n.(*ast.KeyValueExpr); ok {
			if id, ok := pair.Key.(*ast.Ident); ok {
				fields[id] = true
			}
		}
		return true
	})
	names := map[string]bool{}
	for _, id := range f.Unresolved {
		if !fields[id] {
			names[id.Name] = true
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

// needed returns the declarations in a cell's program: the cell's, those that they and the statements refer to,
// directly or indirectly, and those in every program.
func (n *Notebook) needed(c *Cell) []*Decl {
	byName := map[string][]*Decl{}
	own := map[*Decl]bool{}
	for _, d := range c.Decls {
		own[d] = true
	}
	var queue []*Decl
	for _, d := range n.decls {
		for _, name := range d.Names {
			base, _, _ := strings.Cut(name, ".") // a type is included with its methods
			byName[base] = append(byName[base], d)
		}
		if own[d] || d.isRoot() {
			queue = append(queue, d)
		}
	}
	names := maps.Clone(c.uses)
	for _, d := range c.Directives {
		if d.Name() == "%exec" {
			name, _, _ := strings.Cut(d.Args(), " ")
			names[name] = true
		}
		if d.Name() == "%test" && !slices.ContainsFunc(c.Decls, (*Decl).isTest) { // all tests
			for _, d := range n.decls {
				if d.isTest() {
					names[d.Names[0]] = true
				}
			}
		}
	}
	for _, d := range c.Decls {
		if d.isMain() {
			queue = append(queue, d)
		}
	}
	reached := map[*Decl]bool{}
	reach := func(names map[string]bool) {
		for name := range names {
			queue = append(queue, byName[name]...)
			delete(byName, name)
		}
	}
	reach(names)
	for len(queue) > 0 {
		d := queue[0]
		queue = queue[1:]
		if reached[d] {
			continue
		}
		reached[d] = true
		reach(d.uses)
		declared := map[string]bool{}
		for _, name := range d.Names {
			declared[name] = true
		}
		reach(declared)
	}
	var decls []*Decl
	for _, d := range append(slices.Clone(n.decls), c.Decls...) {
		if reached[d] {
			decls = append(decls, d)
			delete(reached, d)
		}
	}
	return decls
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
	c := &Cell{uses: map[string]bool{name: true}}
	var text strings.Builder
	for _, d := range n.needed(c) {
		text.WriteString(d.Text + "\n")
	}
	return text.String()
}
