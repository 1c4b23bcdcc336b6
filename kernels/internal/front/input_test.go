//go:build unix

package front

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// TestInput runs cells that read their standard input: the client is asked for each line, which is "typed".
func TestInput(t *testing.T) {
	t.Parallel()
	k := start(t)
	const plain = `{"prompt":"","password":false}`
	for _, step := range []struct {
		code, stdout string
		asked        []string
	}{
		{"var name string\nfmt.Print(\"name? \")\nfmt.Scanln(&name)\nfmt.Println(\"hello\", name)", "name? hello typed\n", []string{plain}},
		{"%%\nlines := bufio.NewScanner(os.Stdin)\nfor range 3 { lines.Scan(); fmt.Println(lines.Text()) }", "typed\ntyped\ntyped\n", []string{plain, plain, plain}},
		{"!read x; (read y; echo $x $y)", "typed typed\n", []string{plain, plain}},
		{"import \"github.com/janpfeifer/gonb/gonbui\"\n%%\nvar w string\ngonbui.RequestInput(\"word\", true)\nfmt.Scanln(&w)\nfmt.Println(w)", "typed\n", []string{`{"prompt":"word","password":true}`}},
		{"%with_inputs\n!read x; echo got $x", "got typed\n", []string{`{"password":false,"prompt":" "}`}},
		{"%%bash\nread x\nnext line\necho got $x", "got next line\n", nil},
		{"time.Sleep(500 * time.Millisecond)\nfmt.Println(1)", "1\n", nil},
	} {
		o := k.run(step.code)
		if asked := k.takeAsked(); o.stdout != step.stdout || !slices.Equal(asked, step.asked) {
			t.Errorf("%s: asked %q, %+v", step.code, asked, o)
		}
	}
}

// TestNoInput runs a cell that reads its standard input in a client that cannot ask: it gets the end of the input.
func TestNoInput(t *testing.T) {
	t.Parallel()
	k := start(t)
	for _, code := range []string{
		"var name string\n_, err := fmt.Scanln(&name)\nfmt.Println(err)",
		"import \"github.com/janpfeifer/gonb/gonbui\"\n%%\ngonbui.RequestInput(\"word\", false)\nvar name string\n_, err := fmt.Scanln(&name)\nfmt.Println(err)",
		"!read x || echo EOF",
	} {
		a := k.ask(k.Sockets.Shell, "execute_request", map[string]any{
			"code": code, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": false, "stop_on_error": true,
		})
		o := k.outcome(a, time.Now())
		if asked := k.takeAsked(); !strings.Contains(o.stdout, "EOF\n") || !strings.Contains(o.stderr, "waits for input") || len(asked) > 0 {
			t.Errorf("%s: asked %q, %+v", code, asked, o)
		}
	}
}
