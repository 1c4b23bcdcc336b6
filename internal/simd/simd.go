// Package simd determines the best way to build programs for GoMLX's pure-Go backend: with SIMD instructions by the
// installed Go, with SIMD instructions by a pinned Go, or without SIMD instructions.
//
// GoMLX's module compute uses SIMD instructions only on amd64, in programs built with GOEXPERIMENT=simd. The experiment
// changes between Go versions: compute v0.1.6 compiles with it on Go 1.26 but not on Go 1.27. [Find] tries a build
// instead of comparing versions, so that a newer Go cannot turn the speed-up into a failure.
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

// Go is the version of the pinned Go, used if the installed Go does not compile compute with SIMD instructions. The go
// command downloads it when GOTOOLCHAIN names it.
const Go = "go1.26.11"

// Package is the package that [Find] builds. It imports all packages that use SIMD instructions.
const Package = "github.com/gomlx/compute/gobackend"

// module is the module of [Package].
const module = "github.com/gomlx/compute"

// NoPreemption is the GODEBUG setting that programs built with GOEXPERIMENT=simd need to be fast on Intel processors.
// Without it, an asynchronous preemption leaves the upper halves of the vector registers in use, which slows down
// ordinary floating-point code from then on. The cause is of the same kind as golang.org/issue/80835.
const NoPreemption = "asyncpreemptoff=1"

// A Mode is a way to build programs for the pure-Go backend.
type Mode string

const (
	Native Mode = "native" // with SIMD instructions, by the installed Go
	Pinned Mode = "pinned" // with SIMD instructions, by the pinned Go
	Plain  Mode = "plain"  // without SIMD instructions, by the installed Go
)

// A Toolchain describes how to build programs for the pure-Go backend.
type Toolchain struct {
	Mode   Mode   `json:"mode"`
	Go     string `json:"go"`     // version, such as "go1.26.11"
	GOROOT string `json:"goroot"` // root of that version

	// Reason is the reason why Mode is not Native.
	Reason string `json:"reason,omitempty"`

	// Costs reports whether programs could be faster: GoMLX has SIMD instructions for this architecture, but they are
	// not used.
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

// Debug returns the value of GODEBUG to run the programs with, or "".
func (t Toolchain) Debug() string {
	if t.SIMD() {
		return NoPreemption
	}
	return ""
}

// Env returns the environment variables, as "KEY=value", for the go command that builds the programs and for the
// programs themselves. It keeps the GODEBUG settings of this process.
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

// String returns a phrase to follow “pure Go”, which says what the lack of SIMD instructions costs.
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

// Depends returns what the result of [Find] depends on in addition to the installed Go: the version of the pinned Go
// and the version of compute in a go.mod file.
func Depends(goMod []byte) string {
	depends := []string{Go}
	for line := range strings.Lines(string(goMod)) {
		if strings.Contains(line, module+" ") { // a replacement, too
			depends = append(depends, strings.TrimSpace(line))
		}
	}
	return strings.Join(depends, "\n")
}

// Find determines how to build programs of the module in root with goCommand. It builds [Package], which takes some
// seconds the first time and a fraction of a second from the build cache. If that does not compile, it tries the pinned
// Go, unless GOTOOLCHAIN forbids its download. Find fails if the package's sources are missing or ctx is done; a lack
// of SIMD instructions is no error.
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
	// Missing sources are an error, not a reason to do without SIMD instructions.
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
		plain.Reason = fmt.Sprintf("%s, and GOTOOLCHAIN=%s forbids the download of %s", reason, t, Go)
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
		err = fmt.Errorf("%s cannot be downloaded: %w", Go, err)
	}
	if ctx.Err() != nil {
		return Toolchain{}, ctx.Err()
	}
	plain.Reason = fmt.Sprintf("%s, and %v", reason, err)
	return plain, nil
}

// compute returns the name and version of compute in the go.mod file in root.
func compute(root string) string {
	data, _ := os.ReadFile(filepath.Join(root, "go.mod"))
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(strings.TrimPrefix(line, "require ")); len(fields) >= 2 && fields[0] == module {
			return "compute " + fields[1]
		}
	}
	return "compute"
}

// runGo runs the go command in a directory, without the caller's settings for other builds, and returns its output. The
// error has the first line of the go command's complaint.
func runGo(ctx context.Context, dir, command string, changes []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE=", "GOOS=", "GOARCH=", "GOROOT=")
	cmd.Env = append(cmd.Env, changes...) // the last value of a variable counts
	cmd.WaitDelay = 5 * time.Second       // compilers may outlive the go command
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

// complaint returns the first line of the go command's standard error that is neither progress nor a heading.
func complaint(stderr string) string {
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "go: downloading ") {
			return line
		}
	}
	return ""
}
