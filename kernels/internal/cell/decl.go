package cell

import (
	"cmp"
	"go/ast"
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

	whole   *Decl  // as it was written, if a name has been dropped
	origin  string // of a declaration without a name: what identifies its cell
	at      int    // offset in the cell of the first specification
	name    int    // offset in Text of the name of a function or type
	mixedUp bool   // a method that GoNB takes for that of another type
	free    free
	effects effects  // of a variable's value
	typ     ast.Expr // of a type
}

func (d *Decl) isMain() bool { return d.Kind == token.FUNC && d.Names[0] == "main" }

// isNameless reports whether nothing can refer to the declaration.
func (d *Decl) isNameless() bool {
	return d.isInit() || !slices.ContainsFunc(d.Names, func(name string) bool { return last(name) != "_" })
}

func (d *Decl) isInit() bool {
	return d.Kind == token.FUNC && (d.Names[0] == "init" || strings.HasPrefix(d.Names[0], "init_"))
}

// base returns the type of a method, or else the name.
func base(name string) string {
	name, _, _ = strings.Cut(name, ".")
	return name
}

func (d *Decl) isMethod() bool { return d.Kind == token.FUNC && strings.Contains(d.Names[0], ".") }

// hasEffect reports whether the declaration is part of every program, although nothing refers to it.
func (d *Decl) hasEffect(declared lookup) bool {
	return d.isInit() || d.Kind == token.VAR && d.isNameless() && d.effects.any(declared)
}

// newDecls returns the Decls of a parsed declaration.
func newDecls(files *token.FileSet, source string, find *finder, node ast.Decl) []*Decl {
	make := func(kind token.Token, prefix string, part ast.Node, names ...string) *Decl {
		at, end := files.Position(part.Pos()), files.Position(part.End())
		text := source[at.Offset:end.Offset]
		return &Decl{
			Kind: kind, Names: names, Text: prefix + text, Line: at.Line - 1, Column: at.Column - len(prefix),
			at: at.Offset - len(clause), name: len(prefix), free: find.find(part),
		}
	}
	switch n := node.(type) {
	case *ast.FuncDecl:
		d := make(token.FUNC, "", n, n.Name.Name)
		if n.Recv != nil && len(n.Recv.List) > 0 {
			of := n.Recv.List[0].Type
			d.Names[0] = receiver(of) + "." + n.Name.Name
			switch of.(type) {
			case *ast.Ident, *ast.StarExpr:
			default:
				d.mixedUp = true
			}
		}
		start := n.Pos()
		if n.Doc != nil {
			start = n.Doc.Pos()
			at := files.Position(start)
			d.Text = source[at.Offset:files.Position(n.End()).Offset]
			d.Line, d.Column = at.Line-1, at.Column
		}
		d.name = int(n.Name.Pos() - start)
		return []*Decl{d}
	case *ast.GenDecl:
		if n.Tok == token.CONST && len(n.Specs) > 0 {
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
				d := make(token.TYPE, "type ", s, s.Name.Name)
				d.typ = s.Type
				decls = append(decls, d)
			case *ast.ValueSpec:
				d := make(token.VAR, "var ", s)
				for _, id := range s.Names {
					d.Names = append(d.Names, id.Name)
				}
				for _, value := range s.Values {
					e := effectsOf(value)
					d.effects = effects{d.effects.some || e.some, append(d.effects.calls, e.calls...)}
				}
				decls = append(decls, d)
			}
		}
		return decls
	}
	return nil
}

// receiver returns the name of a method's type.
func receiver(x ast.Expr) string {
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
			return t.Name
		default:
			return "unknown"
		}
	}
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

// With returns the notebook with the declarations of cell c, which has that number, added. They replace those of the
// same name, and the nameless ones of the same cell, run earlier. Methods go with a type that something else replaces, or
// another type in a cell with a package clause. An import and a declaration of the same name replace each other.
func (n *Notebook) With(c *Cell, number int) *Notebook {
	m := &Notebook{imports: map[string]Import{}, locals: map[string]int{}, decls: slices.Clone(n.decls)}
	maps.Copy(m.imports, n.imports)
	maps.Copy(m.locals, n.locals)
	for _, i := range c.Imports {
		m.imports[i.key()] = i
		m.forget(i.key())
	}
	for _, name := range c.Locals {
		m.locals[name] = number
	}
	if slices.ContainsFunc(c.Decls, func(d *Decl) bool { return d.Names[0] == "init" }) {
		m.forget("init") // those of this cell stand next to each other
	}
	for _, d := range c.Decls {
		d.Cell, d.origin = number, c.origin()
		if d.isMain() {
			continue
		}
		for _, name := range d.Names {
			if last(name) != "_" && name != "init" {
				m.forget(name)
				delete(m.imports, name)
			}
		}
		m.decls = append(m.decls, d)
	}
	types, others := c.ownNames()
	m.decls = slices.DeleteFunc(m.decls, func(d *Decl) bool {
		of := base(d.Names[0])
		return !c.declares(d) && (d.isNameless() && n.isReplaced(d, c, m) || d.isMethod() && (c.packageClause && types[of] || others[of]))
	})
	return m
}

