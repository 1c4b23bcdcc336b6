package notebooks

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// varies is the tag of cells whose outputs depend on the machine: times, and results of chaotic trainings. Only the
// number of their lines is compared.
const varies = "varies"

// tolerance is the relative difference allowed between numbers, since machines round differently; one in the last digit
// is allowed, too.
const tolerance = 0.05

// TestFresh compares the outputs of the notebooks in BIRNN_EXECUTED, executed by the kernel birnn-xla, with the
// committed ones: the same words and the same numbers.
func TestFresh(t *testing.T) {
	root := os.Getenv(ExecutedEnv)
	if root == "" {
		t.Skipf("set %s to the folder with notebooks that `kernels run -o` executed", ExecutedEnv)
	}
	compared := 0
	for _, name := range append(lessons(t), solutions(t)...) {
		for _, lang := range []string{"zh", "en"} {
			path := filepath.Join(lang, name)
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				continue // this one was not executed
			}
			compared++
			compare(t, path, read(t, path), read(t, filepath.Join(root, path)))
		}
	}
	if compared == 0 {
		t.Errorf("no executed notebook in %s", root)
	}
}

// compare compares the outputs of a committed notebook with those of an executed one.
func compare(t *testing.T, path string, committed, executed *notebook) {
	t.Helper()
	if len(committed.Cells) != len(executed.Cells) {
		t.Errorf("%s has %d cells, but %d were executed", path, len(committed.Cells), len(executed.Cells))
		return
	}
	for i, cell := range committed.Cells {
		if difference := differ(cell.shown(), executed.Cells[i].shown(), slices.Contains(cell.Meta.Tags, varies)); difference != "" {
			t.Errorf("%s, cell %s, has a different output: %s", path, cell.ID, difference)
		}
	}
}

// shown returns the outputs of a cell as text: streams, then the forms and the text of each display.
func (c *cell) shown() string {
	var wrote, displays strings.Builder
	for _, o := range c.Outputs {
		wrote.WriteString(string(o.Text))
		if len(o.Data) > 0 {
			var forms []string
			for form := range o.Data {
				forms = append(forms, form)
			}
			slices.Sort(forms)
			var text lines
			_ = json.Unmarshal(o.Data["text/plain"], &text) // a display may have no text
			fmt.Fprintf(&displays, "%s: %s\n", strings.Join(forms, ", "), text)
		}
	}
	return strings.TrimSpace(wrote.String() + displays.String())
}

// TestFigures checks that every cell that shows figures has at least as many displays in its committed outputs.
func TestFigures(t *testing.T) {
	for _, name := range append(lessons(t), solutions(t)...) {
		for _, lang := range []string{"zh", "en"} {
			path := filepath.Join(lang, name)
			n := read(t, path)
			shown := figuresShown(t, path, n)
			for _, cell := range n.Cells {
				if slices.Contains(cell.Meta.Tags, exerciseCheck) {
					continue // may fail before it shows anything
				}
				displays := 0
				for _, o := range cell.Outputs {
					for _, form := range []string{"image/png", "application/vnd.vegalite.v5+json", "text/html"} {
						if len(o.Data[form]) > 0 {
							displays++
							break
						}
					}
				}
				if want := shown[cell.ID]; displays < want {
					t.Errorf("%s, cell %s shows %d figures, but has %d displays", path, cell.ID, want, displays)
				}
			}
		}
	}
}

