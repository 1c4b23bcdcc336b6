// Package cell parses the cells of a Go notebook: it separates commands, declarations and statements, reports whether a
// cell is complete, and determines which declarations of earlier cells a cell needs.
package cell

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// Cell is a parsed cell. Line numbers count from 1 in the cell.
type Cell struct {
	Source     string
	ID         string      // identifies the cell when it runs again; empty if the client names none
	Foreign    bool        // begins with a command such as %%bash: the cell is not Go
	Directives []Directive // the lines for GoNB or the kernel, in order
	Imports    []Import
	Decls      []*Decl

	// Body has the statements at their lines and columns in the cell, and blanks instead of everything else. It is
	// empty if the cell has no statements.
	Body string
	// Locals are the variables that the statements declare at the top level.
	Locals []string
	// Result is the expression at the end of the statements, if any; below "%%" a call is none.
	Result        *Span
	Main          bool // whether a function main is among Decls
	packageClause bool // whether there is one
	// Entry is the line that precedes the statements, such as "%%" with arguments, if any. "%exec FUNCTION ARGUMENTS"
	// stands for "%% ARGUMENTS" and the call of the function.
	Entry Directive

	call string // the statements that %exec stands for, if any
	runs bool   // whether Result may be a statement
	free free   // of Body
	at   []int  // offset of the statement of each of Locals
}

// origin identifies the cell when it runs again.
func (c *Cell) origin() string { return cmp.Or(c.ID, c.Source) }

// Directive is a line that begins with % or !, with its continuation lines.
type Directive struct {
	Line int
	Text string // without the prefix "//gonb:"
}

// Name returns the first word, such as "%env", or "!" for a shell command.
func (d Directive) Name() string {
	if strings.HasPrefix(d.Text, "!") {
		return "!"
	}
	if fields := strings.Fields(strings.TrimPrefix(d.Text, "%")); len(fields) > 0 {
		return "%" + fields[0]
	}
	return d.Text
}

// Args returns the text after the first word.
func (d Directive) Args() string {
	_, args, _ := strings.Cut(strings.TrimSpace(strings.TrimPrefix(d.Text, "%")), " ")
	return strings.TrimSpace(args)
}

// Import is an import. Name is empty if the import has none.
type Import struct {
	Name, Path string
	Line       int
}

// Span is a range of bytes in Body.
type Span struct{ From, To int }

// SyntaxError is a syntax error in a cell.
type SyntaxError struct {
	Line, Column int // Column counts bytes, from 1
	Message      string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("line %d:%d: %s", e.Line, e.Column, e.Message)
}

// foreign are the commands whose cells are not Go.
var foreign = map[string]bool{"%%writefile": true, "%%script": true, "%%bash": true, "%%sh": true, "%%gx": true}

func command(line string) string { return strings.TrimPrefix(line, "//gonb:") }

func isDirective(line string) bool {
	line = command(line)
	return len(line) > 1 && (line[0] == '%' || line[0] == '!')
}

// isEntry reports whether the lines after a command are the body of main.
func isEntry(text string) bool {
	return text == "%%" || strings.HasPrefix(text, "%% ") || strings.HasPrefix(text, "%%\t") || strings.HasPrefix(text, "%main")
}

// IsForeign reports whether a cell is not Go.
func IsForeign(source string) bool {
	first, _, _ := strings.Cut(source, "\n")
	first, _, _ = strings.Cut(command(first), " ")
	return foreign[strings.TrimRight(first, "\r")]
}

// Parse parses a cell after the cells of the notebook. Its error joins [*SyntaxError]s.
func (n *Notebook) Parse(source string) (*Cell, error) {
	if IsForeign(source) {
		return &Cell{Source: source, Foreign: true}, nil
	}
	c, err := n.parse(source, nil)
	if err != nil || len(c.Locals) == 0 {
		return c, err
	}
	if local := c.localDecls(n.types(c)); len(local) > 0 {
		if again, err := n.parse(source, local); err == nil {
			return again, nil
		}
	}
	return c, nil
}

// Parse parses a cell without a notebook.
func Parse(source string) (*Cell, error) { return (&Notebook{}).Parse(source) }

// types returns the types of a cell after the notebook.
func (n *Notebook) types(c *Cell) lookup {
	return func(name string) ast.Expr {
		for _, decls := range [][]*Decl{c.Decls, n.decls} {
			for _, d := range decls {
				if d.Kind == token.TYPE && d.Names[0] == name {
					return d.typ
				}
			}
		}
		return nil
	}
}

