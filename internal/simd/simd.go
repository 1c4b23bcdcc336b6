// Package simd finds out how programs on GoMLX's pure-Go backend are built best here: with SIMD instructions by the Go
// that is here, with SIMD instructions by a pinned Go, or without them.
//
// GoMLX's package compute uses SIMD instructions only in programs built with GOEXPERIMENT=simd, on amd64. The
// experiment changes from one Go to the next: compute v0.1.6 compiles with that of Go 1.26 and not with that of Go
// 1.27. So that no newer Go turns the speed-up into a failure, [Find] builds the package instead of looking at
// versions.
package simd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Go is the pinned Go, used where the Go that is here does not compile compute with SIMD instructions. The go command
// fetches it as a module, by GOTOOLCHAIN.
const Go = "go1.26.11"

// Package is the package whose build shows whether SIMD instructions can be had: it needs all that use them.
const Package = "github.com/gomlx/compute/gobackend"

// module is the module of [Package].
const module = "github.com/gomlx/compute"

// NoPreemption is the GODEBUG setting that programs built with SIMD instructions need to be fast on Intel processors:
// after an asynchronous preemption, the upper halves of the vector registers stay in use, and ordinary floating-point
// code becomes slow (golang.org/issue/80835).
const NoPreemption = "asyncpreemptoff=1"

// A Mode is a way of building programs on the pure-Go backend.
type Mode string

const (
	Native Mode = "native" // with SIMD instructions, by the Go that is here
	Pinned Mode = "pinned" // with SIMD instructions, by the pinned Go
	Plain  Mode = "plain"  // without SIMD instructions, by the Go that is here
)

// A Toolchain says how to build programs on the pure-Go backend.
type Toolchain struct {
	Mode   Mode   `json:"mode"`
	Go     string `json:"go"`     // version of the Go that builds, such as "go1.26.11"
	GOROOT string `json:"goroot"` // of that Go

	// Reason says why not with SIMD instructions by the Go that is here; it is empty if Mode is Native.
	Reason string `json:"reason,omitempty"`

	// Costs reports that the machine has SIMD instructions that are not used.
	Costs bool `json:"costs,omitempty"`
}

// SIMD reports whether programs are built with SIMD instructions.
func (t Toolchain) SIMD() bool { return t.Mode == Native || t.Mode == Pinned }

// Experiment returns the value of GOEXPERIMENT to build with.
func (t Toolchain) Experiment() string {
	if t.SIMD() {
		return "simd"
	}
	return ""
}

// Debug returns the value of GODEBUG to run what was built with, "" if it needs none.
func (t Toolchain) Debug() string {
	if t.SIMD() {
		return NoPreemption
	}
	return ""
}

// Env returns the changes to the environment, as "KEY=value", with which the go command builds and runs programs in
// this way. The caller's GODEBUG settings stay.
func (t Toolchain) Env() []string {
	env := []string{"GOEXPERIMENT=" + t.Experiment()}
	if t.Mode == Pinned {
		env = append(env, "GOTOOLCHAIN="+t.Go)
	}
	if t.SIMD() {
		env = append(env, "GODEBUG="+strings.Trim(os.Getenv("GODEBUG")+","+t.Debug(), ","))
	}
	return env
}

// String describes the way in a phrase that follows “pure Go”, and says what it costs.
func (t Toolchain) String() string {
	switch {
	case t.Mode == Native:
		return "with SIMD instructions, built by " + t.Go
	case t.Mode == Pinned:
		return fmt.Sprintf("with SIMD instructions, built by %s: %s", t.Go, t.Reason)
	case t.Costs:
		return "without SIMD instructions, several times slower: " + t.Reason
	}
	return "without SIMD instructions: " + t.Reason
}

// Depends returns what the result of [Find] depends on apart from the Go that is here: the pinned Go and the version of
// compute that the go.mod file of a repository asks for.
func Depends(goMod []byte) string {
	depends := []string{Go}
	for line := range strings.Lines(string(goMod)) {
		if strings.Contains(line, module+" ") { // a replacement, too
			depends = append(depends, strings.TrimSpace(line))
		}
	}
	return strings.Join(depends, "\n")
}