// ownNames returns the names that the cell declares: those of types, and the others.
func (c *Cell) ownNames() (types, others map[string]bool) {
	types, others = map[string]bool{}, map[string]bool{}
	for _, d := range c.Decls {
		for _, name := range d.Names {
			if d.Kind == token.TYPE {
				types[name] = true
			} else {
				others[name] = true
			}
		}
	}
	return types, others
}

// declares reports whether a declaration of the notebook is the cell's.
func (c *Cell) declares(d *Decl) bool {
	return slices.ContainsFunc(c.Decls, func(own *Decl) bool { return own == d || own == d.whole })
}

// isReplaced reports whether the cell of a nameless declaration has run again as c, which led to the notebook m: it is
// the same by its identifier or its text, or declares a nameless one again and all that has a name.
func (n *Notebook) isReplaced(d *Decl, c *Cell, m *Notebook) bool {
	if d.origin == c.origin() {
		return true
	}
	named := func(other *Decl) bool { return other.Cell == d.Cell && !other.isNameless() }
	again := func(other *Decl) bool { return other.Kind == d.Kind && other.isNameless() }
	return c.ID == "" && slices.ContainsFunc(c.Decls, again) && slices.ContainsFunc(n.decls, named) && !slices.ContainsFunc(m.decls, named)
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
		if left := d.without(i); !left.isNameless() {
			kept = append(kept, left)
		}
	}
	n.decls = kept
	delete(n.locals, name)
	return found
}

// without returns the declaration with the i-th name replaced by a blank identifier.
func (d *Decl) without(i int) *Decl {
	copy := *d
	copy.whole = cmp.Or(d.whole, d)
	copy.Names = slices.Clone(d.Names)
	if copy.Names[i] = "_"; len(d.Names) > 1 {
		copy.Text = blankName(d.Text, i)
	}
	return &copy
}

// blankName replaces the i-th name in a declaration of variables or constants by a blank identifier, without moving
// columns.
func blankName(text string, i int) string {
	specs, offset := valueSpecs(text)
	for _, s := range specs {
		if i >= len(s.Names) {
			i -= len(s.Names)
			continue
		}
		at, n := offset(s.Names[i].Pos()), len(s.Names[i].Name)
		return text[:at] + "_" + strings.Repeat(" ", n-1) + text[at+n:]
	}
	return text
}

// Forget drops a name or an import; a type is dropped with its methods, and "_" are all blank ones. The nameless
// declarations that need what is dropped go with it: nobody could repair them.
func (n *Notebook) Forget(name string) bool {
	var needed []*Decl
	for _, d := range n.decls {
		if d.isNameless() && slices.ContainsFunc(n.reach([]*Decl{d}, nil), func(d *Decl) bool { return slices.Contains(d.Names, name) }) {
			needed = append(needed, d)
		}
	}
	found := name != "_" && n.forget(name)
	n.decls = slices.DeleteFunc(slices.Clone(n.decls), func(d *Decl) bool {
		dropped := strings.HasPrefix(d.Names[0], name+".") || slices.Contains(needed, d) || name == "_" && d.isNameless() && !d.isInit()
		found = found || dropped
		return dropped
	})
	for key, i := range n.imports {
		if i.Name == name || i.Path == name {
			delete(n.imports, key)
			found = true
		}
	}
	return found
}

// Dispensable returns the declarations of other cells because of which the program of cell c has the broken ones, although
// the cell does not need them: they only have an effect, or are methods of a type that the cell declares. It returns nil
// if the cell itself is broken, which is what a nil declaration stands for, or needs what is broken.
func (n *Notebook) Dispensable(c *Cell, broken []*Decl) []*Decl {
	types, _ := c.ownNames()
	var candidates []*Decl
	for _, d := range n.decls {
		if !c.declares(d) && (d.isNameless() || d.isMethod() && types[base(d.Names[0])]) {
			candidates = append(candidates, d)
		}
	}
	var chosen []*Decl
	explained := map[*Decl]bool{}
	for _, d := range candidates {
		others := slices.DeleteFunc(slices.Clone(candidates), func(other *Decl) bool { return other == d })
		needs := n.reach([]*Decl{d}, nil, others...)
		if slices.ContainsFunc(broken, func(d *Decl) bool { return slices.Contains(needs, d) }) {
			chosen = append(chosen, d)
			for _, d := range needs {
				explained[d] = true
			}
		}
	}
	if slices.ContainsFunc(broken, func(d *Decl) bool { return !explained[d] }) {
		return nil
	}
	return chosen
}

// Without returns the notebook without some declarations.
func (n *Notebook) Without(decls []*Decl) *Notebook {
	m := *n
	m.decls = slices.DeleteFunc(slices.Clone(n.decls), func(d *Decl) bool { return slices.Contains(decls, d) })
	return &m
}

// WithoutEffects returns the notebook without the nameless declarations of cell c.
func (n *Notebook) WithoutEffects(c *Cell) *Notebook {
	return n.Without(slices.DeleteFunc(slices.Clone(c.Decls), func(d *Decl) bool { return !d.isNameless() }))
}

// Title returns the keyword and the names.
func (d *Decl) Title() string { return d.Kind.String() + " " + strings.Join(d.Names, ", ") }

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
