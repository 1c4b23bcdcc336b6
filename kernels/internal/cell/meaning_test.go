package cell

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMeaning divides Go's test programs into cells and checks that the resulting programs compile and that every
// function in them is unchanged.
func TestMeaning(t *testing.T) {
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(strings.TrimSpace(string(root)), "test", "*.go"))
	if len(files) == 0 {
		t.Skip("this Go has no test folder")
	}
	set := token.NewFileSet()
	config := types.Config{Importer: importer.ForCompiler(set, "source", nil)}
	compiles := func(source string) error {
		f, err := parser.ParseFile(set, "", source, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		_, err = config.Check("main", set, []*ast.File{f}, nil)
		return err
	}
	tried := 0
	for i, name := range files {
		if testing.Short() && i%5 != 0 {
			continue
		}
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		source := string(data)
		if !strings.HasPrefix(source, "// run\n") || strings.Contains(source, "\n%") || strings.Contains(source, "\n!") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
		if err != nil || f.Name.Name != "main" || hasDotImport(f) || compiles(source) != nil {
			continue
		}
		tried++
		cells := cut(source, rand.New(rand.NewPCG(1, uint64(i))))
		n := &Notebook{}
		var p *Program
		for k, text := range cells {
			c, err := Parse(text)
			if err != nil {
				t.Fatalf("%s: cell %d: %v\n%s", name, k+1, err, text)
			}
			n = n.With(c, k+1)
			p = n.Program(c, k+1, Options{})
		}
		composed := "package main\n" + importsUsed(t, string(Restore([]byte(p.Source))))
		if err := compiles(composed); err != nil && !strings.Contains(err.Error(), "imported and not used") {
			t.Errorf("%s: %v", name, err)
			continue
		}
		written, sent := functions(t, source), functions(t, composed)
		if sent["main"] == "" {
			t.Errorf("%s: main is lost", name)
		}
		for function, body := range sent {
			if !strings.HasPrefix(function, "init") && !strings.Contains(function, "birnn_") && written[function] != body {
				t.Errorf("%s: %s was\n%s\nand is\n%s", name, function, written[function], body)
			}
		}
	}
	t.Logf("%d programs", tried)
	if tried < 20 {
		t.Errorf("only %d programs were tried", tried)
	}
}

func hasDotImport(f *ast.File) bool {
	for _, i := range f.Imports {
		if i.Name != nil && i.Name.Name == "." {
			return true
		}
	}
	return false
}

// cut divides a program into cells, each with some of its declarations; main is in the last.
func cut(source string, rng *rand.Rand) []string {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", source, parser.ParseComments)
	if err != nil {
		return nil
	}
	var cells []string
	now, main := "", ""
	for _, d := range f.Decls {
		text := source[files.Position(d.Pos()).Offset:files.Position(d.End()).Offset] + "\n"
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Name.Name == "main" && fn.Recv == nil {
			main = text
			continue
		}
		now += text
		if rng.IntN(2) == 0 {
			cells = append(cells, now)
			now = ""
		}
	}
	return append(cells, now+main)
}

// importsUsed removes unused imports from a program, as goimports does.
func importsUsed(t *testing.T, source string) string {
	f, err := parser.ParseFile(token.NewFileSet(), "", "package main\n"+source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	used := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok {
				used[id.Name] = true
			}
		}
		return true
	})
	var kept []string
	for line := range strings.Lines(source) {
		if after, ok := strings.CutPrefix(line, "import "); ok {
			fields := strings.Fields(after)
			i := Import{Path: unquote(fields[len(fields)-1])}
			if len(fields) == 2 {
				i.Name = fields[0]
			}
			if i.Name != "_" && !used[i.key()] {
				line = "\n"
			}
		}
		kept = append(kept, line)
	}
	return strings.Join(kept, "")
}

// functions returns the formatted functions of a program.
func functions(t *testing.T, source string) map[string]string {
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	all := map[string]string{}
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := fn.Name.Name
		if fn.Recv != nil && len(fn.Recv.List) > 0 {
			base := receiver(fn.Recv.List[0].Type)
			name = base + "." + name
		}
		fn.Doc = nil
		var b bytes.Buffer
		if err := format.Node(&b, token.NewFileSet(), fn); err != nil {
			t.Fatal(err)
		}
		all[name] = b.String()
	}
	return all
}

// FuzzParse checks that Parse does not panic, and that the program of a valid cell is valid Go.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"x := 1\nx", "func f() {}\nf()", "%env A b\n!ls\n1", "s := `\n%a\n`", "var a, b = f()", "import . \"fmt\"\nPrintln(1)", "%%\nfor {}", "/* %\n*/x", "x := keep.Value(\"a\", func() (int, error) { return 1, nil })\nx",
		"const (\nA = iota\nB\n)", "type T[K any] struct{}\nfunc (t *T[K]) m() {}", "go func() {}()", "`", "'", "\"", "/*", "{", "}", "x;", "; ;", "\x00", "你 := 1",
		"const ()", "L:;", "const A, B = iota, iota", "for ;; {}; x", "a := 1\nvar (\nb = a; c = 2\n)", "const (\n_, A = iota, 1\n_, B\n)\nvar _, _ = f()\nfunc init() {}\nfunc (T[K]) _() {}", "package main\nfunc main() {}\nmain()",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		IsComplete(source)
		n := &Notebook{}
		for at := range source[:min(len(source), 40)] {
			n.Draft(source, at, nil)
		}
		c, err := Parse(source)
		if err != nil || c.Foreign {
			return
		}
		n = n.With(c, 1)
		p := n.Program(c, 1, Options{})
		if strings.ContainsRune(source, 0) || len(c.Directives) > 0 {
			return
		}
		text := "package main\n" + p.Source
		if c.Body != "" || c.Entry.Text != "" {
			entry := "%%"
			if c.Entry.Text != "" {
				entry = c.Entry.Text
			}
			i := strings.LastIndex(text, "\n"+entry+"\n")
			if i < 0 {
				t.Fatalf("there is no entry in %q", text)
			}
			text = text[:i] + "\nfunc main() {\n" + text[i+len(entry)+2:] + "\n}\n"
		}
		if _, err := parser.ParseFile(token.NewFileSet(), "", text, parser.SkipObjectResolution); err != nil {
			t.Errorf("%q became %q: %v", source, text, err)
		}
		for i := range strings.Count(p.Source, "\n") + 2 {
			p.Place(i, 3)
		}
	})
}