// Find finds out how programs of the repository in root are built best with goCommand. It builds [Package], which takes
// the go command some seconds the first time and next to nothing from its cache; where that does not compile, it tries
// the pinned Go, unless GOTOOLCHAIN forbids to fetch it. The error is non-nil if not even the package's sources are
// there, or ctx ended.
func Find(ctx context.Context, root, goCommand string) (Toolchain, error) {
	run := func(changes []string, args ...string) (string, error) {
		return runGo(ctx, root, goCommand, changes, args...)
	}
	out, err := run(nil, "env", "-json", "GOVERSION", "GOROOT", "GOARCH", "GOTOOLCHAIN")
	if err != nil {
		return Toolchain{}, err
	}
	var here struct{ GOVERSION, GOROOT, GOARCH, GOTOOLCHAIN string }
	if err := json.Unmarshal([]byte(out), &here); err != nil {
		return Toolchain{}, fmt.Errorf("go env: %w", err)
	}
	version, _, _ := strings.Cut(here.GOVERSION, "-X:") // "go1.26.8-X:simd"
	plain := Toolchain{Mode: Plain, Go: version, GOROOT: here.GOROOT}
	if here.GOARCH != "amd64" {
		plain.Reason = "GoMLX has them for amd64 only, this is " + here.GOARCH
		return plain, nil
	}
	// What is missing here, such as the network, is no reason to go without SIMD instructions.
	if _, err := run([]string{"GOEXPERIMENT="}, "list", "-deps", Package); err != nil {
		return Toolchain{}, err
	}
	compiles := func(changes ...string) error {
		_, err := run(append(changes, "GOEXPERIMENT=simd", "CGO_ENABLED=0"), "build", Package)
		return err
	}
	err = compiles()
	if err == nil {
		return Toolchain{Mode: Native, Go: version, GOROOT: here.GOROOT}, nil
	}
	if ctx.Err() != nil {
		return Toolchain{}, ctx.Err()
	}
	reason := fmt.Sprintf("%s does not compile GoMLX's %s with them", version, compute(root))
	plain.Costs = true
	if t := here.GOTOOLCHAIN; t == "local" || t == "path" || strings.HasSuffix(t, "+path") {
		plain.Reason = fmt.Sprintf("%s, and GOTOOLCHAIN=%s forbids to fetch %s", reason, t, Go)
		return plain, nil
	}
	toolchain := "GOTOOLCHAIN=" + Go
	goroot, err := run([]string{toolchain, "GOEXPERIMENT="}, "env", "GOROOT")
	if err == nil {
		if err = compiles(toolchain); err == nil {
			return Toolchain{Mode: Pinned, Go: Go, GOROOT: strings.TrimSpace(goroot), Reason: reason}, nil
		}
		err = fmt.Errorf("neither does %s: %w", Go, err)
	} else {
		err = fmt.Errorf("%s cannot be fetched: %w", Go, err)
	}
	if ctx.Err() != nil {
		return Toolchain{}, ctx.Err()
	}
	plain.Reason = fmt.Sprintf("%s, and %v", reason, err)
	return plain, nil
}

// compute names the version of compute that the repository in root asks for.
func compute(root string) string {
	data, _ := os.ReadFile(filepath.Join(root, "go.mod"))
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(strings.TrimPrefix(line, "require ")); len(fields) >= 2 && fields[0] == module {
			return "compute " + fields[1]
		}
	}
	return "compute"
}

// runGo runs the go command in a directory. What the caller has set for building other things does not count. The error
// has the first line that says something.
func runGo(ctx context.Context, dir, command string, changes []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=", "GOOS=", "GOARCH=", "GOROOT=")
	cmd.Env = append(cmd.Env, changes...) // the last one of a name counts
	cmd.WaitDelay = 5 * time.Second       // its compilers may outlive it
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err == nil {
		return string(out), nil
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if line := complaint(string(exit.Stderr)); line != "" {
			err = errors.New(line)
		}
	}
	return "", fmt.Errorf("go %s: %w", args[0], err)
}

// complaint returns the first line of what the go command wrote that is no progress and no heading.
func complaint(stderr string) string {
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "go: downloading ") {
			return line
		}
	}
	return ""
}
