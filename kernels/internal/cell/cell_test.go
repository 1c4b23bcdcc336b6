package cell

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestParse checks how cells are divided.
func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		source   string
		decls    string // their names
		body     string // without blank lines and surrounding blanks
		result   string
		locals   string
		imports  int
		commands string
	}{
		"statements":           {source: "x := 1\nfmt.Println(x)", body: "x := 1 fmt.Println(x)", locals: "x"},
		"expression":           {source: "1 + 2", body: "1 + 2", result: "1 + 2"},
		"call":                 {source: "f(1)", body: "f(1)", result: "f(1)"},
		"silent call":          {source: "f(1);", body: "f(1);"},
		"silent value":         {source: "x + 1;", body: "_ = x + 1;"},
		"function":             {source: "// f does it.\nfunc f() int { return 1 }", decls: "f"},
		"method":               {source: "func (t *T[K]) m(x int) {}", decls: "T.m"},
		"literal":              {source: "func() { g() }()", body: "func() { g() }()", result: "func() { g() }()"},
		"literal, typed":       {source: "func(a int) error { return nil }(1)", body: "func(a int) error { return nil }(1)", result: "func(a int) error { return nil }(1)"},
		"mixed":                {source: "import \"math\"\nx := f()\nfunc f() int { return 2 }\ntype T int\nx", decls: "f T", body: "x := f() x", result: "x", locals: "x", imports: 1},
		"variables":            {source: "var a, b = 1, 2\nvar (\n\tc int\n\td = 3\n)", decls: "a,b c d"},
		"constants":            {source: "const (\n\tA = iota\n\tB\n)", decls: "A,B"},
		"below %%":             {source: "var a = 1\n%% -flag\na++\na", decls: "a", body: "a++\na", result: "a"},
		"a call below %%":      {source: "%%\nf()", body: "f()"},
		"a receive below %%":   {source: "%%\n<-c", body: "<-c"},
		"explicit main":        {source: "func main() { x() }", decls: "main"},
		"commands":             {source: "%env A b\n!ls \\\n  -l\n1", body: "1", result: "1", commands: "%env A b|!ls    -l"},
		"gonb prefix":          {source: "//gonb:%env A b", commands: "%env A b"},
		"raw string":           {source: "s := `\n%env A b\n!ls\n`\ns", body: "s := `\n%env A b\n!ls\n`\ns", result: "s", locals: "s"},
		"comment":              {source: "/*\n%env A b\n*/\n1", body: "/* %env A b */ 1", result: "1"},
		"keep":                 {source: "x := keep.Value(\"x\", func() (int, error) { return 1, nil })\nx", decls: "x", body: "x", result: "x"},
		"keep of a local":      {source: "y := 1\nx := keep.Value(\"x\", func() (int, error) { return y, nil })", body: "y := 1\nx := keep.Value(\"x\", func() (int, error) { return y, nil })", locals: "y x"},
		"variable of a local":  {source: "y := 2\nvar x = y + 1\nvar z = 3\nx", decls: "z", body: "y := 2\nvar x = y + 1\nx", result: "x", locals: "y x"},
		"a chain of them":      {source: "a := 1\n// B.\nvar b = a + 1\nvar (\n\tc = b + 1\n\td = 4\n)\nconst e = len([1]int{}) + 2", decls: "d e", body: "a := 1 // B. var b = a + 1 var ( c = b + 1 )", locals: "a b c"},
		"above the local":      {source: "var b = a\na := 1", decls: "b", body: "a := 1", locals: "a"},
		"a field of that name": {source: "type T struct{ x int }\nx := 1\nvar t = T{x: 2}\nvar u = []T{{x: 3}}\nvar f = func() int { x := 4; return x }", decls: "T t u f", body: "x := 1", locals: "x"},
		"a key of that name":   {source: "type M map[int]int\nx := 1\nvar m = M{x: 2}\nvar n = map[int]int{x: 3}", decls: "M", body: "x := 1 var m = M{x: 2} var n = map[int]int{x: 3}", locals: "x m n"},
		"headers":              {source: "for i := 0; ; i++ {\n\tbreak\n}\nfor ;; {}\nfor f := func() {}; ; f() {}\nif x := 1; x > 0 {} else if y := 2; y > 0 {}\nL: for ; ; { break L }; switch v := any(1).(type) { case int: _ = v }; 3", body: "for i := 0; ; i++ { break } for ;; {} for f := func() {}; ; f() {} if x := 1; x > 0 {} else if y := 2; y > 0 {} L: for ; ; { break L }; switch v := any(1).(type) { case int: _ = v }; 3", result: "3"},
		"main called":          {source: "package main\nfunc main() { x() }\nmain()", decls: "main"},
		"print":                {source: "fmt.Println(1)", body: "fmt.Println(1)"},
		"package":              {source: "package main\nvar a = 1", decls: "a"},
		"semicolons":           {source: "x := 1; x++; x", body: "x := 1; x++; x", result: "x", locals: "x"},
		"label":                {source: "loop:\n\tfor {\n\t\tbreak loop\n\t}", body: "loop:\n\tfor {\n\t\tbreak loop\n\t}"},
		"empty":                {source: "  \n\n"},
		"only a comment":       {source: "// nothing"},
		"foreign":              {source: "%%bash\nls `"},
	} {
		got, err := Parse(c.source)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var decls []string
		for _, d := range got.Decls {
			decls = append(decls, strings.Join(d.Names, ","))
		}
		if s := strings.Join(decls, " "); s != c.decls {
			t.Errorf("%s: declares %q, want %q", name, s, c.decls)
		}
		if got, want := strings.Join(strings.Fields(got.Body), " "), strings.Join(strings.Fields(c.body), " "); got != want {
			t.Errorf("%s: the body is %q, want %q", name, got, want)
		}
		result := ""
		if got.Result != nil {
			result = got.Body[got.Result.From:got.Result.To]
		}
		if result != c.result || strings.Join(got.Locals, " ") != c.locals || len(got.Imports) != c.imports {
			t.Errorf("%s: result %q, locals %q, %d imports", name, result, got.Locals, len(got.Imports))
		}
		var commands []string
		for _, d := range got.Directives {
			commands = append(commands, d.Text)
		}
		if s := strings.Join(commands, "|"); s != c.commands {
			t.Errorf("%s: commands %q, want %q", name, s, c.commands)
		}
	}
}

