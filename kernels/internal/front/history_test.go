package front

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// inputs are those that a query finds.
func inputs(h *history, q historyQuery) string {
	var all []string
	for _, e := range h.find(q) {
		all = append(all, fmt.Sprint(e[2]))
	}
	return strings.Join(all, "|")
}

func TestHistory(t *testing.T) {
	name := filepath.Join(t.TempDir(), "project", "history.jsonl")
	h, err := openHistory(name, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, input := range []string{"a := 1", "分开\nb", "a := 1"} {
		if err := h.add(i+1, input); err != nil {
			t.Fatal(err)
		}
	}
	h.close()
	if h, err = openHistory(name, 100); err != nil { // another session
		t.Fatal(err)
	}
	defer h.close()
	if err := h.add(1, "x[1]/2"); err != nil {
		t.Fatal(err)
	}
	h.setOutput(1, "3")
	for want, q := range map[string]historyQuery{
		"a := 1|x[1]/2":              {Type: "tail", N: 2},
		"a := 1|分开\nb|a := 1|x[1]/2": {Type: "tail"},
		"[x[1]/2 3]":                 {Type: "tail", N: 1, Output: true},
		"x[1]/2":                     {Type: "range", Session: 0, Start: 1, Stop: 2},
		"分开\nb|a := 1":               {Type: "range", Session: -1, Start: 2, Stop: 4},
		"分开\nb":                      {Type: "range", Session: 1, Start: 2, Stop: 3},
		"a := 1|a := 1":              {Type: "search", Pattern: "a*"},
		"a := 1":                     {Type: "search", Pattern: "a ?= 1", Unique: true},
		"":                           {Type: "search", Pattern: "A*"},
		"x[1]/2 ":                    {Type: "search", Pattern: "*[1]/2"},
		"分开\nb ":                     {Type: "search", Pattern: "??\nb"},
	} {
		if got := inputs(h, q); got != strings.TrimSuffix(want, " ") {
			t.Errorf("%+v: got %q, want %q", q, got, want)
		}
	}
}

// TestBounded checks that the file does not grow for ever, and that a line that
// a crash has cut costs that line alone.
func TestBounded(t *testing.T) {
	name := filepath.Join(t.TempDir(), "history.jsonl")
	h, err := openHistory(name, 10)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := h.add(i, fmt.Sprint("cell ", i)); err != nil {
			t.Fatal(err)
		}
	}
	h.close()
	data, err := os.ReadFile(name)
	if err != nil || strings.Count(string(data), "\n") > 21 {
		t.Fatalf("the file has %d lines, %v", strings.Count(string(data), "\n"), err)
	}
	if err := os.WriteFile(name, data[:len(data)-9], 0o600); err != nil {
		t.Fatal(err)
	}
	if h, err = openHistory(name, 10); err != nil {
		t.Fatal(err)
	}
	if err := h.add(1, "after the crash"); err != nil {
		t.Fatal(err)
	}
	h.close()
	if h, err = openHistory(name, 10); err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if got := inputs(h, historyQuery{Type: "tail", N: 2}); got != "cell 998|after the crash" {
		t.Errorf("got %q", got)
	}
}
