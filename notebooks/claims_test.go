package notebooks

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"birnn/internal/testall"
)

// A claim is a statement of fact, as the text of a lesson makes it in English and in Chinese, and one thing that shows it.
type claim struct {
	English string `json:"en"`
	Chinese string `json:"zh"`
	Cell    string `json:"cell"`    // the ID of the code cell that fails where the claim is false
	Derived string `json:"derived"` // or of the text that derives it
	Source  string `json:"source"`  // or a source that both texts name
	Broken  *struct {
		Replace string `json:"replace"` // a part of the program of Cell
		By      string `json:"by"`      // makes the claim false
	} `json:"broken"`
}

// fewest says how many claims each lesson must list.
var fewest = map[string]int{
	"00-the-ground":                      22,
	"01-one-hidden-layer":                71,
	"02-why-two-directions":              41,
	"03-several-hidden-layers":           76,
	"04-back-propagation-through-time":   47,
	"05-gates":                           43,
	"06-different-lengths":               42,
	"07-from-the-formula-to-the-machine": 36,
	"08-what-it-is-good-for":             33,
	"09-tags-have-an-order":              24,
	"10-when-not-to-use-one":             34,
}

// unclaimed says why no claim quotes a number, by the ID of its cell and the number.
var unclaimed = map[string]string{
	"lesson1-change-text 0.0001":        "the end of a scale",
	"lesson1-depths-text 0.5":           "a choice",
	"lesson4-truncation-error-text 0.5": "a question",
	"lesson4-vanishing-text 1.5":        "a question",
	"lesson5-training-text 0.167":       "a question",
	"lesson5-both-text 98 %":            "a choice",
	"lesson7-parts-text 100 %":          "the unit of a column",
	"lesson8-segmentation-text 0.12":    "a part of a version",
	"lesson10-table-text 0.01":          "a choice",
}

