package jupyter

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func write(t *testing.T, content string, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLessons(t *testing.T) {
	root := t.TempDir()
	en1 := write(t, "", root, "notebooks", "en", "01-a.ipynb")
	zh2 := write(t, "", root, "notebooks", "zh", "02-b.ipynb")
	zh1 := write(t, "", root, "notebooks", "zh", "01-a.ipynb")
	zh0 := write(t, "", root, "notebooks", "zh", "00-z.ipynb")
	write(t, "", root, "notebooks", "zh", ".ipynb_checkpoints", "01-a-checkpoint.ipynb")
	write(t, "", root, "notebooks", "zh", "notes.txt")
	got, err := Lessons(root)
	if err != nil || !slices.Equal(got, []string{zh0, zh1, zh2, en1}) {
		t.Errorf("got %q, %v", got, err)
	}
	if got := FirstLesson(root, "zh"); got != zh0 {
		t.Errorf("the first in Chinese is %q", got)
	}
	if got := FirstLesson(root, "fr"); got != "" {
		t.Errorf("the first in French is %q", got)
	}
}

func TestLessonLanguage(t *testing.T) {
	for _, test := range []struct {
		asked string
		env   map[string]string
		want  string // "" for an error
	}{
		{"", nil, "en"},
		{"", map[string]string{"LANG": "zh_CN.UTF-8"}, "zh"},
		{"", map[string]string{"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"},
		{"", map[string]string{"LANG": "de_DE.UTF-8", "LC_MESSAGES": "zh_TW"}, "zh"},
		{"en", map[string]string{"LANG": "zh_CN.UTF-8"}, "en"},
		{"fr", nil, ""},
	} {
		got, err := LessonLanguage(test.asked, func(key string) string { return test.env[key] })
		if got != test.want || (err != nil) != (test.want == "") {
			t.Errorf("LessonLanguage(%q, %v) = %q, %v; want %q", test.asked, test.env, got, err, test.want)
		}
	}
}

func TestImports(t *testing.T) {
	cell := `import (
	"fmt"
	. "github.com/gomlx/gomlx/core/graph"
	_ "github.com/gomlx/compute/gobackend" // registers it
	mnist "example.com/a-b/v2"
)
import "birnn/birnnlib"
var path = "github.com/not/imported"
func f() { fmt.Println("birnn/not/imported either") }
`
	notebook := func(source any) string {
		data, err := json.Marshal(map[string]any{"cells": []any{
			map[string]any{"cell_type": "markdown", "source": `"github.com/in/text"`},
			map[string]any{"cell_type": "code", "source": source},
		}})
		if err != nil {
			t.Fatal(err)
		}
		return write(t, string(data), t.TempDir(), "n.ipynb")
	}
	want := []string{"birnn/birnnlib", "example.com/a-b/v2", "github.com/gomlx/compute/gobackend", "github.com/gomlx/gomlx/core/graph"}
	got, err := Imports([]string{notebook(cell), notebook([]string{"import \"birnn/birnnlib\"\n", "x := 1"})})
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v\nwant %q", got, err, want)
	}
	if _, err := Imports([]string{write(t, "{", t.TempDir(), "bad.ipynb")}); err == nil {
		t.Error("a file that is no notebook goes unnoticed")
	}
}