// TestSyntaxErrors checks the positions of errors.
func TestSyntaxErrors(t *testing.T) {
	for source, want := range map[string]string{
		"x := 1\ny := = 2":                       "line 2:6: expected operand, found '='",
		"x :=":                                   "line 1:5: expected operand, found the end of the cell",
		"func f() {\n\tx y\n}":                   "line 2:4: ",
		"import \"a\nx":                          "line 1:8: ",
		"a := 1\n%%\na":                          "line 1:1: statement above the line %%",
		"func main() {}\nx := 1":                 "line 2:1: statement outside func main",
		"var x int\n\nx = “中文”":                  "line 3:5: ",
		"if true {\n}\nelse {\n}":                "line 3:1: ",
		"%%\nfor {":                              "line 2:6: ",
		"x := 1\nmain()":                         "line 2:1: func main is not kept",
		"\n//go:embed a.txt\nvar a string":       "line 2:1: //go:embed does not work in a cell",
		"// int f() { return 1; }\nimport \"C\"": "line 2:8: import \"C\" does not work in a cell",
	} {
		_, err := Parse(source)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", source, err, want)
		}
	}
}

// run parses cells in order and returns the program of the last.
func run(t *testing.T, cells ...string) *Program {
	t.Helper()
	n := &Notebook{}
	var p *Program
	for i, source := range cells {
		if name, ok := strings.CutPrefix(source, "%rm "); ok {
			m := *n
			n = &m
			if !n.Forget(name) {
				t.Fatalf("%s is not declared", name)
			}
			continue
		}
		c, err := n.Parse(source)
		if err != nil {
			t.Fatalf("%q: %v", source, err)
		}
		n = n.With(c, i+1)
		p = n.Program(c, i+1, Options{Exports: func(path string) map[string]bool { return map[string]bool{"Repeat": path == "strings"} }})
	}
	return p
}

