//go:build unix

package front

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// shown returns what a cell has shown, in order: printed lines, and displays in Markdown.
func (a *answer) shown() (lines []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	printed := ""
	flush := func() {
		lines = append(lines, strings.Split(strings.TrimSuffix(printed, "\n"), "\n")...)
		printed = ""
	}
	for _, m := range a.published {
		var content struct {
			Text string                     `json:"text"`
			Data map[string]json.RawMessage `json:"data"`
		}
		m.Read(&content)
		switch m.Header.Type {
		case "stream":
			printed += content.Text
		case "display_data":
			if printed != "" {
				flush()
			}
			var text string
			json.Unmarshal(content.Data["text/markdown"], &text)
			lines = append(lines, text)
		}
	}
	if printed != "" {
		flush()
	}
	return lines
}

// TestDisplays checks that no display is lost at the end of a program, and that displays and prints stay in order.
func TestDisplays(t *testing.T) {
	t.Parallel()
	k := start(t)
	const n = 300
	burst := fmt.Sprintf("import \"github.com/janpfeifer/gonb/gonbui\"\n%%%%\nfor i := range %d { gonbui.DisplayMarkdown(fmt.Sprint(i)) }\nos.Exit(0)", n)
	if o := k.run(burst); o.status != "ok" || o.displays != n {
		t.Errorf("%d of %d displays arrived: %+v", o.displays, n, o)
	}
	mixed := k.send(fmt.Sprintf(`%%%%
for i := range %d {
	fmt.Println("before", i)
	gonbui.DisplayMarkdown(fmt.Sprint("display ", i))
	fmt.Println("after", i)
	fmt.Fprintln(os.Stderr, "error", i)
	gonbui.DisplayMarkdown(fmt.Sprint("second ", i))
	fmt.Println("last", i)
}`, n/10))
	if o := k.outcome(mixed, time.Now()); o.status != "ok" {
		t.Fatalf("%+v", o)
	}
	// Standard output and standard error are two pipes: each is in order with the displays.
	for name, lines := range map[string][]string{
		"output and displays": {"before", "display", "after", "second", "last"},
		"errors and displays": {"display", "error", "second"},
	} {
		var got, want []string
		for i := range n / 10 {
			for _, line := range lines {
				want = append(want, fmt.Sprint(line, " ", i))
			}
		}
		for _, line := range mixed.shown() {
			if word, _, _ := strings.Cut(line, " "); slices.Contains(lines, word) {
				got = append(got, line)
			}
		}
		if at := slices.IndexFunc(want, func(line string) bool { return !slices.Contains(got, line) }); at >= 0 {
			t.Fatalf("%s: %q is missing", name, want[at])
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("%s: after %q comes %q, want %q", name, got[max(0, i-1)], got[i], want[i])
				break
			}
		}
	}
}

// TestNotDead checks that lines that only look like the end of a program hold nothing back.
func TestNotDead(t *testing.T) {
	t.Parallel()
	k := start(t)
	dir := t.TempDir()
	for i, line := range []string{"panic: no", "exit status 1", "fatal error: no", "signal: killed"} {
		seen := filepath.Join(dir, fmt.Sprint(i))
		a := k.send(fmt.Sprintf("%%%%\nfmt.Fprintln(os.Stderr, %q)\nfmt.Fprintln(os.Stderr, \"later\")\nfor { if _, err := os.Stat(%q); err == nil { break }\ntime.Sleep(10*time.Millisecond) }", line, seen))
		eventually(t, "the line after "+line, func() bool { return a.has("later") })
		if err := os.WriteFile(seen, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if o := k.outcome(a, time.Now()); o.status != "ok" || o.stderr != line+"\nlater\n" {
			t.Errorf("%s: %+v", line, o)
		}
	}
}

func TestDying(t *testing.T) {
	t.Parallel()
	for _, step := range []struct {
		text, alive, last string
		certain           bool
	}{
		{"a\nb\n", "a\nb\n", "", false},
		{"a\npanic: x\n", "a\n", "panic: x\n", false},
		{"a\npanic: x\nb\n", "a\npanic: x\nb\n", "", false},
		{"panic: x\npanic: y\n\ngoroutine 1 [running]:\nmain.main()\n", "", "panic: x\npanic: y\n\ngoroutine 1 [running]:\nmain.main()\n", true},
		{"panic: x\nno\npanic: y\n\tmore\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\n", "panic: x\nno\n", "panic: y\n\tmore\n[signal SIGSEGV]\n\ngoroutine 1 [running]:\n", true},
		{"panic: x\n\tpanic: y\nexit status 2\n", "", "panic: x\n\tpanic: y\nexit status 2\n", false},
		{"exit status 1\n", "", "exit status 1\n", false},
		{"exit status 1\nb\n", "exit status 1\nb\n", "", false},
		{"^C\nsignal: interrupt\n", "", "^C\nsignal: interrupt\n", false},
		{"panic: x\ngorou", "", "panic: x\ngorou", false},
		{"fatal error: stack overflow\n\nruntime stack:\nx\n", "", "fatal error: stack overflow\n\nruntime stack:\nx\n", true},
	} {
		alive, last, certain := dying(step.text)
		if alive != step.alive || last != step.last || certain != step.certain {
			t.Errorf("%q: %q, %q, %t; want %q, %q, %t", step.text, alive, last, certain, step.alive, step.last, step.certain)
		}
	}
}
