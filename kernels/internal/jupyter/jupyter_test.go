package jupyter

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestInterpreter(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("scripts have an interpreter line on Unix")
	}
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	neighbour := write("python3", "")
	t.Setenv("PATH", dir)
	for content, want := range map[string]string{
		"#!/opt/env/bin/python3.11\nimport x\n": "/opt/env/bin/python3.11",
		"#! /opt/env/bin/python\n":              "/opt/env/bin/python",
		"#!/usr/bin/env python3\n":              neighbour,
		"#!/bin/sh\n'''exec' /long path\n":      neighbour,
		"\x7fELF":                               neighbour,
	} {
		if got, err := interpreter(write("jupyter", content)); err != nil || got != want {
			t.Errorf("of %q: %q, %v; want %q", content, got, err, want)
		}
	}
	if err := os.Remove(neighbour); err != nil {
		t.Fatal(err)
	}
	if got, err := interpreter(write("jupyter", "#!/bin/sh\n")); err == nil {
		t.Errorf("without any Python: %q", got)
	}
}

func TestExplain(t *testing.T) {
	for _, test := range []struct {
		name  string
		event Event
		want  string
	}{
		{"a panic", Event{Name: "ERROR", Value: "exit status 2", Outputs: []Output{
			{Type: "stream", Stream: "stderr", Text: "panic: 4\n\n\n\n\x1b[7m[[ Cell [5] Line 2 ]]\x1b[0m main.go:14\n"},
			{Type: "error", Name: "ERROR", Value: "exit status 2", Traceback: []string{"exit status 2"}}}},
			"panic: 4\n\n[[ Cell [5] Line 2 ]] main.go:14\nexit status 2"},
		{"HTML only", Event{Name: "ERROR", Value: "failed", Outputs: []Output{
			{Type: "display_data", Data: map[string]any{"text/html": []any{"<style>.x {}</style>\n<div>a &lt;", " b</div>"}}}}},
			"a < b\nERROR: failed"},
		{"text before HTML", Event{Value: "v", Outputs: []Output{
			{Type: "execute_result", Data: map[string]any{"text/html": "<b>no</b>", "text/plain": "v yes"}}}}, "v yes"},
		{"nothing", Event{Name: "timeout", Value: "the cell ran longer than 3 s"}, "timeout: the cell ran longer than 3 s"},
	} {
		if got := test.event.Explain(); got != test.want {
			t.Errorf("%s: got\n%q\nwant\n%q", test.name, got, test.want)
		}
	}
}

// TestRunnerEndsEarly runs a notebook with a script in place of Python.
func TestRunnerEndsEarly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell")
	}
	python := filepath.Join(t.TempDir(), "python")
	for body, want := range map[string]string{
		"echo broken >&2; exit 3":                             "broken",
		"cat >/dev/null & echo not json; exec cat >/dev/null": "not json",
		`echo '{"event": "fatal", "message": "no kernel"}'`:   "no kernel",
		`echo '{"event": "done"}'`:                            "",
	} {
		if err := os.WriteFile(python, []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		err := Jupyter{Python: python}.Run(t.Context(), Job{Notebook: "x.ipynb"}, func(Event) {})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got error %v, want %q", body, err, want)
		}
	}
}