// figuresShown returns, for the ID of each code cell, how many figures its program shows at least: those that it makes
// itself, and those of the functions that it calls.
func figuresShown(t *testing.T, path string, n *notebook) map[string]int {
	of, shown := map[string]int{}, map[string]int{} // by the name of the function, and of the cell
	count := func(body ast.Node) (figures int) {
		made, shows := 0, 0
		ast.Inspect(body, func(node ast.Node) bool {
			switch node := node.(type) {
			case *ast.CompositeLit:
				if s, ok := node.Type.(*ast.SelectorExpr); ok && fmt.Sprint(s.X) == "figure" {
					made++
				}
			case *ast.CallExpr:
				switch f := node.Fun.(type) {
				case *ast.SelectorExpr:
					if f.Sel.Name == "Show" {
						shows = 1
					}
				case *ast.Ident:
					figures += of[f.Name]
				}
			}
			return true
		})
		return figures + max(made, shows)
	}
	for _, cell := range n.Cells {
		if cell.Type != "code" {
			continue
		}
		declared, main, _ := strings.Cut(string(cell.Source), "%%")
		file, err := parser.ParseFile(token.NewFileSet(), path, "package main\n"+declared+"\nfunc main() {"+main+"\n}\n", 0)
		if err != nil {
			t.Fatalf("%s, cell %s: %v", path, cell.ID, err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
				if figures := count(f.Body); f.Name.Name == "main" {
					shown[cell.ID] = figures
				} else {
					of[f.Name.Name] = figures
				}
			}
		}
	}
	return shown
}

var number = regexp.MustCompile(`[-+]?\d+(\.\d+)?([eE][-+]?\d+)?`)

// differ describes how b differs from a, except by rounding; "" if it does not.
func differ(a, b string, formOnly bool) string {
	if formOnly {
		// Line breaks within long lines and words may differ.
		if x, y := strings.Count(a, "\n"), strings.Count(b, "\n"); x != y {
			return fmt.Sprintf("%d lines, now %d:\n%s\n%s", x, y, a, b)
		}
		return ""
	}
	if x, y := words(a), words(b); !slices.Equal(x, y) {
		return fmt.Sprintf("\n%s\nnow\n%s", a, b)
	}
	x, y := number.FindAllString(a, -1), number.FindAllString(b, -1)
	for i := range x {
		if !nearly(x[i], y[i]) {
			return fmt.Sprintf("%s, now %s, in\n%s\nnow\n%s", x[i], y[i], a, b)
		}
	}
	return ""
}

// words returns the text between the numbers, without the blanks before a number, which align its sign.
func words(text string) []string {
	parts := number.Split(text, -1)
	for i, part := range parts {
		parts[i] = strings.TrimRight(part, " ")
	}
	return parts
}

// nearly reports whether two numbers are the same except for rounding.
func nearly(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	if errX != nil || errY != nil {
		return a == b
	}
	unit := 0.0
	mantissa, exponent, _ := strings.Cut(strings.ToLower(a), "e")
	if _, decimals, ok := strings.Cut(mantissa, "."); ok || exponent != "" {
		power, _ := strconv.Atoi(exponent)
		unit = math.Pow10(power - len(decimals))
	}
	return math.Abs(x-y) <= 1.001*unit || math.Abs(x-y) <= tolerance*math.Max(math.Abs(x), math.Abs(y))
}

func TestDiffer(t *testing.T) {
	const shapes = "H (Float32)[32, 512]\nloss 0.0312"
	for _, test := range []struct {
		name, a, b string
		formOnly   bool
		same       bool
	}{
		{"the same", shapes, shapes, false, true},
		{"rounding", shapes, "H (Float32)[32, 512]\nloss 0.0313", false, true},
		{"the sign of zero", "o=  0.00 false", "o= -0.00 false", false, true},
		{"another loss", shapes, "H (Float32)[32, 512]\nloss 0.0412", false, false},
		{"another shape", shapes, "H (Float32)[32, 256]\nloss 0.0312", false, false},
		{"another word", shapes, "H (Float32)[32, 512]\nperplexity 0.0312", false, false},
		{"an output less", shapes, "H (Float32)[32, 512]", false, false},
		{"the last digit of a small number", "0.001", "0.002", false, true},
		{"a power of ten", "2.7e+05", "2.7e+06", false, false},
		{"the last digit of an integer", "length 5", "length 6", false, false},
		{"times", "time 0.23 sec", "time 9.5 sec", true, true},
		{"times, and a line less", "time 0.23 sec\ndone", "time 0.23 sec", true, false},
	} {
		if got := differ(test.a, test.b, test.formOnly); (got == "") != test.same {
			t.Errorf("%s: %q", test.name, got)
		}
	}
}
