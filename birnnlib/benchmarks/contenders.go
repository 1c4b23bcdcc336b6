package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"birnn/internal/simd"
)

// contender is one way to do a workload.
type contender struct {
	key     string // as -contenders names it
	name    string // as the table does
	note    string // what the reader must know to compare it with the others, or ""
	differs bool   // it computes something different, as the note says

	backend string // of those written in Go: as GOMLX_BACKEND would ask for it
	layer   string // … and whose layers they use: see stacks
	cgo     string // … built with this CGO_ENABLED
	simd    bool   // … and with SIMD instructions for the pure-Go backend
	preempt bool   // … and run with asynchronous preemption all the same: see package preempt

	plain  bool // … and run with XLA's own options: see package backend
	malloc bool // … and run with malloc as it is: see package backend

	peer bool // it is one of package peers, by its key

	optional bool // runs only if asked for
	once     bool // takes part in one round only: it is slow, and shows something other than its time
	matmul   bool // takes part in measuring the machine's matmul peak
}

// ours reports whether the contender is this library.
func (c contender) ours() bool { return strings.HasPrefix(c.layer, ownLayer) }

// amd64 has the SIMD instructions that the pure-Go backend uses.
var amd64 = runtime.GOARCH == "amd64"

// Contenders of every workload, by key; ratios are to the first.
var (
	xla       = contender{key: "xla", name: "birnnlib on XLA", backend: "xla:cpu", layer: ownLayer, cgo: "1"}
	again     = contender{key: "xla-recompute", name: "birnnlib on XLA, Recompute", backend: "xla:cpu", layer: recomputeLayer, cgo: "1", once: true, note: "It takes part in one round only: what it is to save is memory"}
	thunks    = contender{key: "xla-thunks", name: "birnnlib on XLA, with XLA's own options", backend: "xla:cpu", layer: ownLayer, cgo: "1", plain: true, optional: true}
	malloc    = contender{key: "xla-malloc", name: "birnnlib on XLA, with malloc as it is", backend: "xla:cpu", layer: ownLayer, cgo: "1", malloc: true, optional: true}
	slope     = contender{key: "xla-derived", name: "birnnlib on XLA, derived gradient", backend: "xla:cpu", layer: derivedLayer, cgo: "1", optional: true}
	goSIMD    = contender{key: "go-simd", name: "birnnlib on pure Go, SIMD", backend: "go", layer: ownLayer, cgo: "0", simd: true, optional: !amd64}
	goOnly    = contender{key: "go", name: "birnnlib on pure Go, plain", backend: "go", layer: ownLayer, cgo: "0", optional: amd64}
	goPreempt = contender{key: "go-simd-preempt", name: "birnnlib on pure Go, SIMD, asynchronous preemption", backend: "go", layer: ownLayer, cgo: "0", simd: true, preempt: true, optional: true}
	gomlx     = contender{key: "gomlx", name: "GoMLX's own LSTM, unrolled", backend: "xla:cpu", layer: "gomlx", cgo: "1", optional: true}
	jax       = contender{key: "jax", name: "JAX, lax.scan", peer: true}
	jaxLog    = contender{key: "jax-associative", name: "JAX, lax.associative_scan", peer: true}
	flax      = contender{key: "flax", name: "Flax NNX", peer: true}
	torch     = contender{key: "torch", name: "PyTorch, by hand", peer: true}
	nn        = contender{key: "torch-nn", name: "PyTorch, nn", peer: true}
)

// postField returns the contenders of the post's training.
func postField() []contender {
	xla, jax, flax, torch, nn, compiled := xla, jax, flax, torch, nn, torch
	xla.matmul, jax.matmul, torch.matmul = true, true, true
	flax.name = "Flax NNX, SimpleCell"
	flax.note = "nnx.SimpleCell takes dense input only, so it multiplies one-hot vectors where the others look rows up"
	nn.name, nn.differs = "PyTorch, nn.RNN", true
	nn.note = "nn.RNN takes dense input only, so it multiplies one-hot vectors where the others look rows up; it has no sigmoid, so it computes tanh"
	compiled.key, compiled.name, compiled.matmul, compiled.optional = "torch-compile", "PyTorch, by hand, torch.compile", false, true
	return []contender{xla, thunks, malloc, goSIMD, goPreempt, goOnly, jax, flax, torch, compiled, nn}
}

