package gopls

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"birnn/internal/testall"
	"birnn/kernels/internal/home"
)

// command returns the path of gopls.
func command(t testing.TB) string {
	t.Helper()
	h, err := home.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(h.Bin(), "gopls"), "gopls"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	testall.Missing(t, "gopls: go run ./kernels install")
	return ""
}

func write(t testing.TB, dir, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

// options returns the options for a module in a temporary directory; if work is true, a go.work adds this repository.
func options(t testing.TB, work bool) Options {
	t.Helper()
	gopls := command(t)
	dir := filepath.Join(t.TempDir(), "模块 m") // a path that needs quoting
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, dir, "go.mod", "module m\n\ngo 1.26.5\n")
	if work {
		_, file, _, _ := runtime.Caller(0)
		root := filepath.Join(filepath.Dir(file), "..", "..", "..")
		write(t, dir, "go.work", fmt.Sprintf("go 1.26.5\n\nuse (\n\t.\n\t%q\n)\n", root))
	}
	return Options{Command: gopls, Dir: dir, env: []string{"GOPROXY=off", "GOWORK", "GOFLAGS"}, Log: t.Output()}
}

func start(t testing.TB, opts Options) *Client {
	t.Helper()
	c, err := Start(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// within returns a context with enough time for a call on a slow machine.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// program returns a main.go with declarations and a line with the cursor.
func program(imports, line string) string {
	return "package main\n\n" + imports + `

type tree struct{ 高度 int }

// Grow lets a tree grow.
func (t tree) Grow(years int) tree { return t }

// plant has a comment.
func plant[T any](kind T) tree { return tree{} }

func main() {
	` + line + "\n}\n"
}

func TestComplete(t *testing.T) {
	c := start(t, options(t, false))
	for _, test := range []struct {
		imports, line string
		want          Completion
		replaced      string
	}{
		{"", `s := "你好，😀"; t := tree{}; t.|`, Completion{"Grow", "method", "func(years int) tree"}, ""},
		{"", `s := "你好，😀"; t := tree{}; t.Gr|`, Completion{"Grow", "method", "func(years int) tree"}, "Gr"},
		{"", `s := "😀"; t := tree{}; t.高|`, Completion{"高度", "field", "int"}, "高"},
		{"", "pla|", Completion{"plant", "function", "func(kind T) tree"}, "pla"},
		{"", "pla|nt(1)", Completion{"plant", "function", "func(kind T) tree"}, "plant"},
		{"", "re|", Completion{"return", "keyword", ""}, "re"},
		{`import "strings"`, "strings.Rep|", Completion{"Repeat", "function", "func(s string, count int) string"}, "Rep"},
		{`import "strings"`, "if strings.|", Completion{"ToUpper", "function", "func(s string) string"}, ""},
		{"", "math.|", Completion{"Sqrt", "function", `func (from "math")`}, ""},
		{`import "ma|"`, "", Completion{"math", "module", `"math"`}, "ma"},
	} {
		t.Run(test.imports+test.line, func(t *testing.T) {
			text, offset := cut(t, program(test.imports, test.line))
			matches, from, to, err := c.Complete(within(t), "main.go", text, offset)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(matches, test.want) {
				t.Errorf("got %v, want %v among them", matches, test.want)
			}
			if text[from:to] != test.replaced || from > offset || to < offset {
				t.Errorf("[%d, %d) is replaced, %q, want %q", from, to, text[from:to], test.replaced)
			}
		})
	}

	for _, line := range []string{`s := "tree.|"`, "nosuchthing.|", "var x|"} {
		text, offset := cut(t, program("", line))
		if matches, from, to, err := c.Complete(within(t), "main.go", text, offset); err != nil || len(matches) > 0 || from != offset || to != offset {
			t.Errorf("%s: got %v, [%d, %d), %v, want nothing", line, matches, from, to, err)
		}
	}
	if _, _, _, err := c.Complete(within(t), "main.go", "package main\n", 99); err == nil || errors.Is(err, errEnded) {
		t.Errorf("beyond the end: got error %v", err)
	}
	if !c.Ready() {
		t.Error("it has answered and is not ready")
	}
}

func TestHover(t *testing.T) {
	c := start(t, options(t, false))
	const repeat, sqrt = "```go\nfunc strings.Repeat(s string, count int) string\n```", "```go\nfunc math.Sqrt("
	for _, test := range []struct {
		imports, line string
		want          []string // in this order; if empty, nothing may be found
	}{
		{`import "strings"`, `_ = strings.Rep|eat("你", 3)`, []string{repeat, "Repeat returns a new string consisting of count copies"}},
		{`import "strings"`, `_ = strings.Repeat|("你", 3)`, []string{repeat}},
		{`import "strings"`, `_ = strings.|Repeat("你", 3)`, []string{repeat}},
		{`import "strings"`, `_ = strings.Repeat(|"你", 3)`, []string{repeat}},
		{`import "strings"`, `_ = "😀" + strings.Repeat("你", | 3)`, []string{repeat}},
		{`import "strings"`, `_ = "😀" + strings.Repeat("你", |`, []string{repeat}},
		{`import ("strings"; "math")`, `_ = strings.Repeat("你", int(math.Sqrt(9|)))`, []string{sqrt}},
		{`import "strings"`, `_ = st|rings.Repeat("你", 3)`, []string{"package strings"}},
		{`import "str|ings"`, "", []string{"package strings"}},
		{"", `plant[string](|)`, []string{"func plant(kind string) tree", "plant has a comment."}},
		{"", `s := "你好，😀"; tree{}.Grow(|1); _ = s`, []string{"func (t tree) Grow(years int) tree", "Grow lets a tree grow."}},
		{"", `println(len(|"a"))`, []string{"func len(", "len built-in function returns the length"}},
		{"", `nosuchthing|`, nil},
		{"", `println() |`, nil},
	} {
		t.Run(test.imports+test.line, func(t *testing.T) {
			text, offset := cut(t, program(test.imports, test.line))
			got, found, err := c.Hover(within(t), "main.go", text, offset)
			if err != nil || found != (test.want != nil) {
				t.Fatalf("found %v %q, %v", found, got, err)
			}
			rest := got
			for _, want := range test.want {
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("got %q, want %q in it", got, want)
				}
				rest = after
			}
		})
	}
}

// TestConcurrent asks about different texts of one file concurrently: each answer is for its text.
func TestConcurrent(t *testing.T) {
	c := start(t, options(t, false))
	errs := make(chan error)
	for i := range 20 {
		go func() {
			name := fmt.Sprintf("变量%d", i)
			text, offset := program("", name+" := 1; 变"), 0
			offset = strings.Index(text, "; 变") + len("; 变")
			matches, _, _, err := c.Complete(within(t), "main.go", text, offset)
			if err == nil && !slices.Contains(matches, Completion{name, "variable", "int"}) {
				err = fmt.Errorf("%s is not among %v", name, matches)
			}
			errs <- err
		}()
	}
	for range 20 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// TestWorkspace completes names of this repository's library in another module of the workspace and logs the times.
func TestWorkspace(t *testing.T) {
	begin := time.Now()
	c := start(t, options(t, true))
	t.Logf("started after %v", time.Since(begin))
	select {
	case <-c.session.loaded:
	case <-within(t).Done():
		t.Fatal("not ready after five minutes")
	}
	t.Logf("ready after %v", time.Since(begin))
	text, offset := cut(t, program(`import "birnn/birnnlib"`, "birnnlib.|"))
	for i := range 3 {
		begin := time.Now()
		matches, _, _, err := c.Complete(within(t), "main.go", text, offset)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("answer %d after %v", i+1, time.Since(begin))
		if !slices.ContainsFunc(matches, func(m Completion) bool { return m.Text == "New" && m.Kind == "function" }) {
			t.Errorf("birnnlib.New is not among %v", matches)
		}
	}
	text, offset = cut(t, program(`import "birnn/birnnlib"`, "birnnlib.New(|)"))
	if got, found, err := c.Hover(within(t), "main.go", text, offset); !found || !strings.Contains(got, "bidirectional recurrent network") {
		t.Errorf("got %q, %v", got, err)
	}
	if data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.session.cmd.Process.Pid)); err == nil {
		for line := range strings.Lines(string(data)) {
			if strings.HasPrefix(line, "VmHWM") {
				t.Log("peak memory ", line)
			}
		}
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(t.Context(), Options{Command: filepath.Join(t.TempDir(), "gopls"), Dir: t.TempDir()}); err == nil || !strings.Contains(err.Error(), "kernels install") {
		t.Errorf("got error %v, want what to do", err)
	}
}
