package main

import (
	"errors"
	"flag"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestWrongUse(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"-rounds", "0"}, "-rounds is 0"},
		{[]string{"-threads", "0"}, "-threads is 0"},
		{[]string{"-threads", "100000"}, "-threads is 100000"},
		{[]string{"-contenders", "xla,abacus"}, `"abacus"`},
		{[]string{"-contenders", "xla,jax,xla"}, `"xla" twice`},
		{[]string{"fast"}, `"fast"`},
		{[]string{"-nosuch"}, "nosuch"},
	} {
		err := run(t.Context(), test.args, strings.NewReader(""), io.Discard, io.Discard)
		var usage usageError
		if !errors.As(err, &usage) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want wrong use with %s", test.args, err, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	var out strings.Builder
	if err := run(t.Context(), []string{"-h"}, strings.NewReader(""), io.Discard, &out); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("error %v", err)
	}
	for _, want := range []string{"-rounds N", "-json file", "-python interpreter", "-install", "torch-rnn", "default xla,"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help lacks %q:\n%s", want, out.String())
		}
	}
}

func TestChoose(t *testing.T) {
	chosen, err := choose("torch,xla")
	if err != nil || len(chosen) != 2 || chosen[0].key != "torch" || chosen[1].key != "xla" {
		t.Errorf("chosen: %+v, error %v", chosen, err)
	}
	keys := defaultKeys()
	if slices.Contains(keys, "go") == slices.Contains(keys, "go-simd") {
		t.Errorf("by default %q; want pure Go once", keys)
	}
	if keys[0] != "xla" {
		t.Errorf("ratios are to %s by default, want xla", keys[0])
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