// layersField returns the contenders of a workload of layers.
func layersField(p layersProblem) []contender {
	again, goSIMD, goOnly, flax, nn := again, goSIMD, goOnly, flax, nn
	again.optional = p.Steps < long || p.Inference
	switch {
	case cells[p.Cell].linear:
		field := []contender{xla, thunks, malloc, jax, jaxLog}
		for _, c := range []contender{xla, goSIMD, goOnly} {
			c.optional = true
			if c.key != xla.key {
				field = append(field, c)
			}
			key, name := c.key, c.name
			c.key, c.name, c.layer = key+"-sequential", name+", LinearSequential", sequentialLayer
			field = append(field, c)
			c.key, c.name, c.layer = key+"-associative", name+", LinearAssociative", associativeLayer
			field = append(field, c)
		}
		return field
	case p.Cell == "ugrnn":
		again.optional, goSIMD.optional, goOnly.optional = true, true, true
		return []contender{xla, thunks, malloc, again, goSIMD, goOnly, jax}
	}
	if p.Steps > short { // pure Go is slow
		goSIMD.optional, goOnly.optional = true, true
	}
	if p.Cell == "gru" {
		flax.name, nn.name, flax.differs = "Flax NNX, GRUCell", "PyTorch, nn.GRU", true
		flax.note = "nnx.GRUCell has no bias b_hh; that of the others starts at zero, so that the first losses agree and the second ones do not"
		return []contender{xla, thunks, malloc, again, slope, goSIMD, goOnly, jax, flax, torch, nn}
	}
	flax.name, nn.name = "Flax NNX, OptimizedLSTMCell", "PyTorch, nn.LSTM"
	field := []contender{xla, thunks, malloc, again, slope, goSIMD, goOnly, jax, flax, torch, nn}
	if p.Steps == short { // at T = 280, the unrolled training takes over 18 GB to compile
		field = append(field, gomlx)
	}
	return field
}

// flatField returns the contenders of the workloads with one unit.
func flatField() []contender {
	jax := jax
	jax.optional = true
	return []contender{xla, jax}
}

// unavailable is an error that keeps a contender from taking part, such as a missing C compiler.
type unavailable struct{ error }

// choose returns those of the field with the given keys, or, for no keys, those that take part by default.
func choose(field []contender, keys []string) []contender {
	var chosen []contender
	for _, c := range field {
		if keys == nil && !c.optional {
			chosen = append(chosen, c)
		}
	}
	for _, key := range keys {
		if at := slices.IndexFunc(field, func(c contender) bool { return c.key == key }); at >= 0 {
			chosen = append(chosen, field[at])
		}
	}
	return chosen
}

// allKeys returns the keys of all contenders.
func allKeys() []string {
	var keys []string
	for _, w := range allWorkloads() {
		for _, c := range w.field {
			if !slices.Contains(keys, c.key) {
				keys = append(keys, c.key)
			}
		}
	}
	return keys
}

// start starts the contender's process on the problem written in dir. Programs are built in programs.
func (c contender) start(ctx context.Context, threads int, python, programs, dir string) (*process, error) {
	if c.peer {
		return start(ctx, threads, c.name, nil, python, filepath.Join(programs, peersDir), c.key, dir)
	}
	env, err := c.env(ctx)
	if err != nil {
		return nil, err
	}
	program, err := build(ctx, c.name, "birnn/birnnlib/benchmarks", filepath.Join(programs, fmt.Sprintf("worker-cgo%s-simd-%t", c.cgo, c.simd)), env)
	if err != nil {
		if c.cgo == "1" && ctx.Err() == nil { // no C compiler, perhaps
			err = unavailable{err}
		}
		return nil, err
	}
	return start(ctx, threads, c.name, env, program, workerCommand, c.backend, c.layer, dir)
}

// env returns the changes to the environment to build and run a contender written in Go.
func (c contender) env(ctx context.Context) ([]string, error) {
	env := []string{"CGO_ENABLED=" + c.cgo, "GOEXPERIMENT="}
	if c.plain {
		env = append(env, "XLA_FLAGS=")
	}
	if c.malloc {
		env = append(env, keepMallocEnv+"=1")
	}
	if !c.simd {
		return env, nil
	}
	with, err := simdEnv(ctx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.name, err)
	}
	env = append(env, with...)
	if c.preempt {
		env = append(env, "GODEBUG=asyncpreemptoff=0")
	}
	return env, nil
}

// simdEnv returns the changes to the environment to build and run with SIMD instructions, by the Go that is here or by
// the pinned one. It needs the directory of the module, or one below.
func simdEnv(ctx context.Context) ([]string, error) {
	root, err := moduleRoot(ctx)
	if err != nil {
		return nil, err
	}
	toolchain, err := simd.Find(ctx, root, "go")
	if err != nil {
		return nil, err
	}
	if !toolchain.SIMD() {
		return nil, unavailable{fmt.Errorf("%s; -contenders go measures it", toolchain)}
	}
	return append(toolchain.Env(), "GOROOT="), nil // `go run` sets GOROOT to that of its own Go
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", errors.New("run the benchmarks inside the repository: no go.mod file here or above")
	}
	return filepath.Dir(mod), nil
}

// build builds a package as program, unless that is done already, and returns its path. It needs the directory of the
// module, or one below.
func build(ctx context.Context, name, pkg, program string, env []string) (string, error) {
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	if _, err := os.Stat(program); !errors.Is(err, fs.ErrNotExist) {
		return program, err
	}
	build := exec.CommandContext(ctx, "go", "build", "-o", program, pkg)
	build.Env = append(os.Environ(), env...)
	if out, err := build.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("%s: `%s` failed (%w); it needs the Go command, and to be run inside the repository:\n%s",
			name, strings.Join(build.Args, " "), err, strings.TrimSpace(string(out)))
	}
	return program, nil
}
