package cell

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"slices"
	"strings"
)

// Decl is a declaration that is available in later cells: a function, a type, or a line of variables. A group of
// constants is a single Decl, for iota.
type Decl struct {
	Kind   token.Token // FUNC, TYPE, VAR or CONST
	Names  []string    // the declared names; a method is "Type.Method"
	Text   string
	Cell   int // the number of its cell
	Line   int // in that cell, of the first line of Text
	Column int // in that cell, of the first byte of Text

	receiver string // of a method: GoNB's name of the type
	uses     map[string]bool
}

func (d *Decl) isMain() bool { return d.Kind == token.FUNC && d.Names[0] == "main" }

// isRoot reports whether the declaration is part of every program: nothing refers to it, but it may have an effect.
func (d *Decl) isRoot() bool {
	if d.Kind == token.FUNC {
		return d.Names[0] == "init" || strings.HasPrefix(d.Names[0], "init_")
	}
	return d.Kind == token.VAR && !slices.ContainsFunc(d.Names, func(name string) bool { return name != "_" })
}

// gonbKeys returns GoNB's keys of the declaration.
func (d *Decl) gonbKeys() []string {
	if d.receiver != "" {
		_, method, _ := strings.Cut(d.Names[0], ".")
		return []string{d.receiver + "~" + method}
	}
	return d.Names
}

// newDecls returns the Decls of a parsed declaration.
func newDecls(files *token.FileSet, source string, node ast.Decl) []*Decl {
	make := func(kind token.Token, prefix string, part ast.Node, names ...string) *Decl {
		at, end := files.Position(part.Pos()), files.Position(part.End())
		text := source[at.Offset:end.Offset]
		return &Decl{Kind: kind, Names: names, Text: prefix + text, Line: at.Line - 1, Column: at.Column - len(prefix), uses: identifiers(part)}
	}
	switch n := node.(type) {
	case *ast.FuncDecl:
		d := make(token.FUNC, "", n, n.Name.Name)
		if n.Recv != nil && len(n.Recv.List) > 0 {
			base, key := receiver(files, source, n.Recv.List[0].Type)
			d.Names[0], d.receiver = base+"."+n.Name.Name, key
		}
		if n.Doc != nil {
			at := files.Position(n.Doc.Pos())
			d.Text = source[at.Offset:files.Position(n.End()).Offset]
			d.Line, d.Column = at.Line-1, at.Column
		}
		return []*Decl{d}
	case *ast.GenDecl:
		if n.Tok == token.CONST {
			d := make(token.CONST, "", n)
			for _, spec := range n.Specs {
				for _, id := range spec.(*ast.ValueSpec).Names {
					d.Names = append(d.Names, id.Name)
				}
			}
			return []*Decl{d}
		}
		var decls []*Decl
		for _, spec := range n.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				decls = append(decls, make(token.TYPE, "type ", s, s.Name.Name))
			case *ast.ValueSpec:
				d := make(token.VAR, "var ", s)
				for _, id := range s.Names {
					d.Names = append(d.Names, id.Name)
				}
				decls = append(decls, d)
			}
		}
		return decls
	}
	return nil
}

// receiver returns the name of a method's type, and GoNB's key of it.
func receiver(files *token.FileSet, source string, x ast.Expr) (base, key string) {
	key = "unknown"
	switch t := x.(type) {
	case *ast.Ident:
		key = t.Name
	case *ast.StarExpr:
		key = source[files.Position(t.X.Pos()).Offset:files.Position(t.X.End()).Offset]
	}
	for {
		switch t := x.(type) {
		case *ast.StarExpr:
			x = t.X
		case *ast.ParenExpr:
			x = t.X
		case *ast.IndexExpr:
			x = t.X
		case *ast.IndexListExpr:
			x = t.X
		case *ast.Ident:
			return t.Name, key
		default:
			return key, key
		}
	}
}

// identifiers returns the identifiers in a node.
func identifiers(node ast.Node) map[string]bool {
	names := map[string]bool{}
	ast.Inspect(node, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			names[id.Name] = true
		}
		return true
	})
	return names
}

// Notebook has the declarations of the cells so far.
type Notebook struct {
	imports map[string]Import // by [Import.key]
	decls   []*Decl           // in order
	locals  map[string]int    // variables of statements, which no longer exist, and their cells
}

