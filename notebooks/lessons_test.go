// Package notebooks holds the lessons, in Chinese (zh) and in English (en). Its tests keep the two consistent.
package notebooks

import (
	"cmp"
	"encoding/json"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notebook is the part of the Jupyter notebook format 4 that the tests need.
type notebook struct {
	Cells    []*cell `json:"cells"`
	Metadata struct {
		Kernelspec struct {
			Name string `json:"name"`
		} `json:"kernelspec"`
	} `json:"metadata"`
}

type cell struct {
	Type string `json:"cell_type"`
	ID   string `json:"id"`
	Meta struct {
		Tags []string `json:"tags"`
	} `json:"metadata"`
	Source  lines    `json:"source"`
	Outputs []output `json:"outputs"`
}

type output struct {
	Type string                     `json:"output_type"`
	Text lines                      `json:"text"`
	Data map[string]json.RawMessage `json:"data"`
}

// lines is a text that may be stored as a list of lines.
type lines string

func (l *lines) UnmarshalJSON(blob []byte) error {
	var list []string
	if err := json.Unmarshal(blob, &list); err == nil {
		*l = lines(strings.Join(list, ""))
		return nil
	}
	return json.Unmarshal(blob, (*string)(l))
}

func read(t *testing.T, path string) *notebook {
	t.Helper()
	blob, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var n notebook
	if err := json.Unmarshal(blob, &n); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &n
}

// lessons lists the lessons' file names, the same in both languages.
func lessons(t *testing.T) []string {
	t.Helper()
	list := func(lang string) (names []string) {
		paths, err := filepath.Glob(filepath.Join(lang, "*.ipynb"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			names = append(names, filepath.Base(path))
		}
		return names
	}
	for _, lang := range []string{"zh", "en"} {
		for _, name := range list(filepath.Join(lang, "solutions")) {
			if _, err := os.Stat(filepath.Join(lang, name)); err != nil {
				t.Errorf("%s has solutions of a missing lesson: %s", lang, name)
			}
		}
	}
	zh, en := list("zh"), list("en")
	if len(zh) == 0 || !slices.Equal(zh, en) {
		t.Fatalf("the lessons are %q in Chinese and %q in English; they must be the same, and not empty", zh, en)
	}
	return zh
}

// solutions lists the lessons that have solutions.
func solutions(t *testing.T) (names []string) {
	for _, name := range lessons(t) {
		if _, err := os.Stat(filepath.Join("en", "solutions", name)); err == nil {
			names = append(names, filepath.Join("solutions", name))
		}
	}
	return names
}

// TestSameInBothLanguages compares the cells of each lesson: their kinds and order, their code except strings and
// comments, the levels of headings, the pictures, the formulas, and the numbers in the outputs.
func TestSameInBothLanguages(t *testing.T) {
	for _, name := range append(lessons(t), solutions(t)...) {
		zh, en := read(t, filepath.Join("zh", name)), read(t, filepath.Join("en", name))
		if len(zh.Cells) != len(en.Cells) {
			t.Fatalf("%s has %d cells in Chinese and %d in English", name, len(zh.Cells), len(en.Cells))
		}
		for i := range zh.Cells {
			a, b := zh.Cells[i], en.Cells[i]
			if a.Type != b.Type || a.ID != b.ID {
				t.Errorf("%s, cell %d: %s %s in Chinese, %s %s in English", name, i, a.Type, a.ID, b.Type, b.ID)
				continue
			}
			of := code
			if a.Type == "markdown" {
				of = skeleton
			}
			if x, y := of(string(a.Source)), of(string(b.Source)); !slices.Equal(x, y) {
				t.Errorf("%s, cell %d differs:\nChinese %q\nEnglish %q", name, i, x, y)
			}
			if x, y := figures(a), figures(b); !slices.EqualFunc(x, y, nearly) && !slices.Contains(a.Meta.Tags, varies) {
				t.Errorf("%s, cell %d prints different numbers:\nChinese %q\nEnglish %q", name, i, x, y)
			}
		}
	}
}

// figures returns the sorted numbers in the outputs of a cell: the word order may differ between languages.
func figures(c *cell) []string {
	all := number.FindAllString(c.shown(), -1)
	slices.SortFunc(all, func(a, b string) int {
		x, _ := strconv.ParseFloat(a, 64) // else the numbers would not match
		y, _ := strconv.ParseFloat(b, 64)
		return cmp.Compare(x, y)
	})
	return all
}

// code returns the tokens of Go code without the text of strings and comments, and without the language in which the
// check of an exercise answers. Lines for GoNB, which start with % or !, are kept unchanged.
func code(source string) (tokens []string) {
	source = strings.ReplaceAll(source, "exercise.Chinese(", "exercise.English(")
	for part := range strings.SplitSeq(source, "\n%") {
		var s scanner.Scanner
		file := token.NewFileSet()
		s.Init(file.AddFile("", -1, len(part)), []byte(part), func(token.Position, string) {}, 0)
		for {
			_, tok, literal := s.Scan()
			if tok == token.EOF {
				break
			}
			if tok == token.STRING && !strings.Contains(literal, "/") { // paths of imports stay
				literal = `""`
			}
			tokens = append(tokens, tok.String()+" "+literal)
		}
		tokens = append(tokens, "%")
	}
	return tokens
}

var (
	heading = regexp.MustCompile(`(?m)^(#+) `)
	picture = regexp.MustCompile(`!\[([^\]]*)\]\(([^)]*)\)`)
	formula = regexp.MustCompile(`(?s)\$\$.*?\$\$`)
)

// skeleton returns the parts of the prose that do not depend on the language.
func skeleton(source string) (parts []string) {
	for _, m := range heading.FindAllStringSubmatch(source, -1) {
		parts = append(parts, m[1])
	}
	for _, m := range picture.FindAllStringSubmatch(source, -1) {
		parts = append(parts, m[2])
	}
	return append(parts, formula.FindAllString(source, -1)...)
}

// rejected matches the terms that the terminology rejects: “不说“递归””.
var rejected = regexp.MustCompile(`不说“([^”]+)”`)

// spaced matches a space between Chinese and Latin letters, except those that Markdown needs.
var spaced = regexp.MustCompile(`\p{Han} [A-Za-z0-9$]|[A-Za-z0-9$] \p{Han}`)

var (
	punctuated = regexp.MustCompile(`\p{P}$`)
	lettered   = regexp.MustCompile(`^[\p{L}\p{N}]`)
)

// TestTerms checks that the Chinese text follows TERMINOLOGY.md.
func TestTerms(t *testing.T) {
	terms, err := os.ReadFile("TERMINOLOGY.md")
	if err != nil {
		t.Fatal(err)
	}
	words := rejected.FindAllStringSubmatch(string(terms), -1)
	if len(words) == 0 {
		t.Fatal("TERMINOLOGY.md rejects no word")
	}
	for _, name := range append(lessons(t), solutions(t)...) {
		for _, cell := range read(t, filepath.Join("zh", name)).Cells {
			if cell.Type != "markdown" {
				continue
			}
			for _, word := range words {
				if strings.Contains(string(cell.Source), word[1]) {
					t.Errorf("zh/%s, cell %s, says %s; see TERMINOLOGY.md", name, cell.ID, word[1])
				}
			}
			// In Markdown, ** between punctuation and a letter does not end bold text.
			parts := strings.Split(string(cell.Source), "**")
			for i := 1; i+1 < len(parts); i += 2 {
				if punctuated.MatchString(parts[i]) && lettered.MatchString(parts[i+1]) {
					t.Errorf("zh/%s, cell %s: **%s** ends in punctuation and will not be bold; move the punctuation after the **", name, cell.ID, parts[i])
				}
			}
			if space := spaced.FindString(string(cell.Source)); space != "" {
				t.Errorf("zh/%s, cell %s, has a space between Chinese and Latin letters: %q", name, cell.ID, space)
			}
		}
	}
}

// TestExecuted checks that the committed lessons were executed by the kernel birnn-xla on the embedded text, with
// outputs and without errors.
func TestExecuted(t *testing.T) {
	for _, name := range lessons(t) {
		for _, lang := range []string{"zh", "en"} {
			path := filepath.Join(lang, name)
			n := read(t, path)
			if got := n.Metadata.Kernelspec.Name; got != "birnn-xla" {
				t.Errorf("%s is for the kernel %q, want birnn-xla", path, got)
			}
			outputs, pictures := 0, 0
			var printed strings.Builder
			for i, cell := range n.Cells {
				if slices.Contains(cell.Meta.Tags, exerciseCheck) {
					continue // see TestExercises
				}
				for _, o := range cell.Outputs {
					outputs++
					printed.WriteString(string(o.Text))
					if o.Type == "error" {
						t.Errorf("%s, cell %d ended in an error", path, i)
					}
					if _, ok := o.Data["image/png"]; ok {
						pictures++
						if _, ok := o.Data["text/plain"]; !ok {
							t.Errorf("%s, cell %d: a picture has no alternative text", path, i)
						}
					}
				}
				if strings.Contains(string(cell.Source), "corpusPath") && strings.Contains(string(cell.Source), "const") &&
					!strings.Contains(string(cell.Source), `const corpusPath = ""`) {
					t.Errorf("%s, cell %d reads a corpus that must not be committed", path, i)
				}
			}
			if outputs == 0 || pictures == 0 || !strings.Contains(printed.String(), "backend xla:cpu, device cpu:0") {
				t.Errorf("%s has %d outputs and %d pictures; run it with the kernel birnn-xla before committing", path, outputs, pictures)
			}
		}
	}
}

// TestCells limits the length of cells, so that each has one idea, and checks that they run on plain GoNB, which fails
// on a dot import that no declaration uses.
func TestCells(t *testing.T) {
	const longest = 33 // lines; about 25 is the aim
	for _, name := range append(lessons(t), solutions(t)...) {
		for _, cell := range read(t, filepath.Join("en", name)).Cells {
			if cell.Type != "code" {
				continue
			}
			source := string(cell.Source)
			if lines := strings.Count(source, "\n") + 1; lines > longest {
				t.Errorf("%s, cell %s has %d lines, want at most %d; split it", name, cell.ID, lines, longest)
			}
			declared, _, _ := strings.Cut(source, "%%")
			if strings.Contains(declared, `. "github.com/`) && !strings.Contains(declared, "\nfunc ") {
				t.Errorf("%s, cell %s has a dot import and no function that uses it", name, cell.ID)
			}
		}
	}
}