// TestProgram checks that a program has the declarations that it needs and no others.
func TestProgram(t *testing.T) {
	for name, c := range map[string]struct {
		cells      []string
		has, lacks []string
	}{
		"what is named": {[]string{"func f() int { return g() }\nfunc g() int { return v }\nvar v = 1\nvar w = 2", "f()"},
			[]string{"func f()", "func g()", "var v = 1", "birnnshow.Result(f())"}, []string{"var w"}},
		"methods": {[]string{"type T struct{}\nfunc (T) m() { n() }\nfunc n() {}\nfunc (U) m() {}\ntype U struct{}", "var t T"},
			[]string{"func (T) m()", "func n()"}, []string{"type U", "func (U)"}},
		"redefined":                         {[]string{"func f() int { return 1 }", "func f() int { return 2 }", "f()"}, []string{"return 2"}, []string{"return 1"}},
		"one of two":                        {[]string{"var a, b = h()\nfunc h() (int, int) { return 1, 2 }", "var b = 3", "a + b"}, []string{"var a, birnn_0_1 = h()", "var b = 3"}, []string{"var a, b ", "var a, _"}},
		"a check stays in its cell":         {[]string{"type I interface{ M() }\ntype T struct{}\nfunc (T) M() {}", "var _ I = T{}\nvar _ = (*T)(nil)\nfunc _() {}", "T{}.M()"}, nil, []string{"type I", "birnn_"}},
		"a check in its cell":               {[]string{"type I interface{ M() }\ntype T struct{}\nfunc (T) M() {}", "var _ I = T{}\nfunc _() {}\nfunc _() {}"}, []string{"var birnn_3_1 I = T{}", "func birnn_4() {}", "func birnn_5() {}"}, nil},
		"an effect, run again":              {[]string{"var _ = f(1)\nfunc f(int) int { return 1 }", "1", "var _ = f(1)\nfunc f(int) int { return 1 }", "var _ = f(2)\nfunc f(int) int { return 1 }", "1"}, []string{"= f(2)"}, []string{"= f(1)"}},
		"an effect, removed":                {[]string{"type T int\nvar _ = f()\nfunc f() int { return int(T(1)) }", "%rm T", "1"}, nil, []string{"f()"}},
		"several init":                      {[]string{"func init() { a() }\nfunc init() { b() }\nfunc a() {}\nfunc b() {}", "1"}, []string{"func init_000000() { a() }", "func init_000001() { b() }"}, nil},
		"init, replaced":                    {[]string{"func init() { a() }\nfunc a() {}", "func init() { b() }\nfunc b() {}", "1"}, []string{"{ b() }"}, []string{"a()"}},
		"an initialiser, run again":         {[]string{"var va, verr = load()\nfunc load() (int, int) { return 1, 2 }", "var va, verr = load()\nfunc load() (int, int) { return 1, 2 }", "1"}, nil, []string{"load"}},
		"a local of that name":              {[]string{"var err = load()\nfunc load() error { return nil }", "err := error(nil)\nfor err := range 3 { _ = err }\nfunc(err int) {}(1)\n_ = func() (err error) { return err }"}, nil, []string{"load"}},
		"a field of that name":              {[]string{"var err = load()\nfunc load() error { return nil }\ntype T struct{ err int }\ntype P *T\ntype L []P\nfunc f[Q ~*T]() []Q { return []Q{{err: 4}} }", "T{err: 1}.err\nf[P]()\nL{{err: 2}}[0].err\n_ = struct{ err int }{err: 3}"}, []string{"type L"}, []string{"load"}},
		"a key of that name":                {[]string{"var err = load()\nfunc load() error { return nil }\ntype M map[error]int", "M{err: 1}"}, []string{"load"}, nil},
		"an import of a declared name":      {[]string{"var list = load()\nfunc load() int { return 1 }", "import \"container/list\"\nlist.New()"}, []string{"container/list"}, []string{"load"}},
		"a declaration of an import's name": {[]string{"import \"container/list\"", "var list = 1\nlist"}, []string{"var list"}, []string{"container"}},
		"a list of constants":               {[]string{"const A, B = 1 + iota, iota", "B"}, []string{"const (A = 1 + 0; B = 0)"}, nil},
		"lists of constants":                {[]string{"const (\n\tA, _ = iota, 10 * iota\n\t_, _\n\tB, C\n)", "C"}, []string{"\tA = 0; birnn_0_1 = 10 * 0\n", "\tB = 2; C = 10 * 2\n"}, []string{"iota"}},
		"a type, replaced by a function":    {[]string{"type T int\nfunc (T) m() {}", "func T() {}", "T()"}, []string{"func T()"}, []string{"func (T)"}},
		"methods of generic types":          {[]string{"type A[T any] struct{}\ntype B[T any] struct{}\nfunc (A[T]) m() {}\nfunc (B[T]) m() {}\nfunc (*B[T]) n() {}", "A[int]{}\nB[int]{}"}, []string{"func (A[T]) birnn_2_m() {}", "func (B[T]) birnn_3_m() {}", "func (*B[T]) n() {}"}, nil},
		"blank constants":                   {[]string{"const (\n\t_ int = iota\n\tA\n\t_\n\tB\n)", "B"}, []string{"\tbirnn_0_1 int = iota\n\tA\n\tbirnn_0_2\n\tB\n"}, nil},
		"a program needs no other cell":     {[]string{"import . \"strings\"\nfunc init() {}\nfunc true() int { return 1 }\nfunc (T) old() {}\ntype T int", "package main\ntype T bool\nfunc main() { println(T(true), Repeat) }\nvar Repeat = 1"}, []string{"type T bool"}, []string{"init", "func true", "old", "strings"}},
		"iota":                              {[]string{"const (\n\tA = iota\n\tB\n\tC\n)", "const B = 10", "C"}, []string{"A = iota", "\tbirnn_0_1\n", "\tC\n"}, []string{"\tB\n"}},
		"dot import unused":                 {[]string{"import . \"strings\"", "1"}, nil, []string{"strings"}},
		"dot import used":                   {[]string{"import . \"strings\"", "Repeat(\"a\", 2)"}, []string{"import . \"strings\""}, nil},
		"dot import, a field of that name":  {cells: []string{"import . \"strings\"", "type T struct{ Repeat int }\nT{Repeat: 1}.Repeat"}, lacks: []string{"strings"}},
		"another rand":                      {[]string{"import \"math/rand/v2\"", "import \"crypto/rand\"", "rand.Text()"}, []string{"crypto/rand"}, []string{"math/rand"}},
		"effects stay": {[]string{"var _ = register()\nfunc register() int { return 1 }\nimport _ \"embed\"\nfunc init_a() {}", "1"},
			[]string{"var birnn_0_1 = register()", "import _ \"embed\"", "func init_a"}, nil},
		"locals need no use":               {[]string{"x := 1"}, []string{"_ = x"}, nil},
		"exec":                             {[]string{"func f() {}", "%exec f 1 2\nvar a = 1"}, []string{"%% 1 2\nflag.Parse(); f()", "func f()"}, []string{"%exec"}},
		"raw strings":                      {[]string{"var s = `a\n%b \\ \"c\"\n!d` + e", "%%\nprintln(s)"}, []string{`var s = ("a\n" +`, `"%b \\ \"c\"\n" +`, `"!d") + e`}, []string{"\n%b", "\n!d"}},
		"raw strings, one after the other": {[]string{"var s = `a\n%b` + `c\n!d`\n", "s"}, []string{"(\"a\\n\" +\n\"%b\") + (\"c\\n\" +\n\"!d\")"}, nil},
		"raw strings in tags":              {[]string{"type T struct {\n\tA int `a\n%b`\n}", "T{}"}, []string{"\tA int \"a\\n%b\"\n\n}"}, nil},
		"a word that begins with package":  {[]string{"packages := 1\npackages"}, []string{"\n packages := 1"}, []string{"\npackages"}},
	} {
		p := run(t, c.cells...)
		for _, s := range c.has {
			if !strings.Contains(p.Source, s) {
				t.Errorf("%s: the program has no %q:\n%s", name, s, p.Source)
			}
		}
		for _, s := range c.lacks {
			if strings.Contains(p.Source, s) {
				t.Errorf("%s: the program has %q:\n%s", name, s, p.Source)
			}
		}
	}
}

