package cell

import (
	"go/ast"
	"go/token"
)

// free are the names that a piece of code takes from outside. They are found by scope: a local variable or a field of
// that name is none.
type free struct {
	names map[string]bool
	keys  []key
}

// key is a name before a colon in a composite literal: a field of a struct, or else an expression. The literal's type is
// that of the elements or keys, as steps say, of the type of.
type key struct {
	name  string
	of    ast.Expr
	steps []step
}

type step bool

const (
	element  step = false
	keyOfMap step = true
)

// lookup returns the type that a declaration gives a name, or nil.
type lookup func(name string) ast.Expr

// has reports whether a name is used. With unknown, a key of a literal of unknown type counts as used.
func (f free) has(name string, declared lookup, unknown bool) bool {
	if f.names[name] {
		return true
	}
	for _, k := range f.keys {
		if k.name == name && k.isExpression(declared, unknown) {
			return true
		}
	}
	return false
}

// all returns the names, with those that only may be used.
func (f free) all(declared lookup) map[string]bool {
	if len(f.keys) == 0 {
		return f.names
	}
	names := map[string]bool{}
	for name := range f.names {
		names[name] = true
	}
	for _, k := range f.keys {
		if k.isExpression(declared, true) {
			names[k.name] = true
		}
	}
	return names
}

func (k key) isExpression(declared lookup, unknown bool) bool {
	t := underlying(k.of, declared)
	for _, s := range k.steps {
		switch x := t.(type) {
		case *ast.ArrayType:
			t = x.Elt
		case *ast.MapType:
			if t = x.Value; s == keyOfMap {
				t = x.Key
			}
		default:
			return unknown
		}
		t = underlying(t, declared)
		if p, ok := t.(*ast.StarExpr); ok { // {…} stands for &T{…}
			t = underlying(p.X, declared)
		}
	}
	switch t.(type) {
	case *ast.StructType:
		return false
	case *ast.ArrayType, *ast.MapType:
		return true
	}
	return unknown
}

// underlying returns the type literal behind a type, or another expression if that is not known.
func underlying(t ast.Expr, declared lookup) ast.Expr {
	for range 100 { // declarations may be circular
		switch x := t.(type) {
		case *ast.ParenExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			if x.Obj != nil { // in the same function
				switch d := x.Obj.Decl.(type) {
				case *ast.TypeSpec:
					t = d.Type
				case *ast.Field: // of a type parameter
					t = d.Type
				default:
					return nil
				}
				continue
			}
			t = declared(x.Name)
		case *ast.UnaryExpr: // ~T
			t = x.X
		default:
			return t
		}
	}
	return nil
}

// finder finds the free names of parts of a file, which was parsed with object resolution.
type finder struct {
	file       *ast.File
	unresolved map[*ast.Ident]bool
	free
}

func newFinder(f *ast.File) *finder {
	unresolved := map[*ast.Ident]bool{}
	for _, id := range f.Unresolved {
		unresolved[id] = true
	}
	return &finder{file: f, unresolved: unresolved}
}

// find returns the free names of a node.
func (f *finder) find(node ast.Node) free {
	f.free = free{names: map[string]bool{}}
	ast.Walk(f, node)
	return f.free
}

func (f *finder) Visit(node ast.Node) ast.Visitor {
	switch n := node.(type) {
	case *ast.CompositeLit:
		f.literal(n, nil, nil)
		return nil
	case *ast.Ident:
		if f.isFree(n) {
			f.names[n.Name] = true
		}
	}
	return f
}

// isFree reports whether a name is declared outside all functions, or not in this file.
func (f *finder) isFree(id *ast.Ident) bool {
	if id.Obj != nil && f.file.Scope.Objects[id.Name] == id.Obj {
		id.Obj, f.unresolved[id] = nil, true
	}
	return f.unresolved[id]
}

// literal visits a literal, which has its own type, or the one that steps lead to.
func (f *finder) literal(lit *ast.CompositeLit, of ast.Expr, steps []step) {
	if lit.Type != nil {
		ast.Walk(f, lit.Type)
		of, steps = lit.Type, nil
	}
	part := func(x ast.Expr, s step) {
		if inner, ok := x.(*ast.CompositeLit); ok && inner.Type == nil {
			f.literal(inner, of, append(steps[:len(steps):len(steps)], s))
			return
		}
		ast.Walk(f, x)
	}
	for _, x := range lit.Elts {
		pair, ok := x.(*ast.KeyValueExpr)
		if !ok {
			part(x, element)
			continue
		}
		if id, ok := pair.Key.(*ast.Ident); !ok {
			part(pair.Key, keyOfMap)
		} else if id.Obj == nil || f.isFree(id) {
			f.keys = append(f.keys, key{id.Name, of, steps})
		}
		part(pair.Value, element)
	}
}

// effects are what the evaluation of an expression may do besides computing its value.
type effects struct {
	some  bool
	calls []string // functions, or types in conversions
}

// effectsOf returns the effects of an expression, by its syntax.
func effectsOf(x ast.Expr) (e effects) {
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			return false
		case *ast.UnaryExpr:
			e.some = e.some || n.Op == token.ARROW
		case *ast.CallExpr:
			f := ast.Unparen(n.Fun)
			switch index := f.(type) {
			case *ast.IndexExpr:
				f = index.X
			case *ast.IndexListExpr:
				f = index.X
			}
			switch f := f.(type) {
			case *ast.Ident:
				e.calls = append(e.calls, f.Name)
			case *ast.SelectorExpr, *ast.CallExpr, *ast.FuncLit, *ast.TypeAssertExpr:
				e.some = true
			}
		}
		return true
	})
	return e
}

// harmless are Go's own types and functions whose conversions and calls have no effect.
var harmless = map[string]bool{
	"any": true, "bool": true, "byte": true, "complex64": true, "complex128": true, "error": true, "float32": true, "float64": true,
	"int": true, "int8": true, "int16": true, "int32": true, "int64": true, "rune": true, "string": true,
	"uint": true, "uint8": true, "uint16": true, "uint32": true, "uint64": true, "uintptr": true,
	"append": true, "cap": true, "complex": true, "imag": true, "len": true, "make": true, "max": true, "min": true, "new": true, "real": true,
}

// any reports whether there are effects.
func (e effects) any(declared lookup) bool {
	for _, name := range e.calls {
		if declared(name) == nil && !harmless[name] {
			return true
		}
	}
	return e.some
}