// localDecls returns the offsets of the declarations that are statements: they need a variable of the statements above.
func (c *Cell) localDecls(declared lookup) map[int]bool {
	local := map[int]bool{}
	above := map[string]bool{}
	i := 0
	inOrder := slices.SortedFunc(slices.Values(c.Decls), func(a, b *Decl) int { return cmp.Compare(a.at, b.at) }) // kept values are last
	for _, d := range inOrder {
		for ; i < len(c.Locals) && c.at[i] < d.at; i++ {
			above[c.Locals[i]] = true
		}
		if d.Kind != token.VAR && d.Kind != token.CONST {
			continue
		}
		for name := range above {
			if d.free.has(name, declared, false) {
				local[d.at] = true
			}
		}
		for _, name := range d.Names {
			if name != "_" && local[d.at] {
				above[name] = true
			}
		}
	}
	return local
}

// parse parses a cell. Declarations with an offset in local are statements.
func (n *Notebook) parse(source string, local map[int]bool) (*Cell, error) {
	c := &Cell{Source: source}
	code, entry := c.takeDirectives()
	before, body := code, ""
	if entry > 0 {
		before, body = divide(code, entry)
	}
	if c.call != "" {
		entry, body = c.Entry.Line, strings.Repeat("\n", c.Entry.Line-1)+c.call
	}
	var imports, decls, statements []Span
	silent := false
	for _, item := range split(before) {
		switch {
		case item.token == token.PACKAGE: // GoNB adds the package clause
			c.packageClause = true
		case item.token == token.IMPORT:
			imports = append(imports, item.Span)
		case item.declares:
			global, inside := separate(before, item.Span, local)
			decls, statements = append(decls, global...), append(statements, inside...)
			silent = silent && len(inside) == 0
		default:
			statements = append(statements, item.Span)
			silent = item.semicolon
		}
	}
	if entry > 0 && len(statements) > 0 {
		line, column := position(code, statements[0].From)
		if c.call != "" {
			return c, &SyntaxError{line, column, "statement beside %exec, which calls a function as the program: remove one of the two"}
		}
		return c, &SyntaxError{line, column, "statement above the line %%: move it below, or remove that line"}
	}
	if entry == 0 && len(statements) > 0 {
		body = keepOnly(code, statements)
	}
	err := errors.Join(c.parseImports(keepOnly(code, imports)), c.parseDecls(keepOnly(code, decls)))
	if c.Main && entry == 0 && strings.TrimRight(strings.TrimSpace(body), ";") == "main()" {
		body = "" // that is what happens to main anyway
	}
	if strings.TrimSpace(body) != "" || entry > 0 {
		err = errors.Join(err, c.parseBody(body, n.types(c), entry == 0, silent))
	}
	if c.packageClause {
		c.leavePredeclared()
	}
	if err == nil && c.Main && entry == 0 && c.Body != "" {
		line, column := position(code, statements[0].From)
		err = &SyntaxError{line, column, "statement outside func main: move it into main, or remove func main"}
	}
	return c, err
}

// isProgram reports whether the cell is a complete program, which needs no other cell.
func (c *Cell) isProgram() bool { return c.packageClause && c.Main }

// leavePredeclared gives Go's own names their meaning, even if other cells declare them: the cell is a file.
func (c *Cell) leavePredeclared() {
	own := map[string]bool{}
	for _, d := range c.Decls {
		for _, name := range d.Names {
			own[name] = true
		}
	}
	predeclared := func(name string, _ bool) bool { return !own[name] && types.Universe.Lookup(name) != nil }
	maps.DeleteFunc(c.free.names, predeclared)
	for _, d := range c.Decls {
		maps.DeleteFunc(d.free.names, predeclared)
	}
}

