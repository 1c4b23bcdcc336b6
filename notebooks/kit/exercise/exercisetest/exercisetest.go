// Package exercisetest helps to test the checks of exercises.
package exercisetest

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"birnn/notebooks/kit/exercise"
)

// Right checks that an answer is right.
func Right(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("the right answer is refused: %v", err)
	}
}

// Wrong checks that a wrong answer is refused with a hint that contains a text in English, and that there is one in
// Chinese. It logs the hint.
func Wrong(t *testing.T, answer string, err error, hint string) {
	t.Helper()
	f, ok := errors.AsType[exercise.Fault](err)
	switch {
	case err == nil:
		t.Errorf("%s: accepted", answer)
	case !ok:
		t.Errorf("%s: not a Fault: %v", answer, err)
	case !strings.Contains(f.English, hint):
		t.Errorf("%s: the hint has no %q: %s", answer, hint, f.English)
	case !strings.ContainsFunc(f.Chinese, func(r rune) bool { return unicode.Is(unicode.Han, r) }):
		t.Errorf("%s: the hint is not in Chinese: %s", answer, f.Chinese)
	case strings.Contains(f.English+f.Chinese, "%!"):
		t.Errorf("%s: a wrong format: %s %s", answer, f.English, f.Chinese)
	default:
		t.Logf("%s: %s", answer, f.English)
	}
}

// SameAsSolutions checks that the declarations in the solutions of a lesson, such as "01-one-hidden-layer", are those in
// solutions_test.go in the current directory, except for comments.
func SameAsSolutions(t *testing.T, lesson string) {
	t.Helper()
	blob, err := os.ReadFile(filepath.Join("..", "..", "..", "en", "solutions", lesson+".ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	var notebook struct {
		Cells []struct {
			ID       string
			Source   any
			Metadata struct{ Tags []string }
		}
	}
	if err := json.Unmarshal(blob, &notebook); err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("solutions_test.go")
	if err != nil {
		t.Fatal(err)
	}
	tested := declarations(t, string(source))
	for _, cell := range notebook.Cells {
		if !slices.Contains(cell.Metadata.Tags, "exercise") {
			continue
		}
		text, _ := cell.Source.(string)
		if lines, ok := cell.Source.([]any); ok {
			for _, line := range lines {
				text += line.(string)
			}
		}
		text, _, _ = strings.Cut(text, "\n%%")
		solved := declarations(t, "package p\n"+text)
		if len(solved) == 0 {
			t.Errorf("cell %s has no declaration", cell.ID)
		}
		for _, d := range solved {
			if !slices.Contains(tested, d) {
				t.Errorf("cell %s: solutions_test.go has no\n%s", cell.ID, d)
			}
		}
	}
}

// declarations returns the declarations of a Go file except imports, without comments.
func declarations(t *testing.T, source string) (all []string) {
	t.Helper()
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatalf("%v in\n%s", err, source)
	}
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		var b bytes.Buffer
		if err := format.Node(&b, files, d); err != nil {
			t.Fatal(err)
		}
		all = append(all, b.String())
	}
	return all
}