// TestPlaces checks that every word of a program is mapped to its place in the cells.
func TestPlaces(t *testing.T) {
	cells := []string{
		"%env A b\nimport \"fmt\"\n\nvar one, two = 1, 2\n\n// Three is three.\nfunc three() int {\n\treturn 3\n}\n",
		"type five struct {\n\tsix int\n}\n",
		"\n\nseven := five{six: two}\n\nfmt.Sprint(seven.six, three())",
	}
	p := run(t, cells...)
	p.Prepend("%rm x")
	for _, want := range []string{"two", "return 3", "six int", "seven.six", "three())", "five{six"} {
		found := false
		for i, line := range strings.Split(p.Source, "\n") {
			at := strings.Index(line, want)
			if at < 0 {
				continue
			}
			number, row, column := p.Place(i+1, at+1)
			if number == 0 {
				continue
			}
			written := strings.Split(cells[number-1], "\n")[row-1]
			shift := 0
			if strings.HasPrefix(line, "var ") {
				shift = len("var ") - len("\t") // the column in GoNB's program
			}
			if column-shift > len(written) || !strings.HasPrefix(written[max(0, column-shift-1):], want) {
				t.Errorf("%q of line %d is said to be at %d:%d:%d, %q", want, i+1, number, row, column, written)
			}
			found = true
		}
		if !found {
			t.Errorf("the program has no %q:\n%s", want, p.Source)
		}
	}
}