// key returns the name of an import in the code, as far as its path shows it: a later import of that name replaces it.
func (i Import) key() string {
	switch i.Name {
	case ".", "_":
		return i.Name + " " + i.Path
	case "":
		return impliedName(i.Path)
	}
	return i.Name
}

// gonbKey returns GoNB's key of the import.
func (i Import) gonbKey() string {
	switch i.Name {
	case ".":
		return ".~" + i.Path
	case "":
		// The last run of letters, digits and underscores.
		key := i.Path[strings.LastIndexFunc(i.Path, func(r rune) bool { return !isWord(r) })+1:]
		if key == "" {
			return i.Path
		}
		return key
	}
	return i.Name
}

func isWord(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

// impliedName guesses the name of a package from its path.
func impliedName(path string) string {
	parts := strings.Split(path, "/")
	name := parts[len(parts)-1]
	if len(parts) > 1 && len(name) > 1 && name[0] == 'v' && strings.Trim(name[1:], "0123456789") == "" {
		name = parts[len(parts)-2]
	}
	name, _, _ = strings.Cut(name, ".") // gopkg.in/yaml.v3
	return strings.TrimPrefix(name, "go-")
}

// With returns the notebook with the declarations of cell c, which has that number, added.
func (n *Notebook) With(c *Cell, number int) *Notebook {
	m := &Notebook{imports: map[string]Import{}, locals: map[string]int{}, decls: slices.Clone(n.decls)}
	maps.Copy(m.imports, n.imports)
	maps.Copy(m.locals, n.locals)
	for _, i := range c.Imports {
		m.imports[i.key()] = i
	}
	for _, name := range c.Locals {
		m.locals[name] = number
	}
	for _, d := range c.Decls {
		d.Cell = number
		if d.isMain() {
			continue
		}
		for _, name := range d.Names {
			if name != "_" {
				m.forget(name)
			}
		}
		m.decls = append(m.decls, d)
	}
	return m
}

// forget drops a name. Names declared together with it stay.
func (n *Notebook) forget(name string) (found bool) {
	kept := n.decls[:0:0]
	for _, d := range n.decls {
		i := slices.Index(d.Names, name)
		if i < 0 {
			kept = append(kept, d)
			continue
		}
		found = true
		if len(d.Names) > 1 {
			kept = append(kept, d.without(i))
		}
	}
	n.decls = kept
	delete(n.locals, name)
	return found
}

// without returns the declaration with the i-th name replaced by a blank identifier.
func (d *Decl) without(i int) *Decl {
	copy := *d
	copy.Names = slices.Clone(d.Names)
	copy.Names[i] = "_"
	copy.Text = blankName(d.Text, i)
	return &copy
}

// blankName replaces the i-th name in a declaration of variables or constants by a blank identifier, without moving
// columns.
func blankName(text string, i int) string {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", clause+text, parser.SkipObjectResolution)
	if err != nil {
		return text // unreachable: it was parsed before
	}
	for _, spec := range f.Decls[0].(*ast.GenDecl).Specs {
		names := spec.(*ast.ValueSpec).Names
		if i >= len(names) {
			i -= len(names)
			continue
		}
		at := files.Position(names[i].Pos()).Offset - len(clause)
		n := len(names[i].Name)
		return text[:at] + "_" + strings.Repeat(" ", n-1) + text[at+n:]
	}
	return text
}

// Forget drops a name or an import; a type is dropped with its methods.
func (n *Notebook) Forget(name string) bool {
	found := n.forget(name)
	for _, d := range slices.Clone(n.decls) {
		if strings.HasPrefix(d.Names[0], name+".") {
			n.forget(d.Names[0])
		}
	}
	for key, i := range n.imports {
		if i.Name == name || i.Path == name {
			delete(n.imports, key)
			found = true
		}
	}
	return found
}

// Decls returns the declarations.
func (n *Notebook) Decls() []*Decl { return n.decls }

// Imports returns the imports, sorted.
func (n *Notebook) Imports() []Import {
	var imports []Import
	for _, key := range slices.Sorted(maps.Keys(n.imports)) {
		imports = append(imports, n.imports[key])
	}
	return imports
}

// Local returns the number of the cell whose statements declared a variable of that name.
func (n *Notebook) Local(name string) (cell int, ok bool) {
	cell, ok = n.locals[name]
	return cell, ok
}
