package home

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"

	"birnn/internal/simd"
	"birnn/kernels/internal/process"
)

// Module is the path of the repository's Go module.
const Module = "birnn"

// Checkout is a copy of the repository and the toolchain that builds it.
type Checkout struct {
	Root string
	Go   Toolchain
}

// Toolchain is the output of "go env" and the location of the C compiler.
type Toolchain struct {
	GOROOT, GOVERSION, GOOS, GOARCH, GOMODCACHE, GOCACHE, GOPROXY string

	GOMOD string
	CC    string // C compiler command, from go env
	CCDir string // directory of the C compiler; "" if it was not found
}

// FindCheckout returns the checkout around the working directory, or the one this command was compiled from.
func FindCheckout(ctx context.Context) (Checkout, error) {
	tools, err := toolchain(ctx, "")
	if err == nil && IsCheckout(filepath.Dir(tools.GOMOD)) {
		return Checkout{filepath.Dir(tools.GOMOD), tools}, nil
	}
	if errors.Is(err, exec.ErrNotFound) {
		return Checkout{}, err
	}
	_, file, _, _ := runtime.Caller(0) // <root>/kernels/internal/home/checkout.go
	root := filepath.Join(filepath.Dir(file), "..", "..", "..")
	if !IsCheckout(root) {
		return Checkout{}, fmt.Errorf("not in the repository: no go.mod of module %q in or above the working directory; run the command in the repository", Module)
	}
	tools, err = toolchain(ctx, root)
	return Checkout{root, tools}, err
}

// IsCheckout reports whether dir is the root of a checkout.
func IsCheckout(dir string) bool {
	data, err := os.ReadFile(filepath.Join(dir, "go.mod"))
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) >= 2 && fields[0] == "module" {
			return fields[1] == Module
		}
	}
	return false
}

func toolchain(ctx context.Context, dir string) (Toolchain, error) {
	var t Toolchain
	goCommand, err := exec.LookPath("go")
	if err != nil {
		return t, fmt.Errorf("%w; install Go and add it to the PATH", err)
	}
	var out strings.Builder
	_, err = process.Run(ctx, process.Options{Dir: dir, Stdout: &out}, goCommand, "env", "-json",
		"GOROOT", "GOVERSION", "GOOS", "GOARCH", "GOMODCACHE", "GOCACHE", "GOPROXY", "GOMOD", "CC")
	if err != nil {
		return t, err
	}
	var env map[string]string
	if err := json.Unmarshal([]byte(out.String()), &env); err != nil {
		return t, fmt.Errorf("go env: %w", err)
	}
	t = Toolchain{
		GOROOT: env["GOROOT"], GOVERSION: env["GOVERSION"], GOOS: env["GOOS"], GOARCH: env["GOARCH"],
		GOMODCACHE: env["GOMODCACHE"], GOCACHE: env["GOCACHE"], GOPROXY: env["GOPROXY"], GOMOD: env["GOMOD"], CC: env["CC"],
	}
	if words := strings.Fields(t.CC); len(words) > 0 {
		if cc, err := exec.LookPath(words[0]); err == nil {
			if cc, err = filepath.Abs(cc); err == nil {
				t.CCDir = filepath.Dir(cc)
			}
		}
	}
	return t, nil
}

// Command returns the path of the go command.
func (t Toolchain) Command() string { return filepath.Join(t.GOROOT, "bin", "go") }

// By returns a copy of the toolchain with the Go of other.
func (t Toolchain) By(other simd.Toolchain) Toolchain {
	t.GOROOT, t.GOVERSION = other.GOROOT, other.Go
	return t
}

// XLA returns nil if go-xla can be built here, otherwise an error with the reason.
func (t Toolchain) XLA() error {
	switch t.GOOS + "/" + t.GOARCH {
	case "linux/amd64", "linux/arm64", "darwin/arm64":
	default:
		return fmt.Errorf("XLA needs linux/amd64, linux/arm64 or darwin/arm64, this is %s/%s", t.GOOS, t.GOARCH)
	}
	if t.CCDir == "" {
		return fmt.Errorf("XLA needs a C compiler, and %q is not on the PATH", t.CC)
	}
	return nil
}