func TestForget(t *testing.T) {
	n := &Notebook{}
	c, err := Parse("import \"fmt\"\ntype T int\nfunc (T) m() {}\nvar a, b = 1, 2")
	if err != nil {
		t.Fatal(err)
	}
	n = n.With(c, 1)
	for _, name := range []string{"T", "a", "fmt"} {
		if !n.Forget(name) {
			t.Errorf("%s is not found", name)
		}
	}
	if n.Forget("T") || len(n.Decls()) != 1 || len(n.Imports()) != 0 || !slices.Equal(n.Decls()[0].Names, []string{"_", "b"}) {
		t.Errorf("left are %v", n.Decls())
	}
}

func TestIsComplete(t *testing.T) {
	for source, want := range map[string]string{
		"x := 1": "complete ", "1 + 2": "complete ", "fmt.Println(1)": "complete ", "": "complete ", "%env A b": "complete ",
		"func f() {": "incomplete \t", "func f() {\n\tif x {": "incomplete \t\t", "func f() {\n}": "complete ", "f(1,": "incomplete \t",
		"x := 1 +": "incomplete \t", "s := `a": "incomplete ", "/* a": "incomplete ", "%%": "incomplete ", "%%\nx": "complete ",
		"!ls \\": "incomplete ", "%%bash\nls": "incomplete ", "%%bash\nls\n": "complete ", "}": "invalid ", "x = = 1": "invalid ", "f(]": "invalid ",
		"s := \"分开": "invalid ", "x++": "complete ", "strings.": "incomplete \t",
	} {
		status, indent := IsComplete(source)
		if got := fmt.Sprintf("%s %s", status, indent); got != want {
			t.Errorf("%q: got %q, want %q", source, got, want)
		}
	}
}

// TestDraft checks that the cursor keeps its place.
func TestDraft(t *testing.T) {
	c, err := Parse("import \"fmt\"\nfunc helper() {}\nfunc same() {}")
	if err != nil {
		t.Fatal(err)
	}
	n := (&Notebook{}).With(c, 1)
	for _, source := range []string{
		"fmt.Pri|", "x := \"分开\"; fmt.Pri|", "func f() {\n\thel|\n}", "%env A b\nfmt.|\n", "import \"str|\"", "%%\nfmt.|", "var a = 1\n%%\na.|\n", "func same() { hel| }\nx := 1", "for i := range 3 {\n\tfmt.|",
	} {
		before, after, _ := strings.Cut(source, "|")
		program, at, ok := n.Draft(before+after, len(before), nil)
		if !ok {
			t.Errorf("%q: no draft", source)
			continue
		}
		word := before[strings.LastIndexAny(before, " \n\t\"")+1:]
		if !strings.HasSuffix(program[:at], word) || !strings.Contains(program, "func helper()") || strings.Count(program, "func same()") != 1 {
			t.Errorf("%q: the cursor is at %q in\n%s", source, program[:at], program)
		}
	}
	if program, _, _ := n.Draft("fmt.Println(strings.Repeat())", 3, map[string]string{"strings": "strings", "fmt": "fmt"}); strings.Count(program, "import") != 2 {
		t.Errorf("imports are missing or stand twice:\n%s", program)
	}
	for _, source := range []string{"%env A|", "%%bash\nl|", "!ls|"} {
		before, after, _ := strings.Cut(source, "|")
		if _, _, ok := n.Draft(before+after, len(before), nil); ok {
			t.Errorf("%q is taken for Go", source)
		}
	}
}