// takeDirectives sets c.Directives and returns the cell with empty lines instead of them; entry is the line of "%%", if
// any.
func (c *Cell) takeDirectives() (code string, entry int) {
	lines := strings.Split(c.Source, "\n")
	begins, _ := lineStates(lines, isDirective)
	for i := 0; i < len(lines); i++ {
		if begins[i] != inCode || !isDirective(lines[i]) {
			continue
		}
		d := Directive{Line: i + 1, Text: strings.TrimRight(command(lines[i]), "\r")}
		lines[i] = ""
		for strings.HasSuffix(d.Text, `\`) && i+1 < len(lines) {
			i++
			d.Text = strings.TrimSuffix(d.Text, `\`) + " " + strings.TrimRight(command(lines[i]), "\r")
			lines[i] = ""
		}
		if isEntry(d.Text) && c.Entry.Text == "" {
			c.Entry, entry = d, d.Line
			continue
		}
		if function, args, _ := strings.Cut(d.Args(), " "); d.Name() == "%exec" && token.IsIdentifier(function) && c.Entry.Text == "" {
			c.Entry, c.call = Directive{d.Line, "%% " + args}, "flag.Parse(); "+function+"()"
			continue
		}
		c.Directives = append(c.Directives, d)
	}
	return strings.Join(lines, "\n"), entry
}

// divide returns the code before a line and after it, each with blanks instead of the other.
func divide(code string, line int) (before, after string) {
	lines := strings.Split(code, "\n")
	return strings.Join(lines[:line-1], "\n") + strings.Repeat("\n", len(lines)-line+1),
		strings.Repeat("\n", line) + strings.Join(lines[line:], "\n")
}

// clause precedes the code for the parser.
const clause = "package main\n"

func (c *Cell) parseImports(code string) error {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", clause+code, parser.ImportsOnly)
	if err != nil {
		return syntaxErrors(err, code, 1)
	}
	for _, spec := range f.Imports {
		at := files.Position(spec.Pos())
		i := Import{Path: unquote(spec.Path.Value), Line: at.Line - 1}
		if i.Path == "C" {
			return &SyntaxError{i.Line, at.Column, "import \"C\" does not work in a cell, as GoNB drops the comment above it: put the C code into a package and import that"}
		}
		if spec.Name != nil {
			i.Name = spec.Name.Name
		}
		c.Imports = append(c.Imports, i)
	}
	return nil
}

func (c *Cell) parseDecls(code string) error {
	files := token.NewFileSet()
	source := clause + code
	f, err := parser.ParseFile(files, "", source, parser.ParseComments)
	if err != nil {
		return syntaxErrors(err, code, 1)
	}
	for _, group := range f.Comments {
		for _, comment := range group.List {
			if at := files.Position(comment.Pos()); at.Column == 1 && strings.HasPrefix(comment.Text, "//go:embed ") {
				return &SyntaxError{at.Line - 1, at.Column, "//go:embed does not work in a cell, as GoNB drops the comment: read the file with os.ReadFile, or put the variable into a package"}
			}
		}
	}
	find := newFinder(f)
	for _, d := range f.Decls {
		for _, decl := range newDecls(files, source, find, d) {
			for _, name := range decl.Names {
				delete(decl.free.names, name)
			}
			c.Decls = append(c.Decls, decl)
			c.Main = c.Main || decl.isMain()
		}
	}
	return nil
}

// parseBody parses the statements. The last one may be an expression. If they are free, that is, not below "%%", it may
// also be a call, and variables need not be used.
func (c *Cell) parseBody(code string, declared lookup, free, silent bool) error {
	c.Body = code
	const opening = clause + "func _() {\n"
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", opening+code+"\n}\n", 0)
	if err != nil {
		return syntaxErrors(err, code, 2)
	}
	main, ok := f.Decls[0].(*ast.FuncDecl)
	if !ok {
		return nil // unreachable
	}
	offset := func(p token.Pos) int { return files.Position(p).Offset - len(opening) }
	c.free = newFinder(f).find(main.Body)
	if c.free.names["main"] && !c.Main {
		for _, id := range f.Unresolved {
			if id.Name == "main" {
				at := files.Position(id.Pos())
				return &SyntaxError{at.Line - 2, at.Column, "func main is not kept after its cell, which has run it: to call it in other cells, give it another name"}
			}
		}
	}
	for i, statement := range main.Body.List {
		switch s := statement.(type) {
		case *ast.DeclStmt:
			if d := s.Decl.(*ast.GenDecl); free && d.Tok == token.VAR {
				for _, spec := range d.Specs {
					c.local(offset(spec.Pos()), spec.(*ast.ValueSpec).Names...)
				}
			}
		case *ast.AssignStmt:
			if !free || s.Tok != token.DEFINE || c.keeps(s, declared, offset) {
				continue
			}
			for _, left := range s.Lhs {
				if id, ok := left.(*ast.Ident); ok {
					c.local(offset(s.Pos()), id)
				}
			}
		case *ast.ExprStmt:
			if i < len(main.Body.List)-1 || silent && isCall(s.X) || printsOnly(s.X) || !free && isCallOrReceive(s.X) {
				continue
			}
			c.Result, c.runs = &Span{offset(s.X.Pos()), offset(s.X.End())}, isCallOrReceive(s.X)
			if silent { // "x;" hides the result
				c.discard()
			}
		}
	}
	return nil
}

// local notes variables of the statements.
func (c *Cell) local(at int, names ...*ast.Ident) {
	for _, id := range names {
		if id.Name != "_" {
			c.Locals, c.at = append(c.Locals, id.Name), append(c.at, at)
		}
	}
}

func isCall(x ast.Expr) bool { _, ok := ast.Unparen(x).(*ast.CallExpr); return ok }

// isCallOrReceive reports whether an expression may be a statement.
func isCallOrReceive(x ast.Expr) bool {
	receive, ok := ast.Unparen(x).(*ast.UnaryExpr)
	return isCall(x) || ok && receive.Op == token.ARROW
}

// discard turns the result into an expression that is evaluated but not shown.
func (c *Cell) discard() {
	c.Body = c.Body[:c.Result.From] + "_ = " + c.Body[c.Result.From:]
	c.Result = nil
}

// keeps turns the statement "x := keep.Value(…)" into a declaration, so that later cells have x. It returns false if the
// call needs a variable of the statements.
func (c *Cell) keeps(s *ast.AssignStmt, declared lookup, offset func(token.Pos) int) bool {
	if len(s.Lhs) != 1 || len(s.Rhs) != 1 {
		return false
	}
	id, ok := s.Lhs[0].(*ast.Ident)
	call, isCall := s.Rhs[0].(*ast.CallExpr)
	if !ok || !isCall || !isKeepValue(call) {
		return false
	}
	from, to := offset(s.Pos()), offset(s.End())
	alone := &Cell{}
	if alone.parseDecls("var "+id.Name+" = "+c.Body[offset(call.Pos()):to]) != nil {
		return false // unreachable: it was parsed before
	}
	d := alone.Decls[0]
	if slices.ContainsFunc(c.Locals, func(name string) bool { return d.free.has(name, declared, false) }) {
		return false
	}
	d.at = from
	d.Line, d.Column = position(c.Body, from)
	c.Decls = append(c.Decls, d)
	c.Body = keepOnly(c.Body, []Span{{0, from}, {to, len(c.Body)}})
	return true
}

func isKeepValue(call *ast.CallExpr) bool {
	f := call.Fun
	if index, ok := f.(*ast.IndexExpr); ok { // keep.Value[T]
		f = index.X
	}
	selector, ok := f.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Value" {
		return false
	}
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == "keep"
}

// printsOnly reports whether x is a call without a result worth showing.
func printsOnly(x ast.Expr) bool {
	call, ok := ast.Unparen(x).(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		switch f.Name {
		case "print", "println", "panic", "close", "delete", "clear", "copy":
			return true
		}
	case *ast.SelectorExpr:
		p, ok := f.X.(*ast.Ident)
		return ok && (p.Name == "log" || p.Name == "gonbui" ||
			p.Name == "show" && f.Sel.Name != "VegaLite" && f.Sel.Name != "Image" || // these return an error
			p.Name == "fmt" && (strings.HasPrefix(f.Sel.Name, "Print") || strings.HasPrefix(f.Sel.Name, "Fprint")))
	}
	return false
}

// syntaxErrors converts the parser's errors about code to SyntaxErrors; lines is the number of lines added before the
// code.
func syntaxErrors(err error, code string, lines int) error {
	var list scanner.ErrorList
	if !errors.As(err, &list) {
		return err
	}
	written := strings.Split(strings.TrimRight(code, " \t\r\n"), "\n")
	var all []error
	for _, e := range list {
		s := &SyntaxError{e.Pos.Line - lines, e.Pos.Column, e.Msg}
		if s.Line > len(written) { // in the text added after the code
			s.Line, s.Column = len(written), len(written[len(written)-1])+1
			s.Message = unfinished
			if before, _, ok := strings.Cut(e.Msg, ", found "); ok {
				s.Message = before + ", found " + unfinished
			}
		}
		all = append(all, s)
	}
	return errors.Join(all...)
}

// unfinished is the parser's description of the end of an incomplete cell.
const unfinished = "the end of the cell"

func unquote(s string) string { return strings.Trim(s, "\"`") }
