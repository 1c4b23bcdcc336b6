package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// contender is one way to do the training step.
type contender struct {
	key  string // as -contenders names it
	name string // as the table does
	note string // what the reader must know to compare it with the others; "" if it does the same as they

	backend      string // of this library's contenders: as GOMLX_BACKEND would ask for it
	cgo          string // … built with this CGO_ENABLED
	goexperiment string // … and this GOEXPERIMENT

	peer string // of the others: the name in peers.py

	optional bool // runs only if asked for
	matmul   bool // takes part in measuring the machine's matmul peak
}

var allContenders = []contender{
	{key: "xla", name: "birnnlib on XLA", backend: "xla:cpu", cgo: "1", goexperiment: "nosimd", matmul: true},
	{key: "go-simd", name: "birnnlib on pure Go, SIMD", backend: "go", cgo: "0", goexperiment: "simd", optional: runtime.GOARCH != "amd64"},
	{key: "go", name: "birnnlib on pure Go, plain", backend: "go", cgo: "0", goexperiment: "nosimd", optional: runtime.GOARCH == "amd64"},
	{key: "jax", name: "JAX, lax.scan", peer: "jax", matmul: true},
	{key: "torch", name: "PyTorch, by hand", peer: "torch", matmul: true},
	{key: "torch-compile", name: "PyTorch, by hand, torch.compile", peer: "torch-compile", optional: true},
	{key: "torch-rnn", name: "PyTorch, nn.RNN", peer: "torch-rnn",
		note: "nn.RNN takes dense input only, so it multiplies one-hot vectors where the others look rows up; it has no sigmoid, so it computes tanh. Its share of the peak counts the work of the others"},
}

// unavailable is why a contender cannot take part here, though nothing is broken.
type unavailable struct{ error }

func defaultKeys() []string {
	var keys []string
	for _, c := range allContenders {
		if !c.optional {
			keys = append(keys, c.key)
		}
	}
	return keys
}

// choose returns the contenders with the given keys, separated by commas, or the default ones.
func choose(keys string) ([]contender, error) {
	list := defaultKeys()
	if keys != "" {
		list = strings.Split(keys, ",")
	}
	var chosen []contender
	for i, key := range list {
		at := slices.IndexFunc(allContenders, func(c contender) bool { return c.key == key })
		if at < 0 {
			return nil, usageError{fmt.Errorf("-contenders names %q; there are %s", key, strings.Join(allKeys(), ", "))}
		}
		if slices.Contains(list[:i], key) {
			return nil, usageError{fmt.Errorf("-contenders names %q twice", key)}
		}
		chosen = append(chosen, allContenders[at])
	}
	return chosen, nil
}

func allKeys() []string {
	var keys []string
	for _, c := range allContenders {
		keys = append(keys, c.key)
	}
	return keys
}

// start starts the contender's process on the problem written in dir, where its program is built too.
func (c contender) start(ctx context.Context, threads int, python, dir string) (*process, error) {
	if c.peer != "" {
		return start(ctx, threads, c.name, python, filepath.Join(dir, peersFile), c.peer, dir)
	}
	program, err := c.build(ctx, dir)
	if err != nil {
		return nil, err
	}
	return start(ctx, threads, c.name, program, workerCommand, c.backend)
}

// build builds this very program the way the contender wants it. That needs the directory of the module, or one below.
func (c contender) build(ctx context.Context, dir string) (string, error) {
	program := filepath.Join(dir, c.key)
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "birnn/birnnlib/benchmarks")
	build.Env = append(os.Environ(), "CGO_ENABLED="+c.cgo, "GOEXPERIMENT="+c.goexperiment)
	if out, err := build.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		err = fmt.Errorf("%s: `%s` failed (%w); it needs the Go command, and to be run inside the repository:\n%s",
			c.name, strings.Join(build.Args, " "), err, strings.TrimSpace(string(out)))
		if c.cgo == "1" { // no C compiler, perhaps
			return "", unavailable{err}
		}
		return "", err
	}
	return program, nil
}