// claims reads claims.json: the claims of each lesson, by its name.
func claims(t *testing.T) (all map[string][]claim) {
	t.Helper()
	f, err := os.Open("claims.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := json.NewDecoder(f)
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestClaims checks the claims of all lessons.
func TestClaims(t *testing.T) {
	all := claims(t)
	for name, n := range fewest {
		if len(all[name]) < n {
			t.Errorf("%s lists %d claims, want at least %d", name, len(all[name]), n)
		}
	}
	names := lessons(t)
	for name, list := range all {
		if !slices.Contains(names, name+".ipynb") {
			t.Errorf("there is no lesson %s", name)
			continue
		}
		zh, en := read(t, filepath.Join("zh", name+".ipynb")), read(t, filepath.Join("en", name+".ipynb"))
		seen := map[string]bool{}
		for _, c := range list {
			if fault := c.fault(zh, en); fault != "" {
				t.Errorf("%s: %q %s", name, c.English, fault)
			}
			if seen[c.English] || seen[c.Chinese] {
				t.Errorf("%s: %q is there twice", name, c.English)
			}
			seen[c.English], seen[c.Chinese] = true, true
		}
	}
}

// fault says what is wrong with a claim of a lesson; "" if it is right.
func (c claim) fault(zh, en *notebook) string {
	quoted := func(english *cell) bool {
		chinese := zh.find(english.ID)
		return english.Type == "markdown" && chinese != nil &&
			strings.Contains(plain(english.Source), c.English) && strings.Contains(plain(chinese.Source), c.Chinese)
	}
	cell, text := en.find(c.Cell), en.find(c.Derived)
	switch {
	case c.English == "" || c.Chinese == "" || !slices.ContainsFunc(en.Cells, quoted):
		return "is not quoted from one cell in both languages"
	case (c.Cell != "" && c.Derived != "") || (c.Cell == "" && c.Derived == "") == (c.Source == ""):
		return "needs one of a cell, a derivation and a source"
	case c.Source != "":
		if !zh.says(c.Source) || !en.says(c.Source) {
			return "has a source that the text does not name"
		}
	case c.Derived != "":
		if text == nil || text.Type != "markdown" {
			return "is derived where there is no text"
		}
	case cell == nil || cell.Type != "code":
		return "is shown by a cell that does not exist"
	case !checked.MatchString(cell.program()) && !slices.Contains(cell.Meta.Tags, exerciseCheck):
		return "is shown by a cell that cannot fail"
	}
	if b := c.Broken; b != nil && (cell == nil || b.Replace == b.By || strings.Count(cell.program(), b.Replace) != 1) {
		return "is broken at a text that its cell does not have once"
	}
	return ""
}

var checked = regexp.MustCompile(`\bcheck\.Fatalf?\(`)

// find returns the cell with an ID, or nil.
func (n *notebook) find(id string) *cell {
	if i := slices.IndexFunc(n.Cells, func(c *cell) bool { return c.ID == id }); i >= 0 {
		return n.Cells[i]
	}
	return nil
}

// says reports whether a text cell contains the words.
func (n *notebook) says(words string) bool {
	return slices.ContainsFunc(n.Cells, func(c *cell) bool {
		return c.Type == "markdown" && strings.Contains(plain(c.Source), words)
	})
}

// program returns the statements of a code cell.
func (c *cell) program() string {
	_, program, _ := strings.Cut("\n"+string(c.Source), "\n%%\n")
	return program
}

// plain returns a text with one space for each blank part.
func plain(source lines) string { return strings.Join(strings.Fields(string(source)), " ") }

func TestClaimFaults(t *testing.T) {
	lesson := func(text string) *notebook {
		return &notebook{Cells: []*cell{
			{Type: "markdown", ID: "text", Source: lines(text)},
			{Type: "code", ID: "check", Source: "x := 1\n%%\ncheck.Fatal(x, x+1)"},
			{Type: "code", ID: "declared", Source: "func f() { check.Fatal() }\n%%\nf()"},
		}}
	}
	zh, en := lesson("一加\n一等于二。\n\nPeano"), lesson("One and\none is two.\n\nPeano")
	right := claim{English: "One and one is two.", Chinese: "一加 一等于二。", Cell: "check"}
	for _, test := range []struct {
		want   string
		change func(c *claim)
	}{
		{"", func(*claim) {}},
		{"", func(c *claim) { c.Cell, c.Derived = "", "text" }},
		{"", func(c *claim) { c.Cell, c.Source = "", "Peano" }},
		{"not quoted", func(c *claim) { c.English = "One and one is three." }},
		{"not quoted", func(c *claim) { c.Chinese = "" }},
		{"needs one", func(c *claim) { c.Cell = "" }},
		{"needs one", func(c *claim) { c.Derived = "text" }},
		{"needs one", func(c *claim) { c.Source = "Peano" }},
		{"not name", func(c *claim) { c.Cell, c.Source = "", "Euclid" }},
		{"no text", func(c *claim) { c.Cell, c.Derived = "", "check" }},
		{"does not exist", func(c *claim) { c.Cell = "text" }},
		{"cannot fail", func(c *claim) { c.Cell = "declared" }},
	} {
		c := right
		test.change(&c)
		if got := c.fault(zh, en); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("%+v: %q, want %q", c, got, test.want)
		}
	}
	for replace, fine := range map[string]bool{"x+1": true, "x": false, "x := 1": false} {
		c := right
		if err := json.Unmarshal(fmt.Appendf(nil, `{"broken": {"replace": %q, "by": "y"}}`, replace), &c); err != nil {
			t.Fatal(err)
		}
		if got := c.fault(zh, en); (got == "") != fine {
			t.Errorf("%q replaced: %q", replace, got)
		}
	}
}

// figured matches the numbers of a text that a program may have printed: those with a decimal point, and percentages.
var figured = regexp.MustCompile(`\d+\.\d+|\d+ %`)

// aside matches what holds no claim: code, and where links and pictures lead.
var aside = regexp.MustCompile("`[^`]*`|\\]\\([^)]*\\)")

// TestFiguresClaimed checks that claims quote all numbers with a decimal point, and all percentages, before the exercises.
func TestFiguresClaimed(t *testing.T) {
	all := claims(t)
	for name := range fewest {
		for _, cell := range read(t, filepath.Join("en", name+".ipynb")).Cells {
			if cell.Type != "markdown" {
				continue
			}
			text, _, last := strings.Cut(plain(cell.Source), "## Exercises")
			for _, c := range all[name] {
				text = strings.ReplaceAll(text, c.English, "")
			}
			for _, figure := range figured.FindAllString(aside.ReplaceAllString(text, ""), -1) {
				if unclaimed[cell.ID+" "+figure] == "" {
					t.Errorf("%s, cell %s: no claim quotes %s", name, cell.ID, figure)
				}
			}
			if last {
				break
			}
		}
	}
}

// TestLongClaimsBroken makes claims false, one at a time, and checks that their cells fail. It runs the declarations of a
// lesson, and then a copy of each of these cells with a part of its program replaced.
func TestLongClaimsBroken(t *testing.T) {
	testall.Long(t)
	kernels := filepath.Join(t.TempDir(), "kernels")
	if out, err := exec.Command("go", "build", "-o", kernels, "../kernels").CombinedOutput(); err != nil {
		t.Fatalf("go build ./kernels: %v\n%s", err, out)
	}
	for name, list := range claims(t) {
		t.Run(name, func(t *testing.T) {
			var sources []string
			en := read(t, filepath.Join("en", name+".ipynb"))
			for _, cell := range en.Cells {
				declared, _, _ := strings.Cut("\n"+string(cell.Source), "\n%%\n")
				if exercise := strings.Contains(cell.ID, "-exercise-"); cell.Type == "code" && !exercise && strings.TrimSpace(declared) != "" {
					sources = append(sources, declared)
				}
			}
			declarations := len(sources)
			for _, c := range list {
				if c.Broken != nil {
					sources = append(sources, "%%\n"+strings.Replace(en.find(c.Cell).program(), c.Broken.Replace, c.Broken.By, 1))
				}
			}
			if len(sources) < declarations+3 {
				t.Fatalf("%d claims are broken, want at least 3", len(sources)-declarations)
			}
			path, executed := filepath.Join(t.TempDir(), name+".ipynb"), t.TempDir()
			write(t, path, sources, "raises-exception")
			run := exec.Command(kernels, "run", "-kernel", "birnn-xla", "-o", executed, path)
			run.Dir = ".."
			if out, err := run.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			for i, cell := range read(t, filepath.Join(executed, name+".ipynb")).Cells {
				failed := slices.ContainsFunc(cell.Outputs, func(o output) bool { return o.Type == "error" })
				if want := i >= declarations; failed != want || want && !strings.Contains(cell.shown(), "✗ ") {
					t.Errorf("this cell should fail: %t\n%s\n%s", want, cell.Source, cell.shown())
				}
			}
		})
	}
}
