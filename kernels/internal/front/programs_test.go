//go:build unix

package front

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"birnn/internal/testall"
)

// parts is the number of parts of Go's test programs, so that a check can run one of them.
const parts = 3

// TestGoPrograms runs a few of Go's test programs.
func TestGoPrograms(t *testing.T) {
	t.Parallel()
	folder := goTests(t)
	k := start(t)
	for _, name := range []string{"interface/receiver.go", "typeparam/sets.go"} {
		t.Run(name, func(t *testing.T) { compareProgram(t, k, filepath.Join(folder, name)) })
	}
}

// TestLongGoPrograms runs Go's test programs, each as a cell, all in one session: a cell prints and ends as the program
// does with "go run", whatever ran before it. Then cells declare programs, and the next ones call them.
func TestLongGoPrograms(t *testing.T) {
	testall.Long(t)
	files := goPrograms(t)
	k := start(t)
	for part := range parts {
		t.Run(fmt.Sprint(part), func(t *testing.T) {
			for i := part; i < len(files); i += parts {
				name, _ := filepath.Rel(filepath.Dir(filepath.Dir(files[i])), files[i])
				t.Run(name, func(t *testing.T) { compareProgram(t, k, files[i]) })
				if i/parts%8 == 0 {
					t.Run(name+" called", func(t *testing.T) { compareCalled(t, k, files[i]) })
				}
			}
		})
	}
}

// goTests returns the folder of Go's test programs. An installation of Go has it, but not the Go that the go command
// downloads as a module.
func goTests(t *testing.T) string {
	t.Helper()
	root, _ := exec.Command("go", "env", "GOROOT").Output()
	roots := []string{strings.TrimSpace(string(root)), "/usr/local/go", "/usr/lib/go", "/usr/share/go", "/opt/homebrew/opt/go/libexec"}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if command, err := filepath.EvalSymlinks(filepath.Join(dir, "go")); err == nil {
			roots = append(roots, filepath.Dir(filepath.Dir(command)))
		}
	}
	for _, root := range roots {
		if folder := filepath.Join(root, "test"); root != "" && exists(filepath.Join(folder, "ken")) {
			return folder
		}
	}
	testall.Missing(t, "Go's test programs, in no test folder of %s: install Go from go.dev/dl; the Go that the go command downloads lacks them", strings.Join(roots, ", "))
	return ""
}

func exists(name string) bool { _, err := os.Stat(name); return err == nil }

// goPrograms returns Go's test programs that only run, without flags and further files.
func goPrograms(t *testing.T) (files []string) {
	t.Helper()
	for _, dir := range []string{"chan", "interface", "ken", "typeparam"} {
		all, _ := filepath.Glob(filepath.Join(goTests(t), dir, "*.go"))
		for _, name := range all {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if bytes.HasPrefix(data, []byte("// run\n")) {
				files = append(files, name)
			}
		}
	}
	if len(files) < 150 {
		t.Fatalf("only %d programs in %s", len(files), goTests(t))
	}
	return files
}

// goRunStatus is what "go run" adds to the errors of a program that fails.
var goRunStatus = regexp.MustCompile(`(?m)^exit status \d+\n`)

// compareProgram runs a program with "go run" and as a cell.
func compareProgram(t *testing.T, k *kernel, file string) {
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, file, k.run(string(source)))
}

var mainFunction = regexp.MustCompile(`(?m)^func\s+main\(\)`)

// compareCalled declares a program in a cell and calls it in the next.
func compareCalled(t *testing.T, k *kernel, file string) {
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if o := k.run(mainFunction.ReplaceAllString(string(source), "func theProgram()")); o.status != "ok" {
		t.Fatalf("its declarations: %s: %s\n%s", o.name, o.value, o.traceback)
	}
	compare(t, file, k.run("theProgram()"))
}

func compare(t *testing.T, file string, o outcome) {
	t.Helper()
	cmd := exec.Command(goCommand(), "run", file)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	if failed := err != nil; failed != (o.status != "ok") {
		t.Fatalf("go run ended with %v, the cell with %s: %s\n%s", err, o.name, o.value, o.traceback)
	}
	if want := stdout.String(); o.stdout != want {
		t.Errorf("stdout is %q, want %q", o.stdout, want)
	}
	if want := goRunStatus.ReplaceAllString(stderr.String(), ""); err == nil && o.stderr != want {
		t.Errorf("stderr is %q, want %q", o.stderr, want)
	}
}
