//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestQuick builds a cell in a workspace with a module that may change, as GoNB does.
func TestQuick(t *testing.T) {
	command, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	lib, dir, temp := t.TempDir(), t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", temp)
	write := func(dir, name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(lib, "go.mod", "module lib\n\ngo 1.26\n")
	write(lib, "lib.go", "package lib\n\nconst Name = \"one\"\n")
	write(dir, "go.mod", "module cell\n\ngo 1.26\n")
	write(dir, "go.work", "go 1.26\n\nuse (\n\t.\n\t"+lib+"\n)\n")
	t.Setenv("GOFLAGS", "-buildvcs=false")
	t.Setenv("GOWORK", "")
	b := builder{command: command, dir: dir, output: filepath.Join(dir, "program"), args: []string{"build", "-o", filepath.Join(dir, "program"), "."}}

	main := func(imports, body string) string {
		return "package main\n\nimport (\n" + imports + "\n)\n\nfunc main() { " + body + " }\n"
	}
	for _, test := range []struct {
		name, change string // of the library
		program      string
		can, done    bool
		prints       string
	}{
		{"the first", "", main(`"fmt"; "lib"`, `fmt.Println(lib.Name, 1)`), false, false, "one 1"},
		{"whose library was built with it", "", main(`"fmt"; "lib"`, `fmt.Println(lib.Name, 2)`), false, false, "one 2"},
		{"another program", "", main(`"fmt"; "lib"`, `fmt.Println(lib.Name, 2)`), true, true, "one 2"},
		{"fewer imports", "", main(`"fmt"`, `fmt.Println(3)`), true, true, "3"},
		{"with a package that another one imports", "", main(`"os"; "lib"`, `os.Stdout.WriteString(lib.Name)`), true, true, "one"},
		{"an import that is new", "", main(`"fmt"; "html"`, `fmt.Println(html.EscapeString("<"))`), false, false, "&lt;"},
		{"what was there before is still", "", main(`"fmt"; "html"; "lib"`, `fmt.Println(lib.Name, html.EscapeString("<"))`), true, true, "one &lt;"},
		{"one that does not compile", "", main(`"fmt"`, `fmt.Println(x)`), true, false, ""},
		{"with a directive", "", main(`_ "embed"`, `println()`) + "\n//go:embed go.mod\nvar mod string\n", false, false, ""},
		{"the library has changed", "package lib\n\nconst Name = \"another\"\n", main(`"fmt"; "lib"`, `fmt.Println(lib.Name, 4)`), false, false, "another 4"},
		{"and was built", "", main(`"fmt"; "lib"`, `fmt.Println(lib.Name, 6)`), false, false, "another 6"},
		{"and stays so", "", main(`"fmt"; "lib"`, `fmt.Println(lib.Name, 5)`), true, true, "another 5"},
	} {
		if test.change != "" {
			write(lib, "lib.go", test.change)
		}
		write(dir, "main.go", test.program)
		os.Remove(b.output)
		can, done := b.quick()
		if can != test.can || done != test.done {
			t.Errorf("%s: can %t, done %t; want %t, %t", test.name, can, done, test.can, test.done)
		}
		if !can && !b.record() {
			t.Errorf("%s: the go command does not build it", test.name)
		}
		if test.prints == "" {
			continue
		}
		out, err := exec.Command(b.output).CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != test.prints {
			t.Errorf("%s: it prints %q, %v; want %q", test.name, out, err, test.prints)
		}
	}
	// A file that is saved during a build may differ from what was built.
	if err := os.Chtimes(filepath.Join(lib, "lib.go"), time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if !b.record() {
		t.Error("the go command does not build it")
	}
	if can, _ := b.quick(); can {
		t.Error("a file that has changed since the build began goes unnoticed")
	}
	write(lib, "lib.go", "package lib\n\nconst Name = \"last\"\n")
	for _, body := range []string{`fmt.Println(lib.Name, 7)`, `fmt.Println(lib.Name, 8)`} { // the first build compiles the library, the second reuses it
		write(dir, "main.go", main(`"fmt"; "lib"`, body))
		if !b.record() {
			t.Error("the go command does not build it")
		}
	}
	if can, done := b.quick(); !can || !done {
		t.Error("the build cannot be repeated any more")
	}
	write(dir, "go.mod", "module cell\n\ngo 1.25\n")
	if can, _ := b.quick(); can {
		t.Error("another go.mod goes unnoticed")
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestQuickHere repeats a build with this repository in the workspace, of whose modules the module cache has only what is
// needed, and no network.
func TestQuickHere(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOWORK", "")
	t.Setenv("GOFLAGS", "-buildvcs=false")
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	command, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":  "module cell\n\ngo 1.26.5\n",
		"go.work": "go 1.26.5\n\nuse (\n\t.\n\t" + root + "\n)\n",
		"main.go": "package main\n\nimport _ \"birnn/birnnlib/lower\"\n\nfunc main() {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	b := builder{command: command, dir: dir, output: filepath.Join(dir, "program"), args: []string{"build", "-o", filepath.Join(dir, "program")}}
	for range 2 { // the first may compile packages
		if !b.record() {
			t.Fatal("the go command does not build it")
		}
	}
	if can, done := b.quick(); !can || !done {
		t.Errorf("can %t, done %t", can, done)
	}
}

// TestAnotherProgram checks that the go command does not take the program of another cell for one that it has built before.
func TestAnotherProgram(t *testing.T) {
	t.Setenv("GOFLAGS", "-buildvcs=false")
	t.Setenv("GOWORK", "")
	command, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	b := builder{command: command, dir: dir, output: filepath.Join(dir, "program"), args: []string{"build", "-o", filepath.Join(dir, "program")}}
	for _, step := range []struct{ mod, prints string }{{"", "a"}, {"", "b"}, {"// changed\n", "a"}} { // recorded, repeated, recorded
		for name, text := range map[string]string{
			"go.mod":  "module cell\n\ngo 1.26\n" + step.mod,
			"main.go": fmt.Sprintf("package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(%q) }\n", step.prints),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if !b.build() {
			t.Fatal("it is not built")
		}
		if out, err := exec.Command(b.output).Output(); err != nil || string(out) != step.prints+"\n" {
			t.Errorf("it prints %q, %v; want %s", out, err, step.prints)
		}
	}
}
