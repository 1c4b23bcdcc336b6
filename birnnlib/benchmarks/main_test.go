package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"birnn/internal/cli"
)

func TestWrongUse(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-rounds", "-1"}, "-rounds is -1"},
		{[]string{"-threads", "0"}, "-threads is 0"},
		{[]string{"-threads", "100000"}, "-threads is 100000"},
		{[]string{"-contenders", "xla,abacus"}, `"abacus"`},
		{[]string{"-contenders", "xla,jax,xla"}, `"xla" twice`},
		{[]string{"-workloads", "post,chess"}, `"chess"`},
		{[]string{"-workloads", "post,post"}, `"post" twice`},
		{[]string{"-workloads", "gru-35", "-contenders", "gomlx"}, "takes part"},
		{[]string{"fast"}, `"fast"`},
		{[]string{"-nosuch"}, "nosuch"},
	} {
		err := run(t.Context(), test.args, strings.NewReader(""), io.Discard, io.Discard)
		if !cli.IsUsage(err) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want wrong use with %s", test.args, err, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-h"}, strings.NewReader(""), &out, io.Discard); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"-rounds N", "-json file", "-python interpreter", "-install", "-svg file", "gru-1000 ", " torch-nn*", " torch-compile "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, out.String())
		}
	}
}

func keysOf(field []contender) string {
	var keys []string
	for _, c := range field {
		keys = append(keys, c.key)
	}
	return strings.Join(keys, ",")
}

func TestChooseWorkloads(t *testing.T) {
	pure := "go"
	if amd64 {
		pure = "go-simd"
	}
	for _, test := range []struct {
		workloads, contenders string
		want                  []string // a workload and its field
	}{
		{"post", "", []string{"post: xla," + pure + ",jax,flax,torch,torch-nn"}},
		{"post,lstm-35", "torch,xla", []string{"post: torch,xla", "lstm-35: torch,xla"}},
		{"gru-35,lstm-1000", "", []string{"lstm-1000: xla,xla-recompute,jax,flax,torch,torch-nn", "gru-35: xla," + pure + ",jax,flax,torch,torch-nn"}},
		{"ugrnn-35,minlstm-1000", "", []string{"ugrnn-35: xla,jax", "minlstm-1000: xla,jax,jax-associative"}},
		{"", "gomlx", []string{"lstm-35: gomlx"}},
	} {
		chosen, err := chooseWorkloads(test.workloads, test.contenders)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range chosen {
			got = append(got, w.key+": "+keysOf(w.field))
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("-workloads %q -contenders %q: %q, want %q", test.workloads, test.contenders, got, test.want)
		}
	}
}

// TestWorkloads checks what holds for all.
func TestWorkloads(t *testing.T) {
	for _, w := range allWorkloads() {
		if w.field[0].key != "xla" {
			t.Errorf("%s: ratios are to %s, want xla", w.key, w.field[0].key)
		}
		for i, c := range w.field {
			if slices.ContainsFunc(w.field[:i], func(other contender) bool { return other.key == c.key }) {
				t.Errorf("%s: two contenders are %s", w.key, c.key)
			}
			if c.differs && c.note == "" {
				t.Errorf("%s: %s differs, and no note says in what", w.key, c.key)
			}
			if _, known := stacks[c.layer]; c.peer == known {
				t.Errorf("%s: is %s a peer? %v; its layers are %q", w.key, c.key, c.peer, c.layer)
			}
		}
	}
}

// TestWithoutPeers asks for a peer where none is installed.
func TestWithoutPeers(t *testing.T) {
	emptyCache(t)
	err := run(t.Context(), []string{"-contenders", "jax"}, strings.NewReader(""), io.Discard, io.Discard)
	if !errors.Is(err, errNoPeers) {
		t.Errorf("error %v, want %v", err, errNoPeers)
	}
}

// TestOutsideTheRepository: what cannot be built is an error, not a table without it.
func TestOutsideTheRepository(t *testing.T) {
	t.Chdir(t.TempDir())
	emptyCache(t)
	err := run(t.Context(), []string{"-contenders", "go"}, strings.NewReader(""), io.Discard, io.Discard)
	var cannot unavailable
	if err == nil || errors.As(err, &cannot) || !strings.Contains(err.Error(), "inside the repository") {
		t.Errorf("error %v", err)
	}
}
