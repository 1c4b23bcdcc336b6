package main

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"birnn/internal/python"
)

// peersDir is the folder of the programs that are not written in Go.
const peersDir = "peers"

//go:embed peers/*.py
var peersSource embed.FS

// writePeers copies the programs into dir.
func writePeers(dir string) error { return os.CopyFS(dir, peersSource) }

//go:embed requirements.txt
var requirements []byte

// installedFile is in an environment that is complete, and tells by the hash of the requirements which one it is.
const installedFile = "birnn-installed"

// environment returns the virtual environment that -install makes.
func environment() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "birnn", "benchmarks"), nil
}

var errNoPeers = unavailable{errors.New("PyTorch, JAX and Flax are not installed; `go run ./birnnlib/benchmarks -install` installs them (some 6 GB on Linux), and -python names an interpreter that has them")}

// findPeers returns the interpreter that has the peers: the one asked for, or the one that -install made.
func findPeers(asked string) (interpreter string, err error) {
	if asked != "" {
		return exec.LookPath(asked)
	}
	dir, err := environment()
	if err != nil {
		return "", err
	}
	switch installed, err := os.ReadFile(filepath.Join(dir, installedFile)); {
	case errors.Is(err, os.ErrNotExist):
		return "", errNoPeers
	case err != nil:
		return "", err
	case strings.TrimSpace(string(installed)) != requirementsHash():
		return "", errors.New("the versions of PyTorch, JAX and Flax to compare with have changed; `go run ./birnnlib/benchmarks -install` installs the new ones")
	}
	return python.Interpreter(dir), nil
}

// installPeers makes the virtual environment, with the Python interpreter asked for, and installs the requirements there.
// Called again, it mends or updates. What Python and pip say, their progress, goes to progress.
func installPeers(ctx context.Context, asked string, progress io.Writer) (interpreter string, err error) {
	dir, err := environment()
	if err != nil {
		return "", err
	}
	base, err := python.Find(ctx, python.Output, asked, "3.11", "venv")
	if err != nil {
		return "", fmt.Errorf("%w; install it, or name an interpreter with -python", err)
	}
	complete := filepath.Join(dir, installedFile)
	if err := os.Remove(complete); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	list := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(list, requirements, 0o644); err != nil {
		return "", err
	}
	run := func(ctx context.Context, name string, args ...string) (string, error) {
		command := strings.Join(append([]string{name}, args...), " ")
		fmt.Fprintln(progress, command)
		var out strings.Builder
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Stdout = io.MultiWriter(progress, &out)
		cmd.Stderr = cmd.Stdout
		err := cmd.Run()
		if ctx.Err() != nil {
			err = ctx.Err()
		} else if err != nil {
			err = fmt.Errorf("`%s` failed: %w; its output is above", command, err)
		}
		return out.String(), err
	}
	if err := python.MakeEnvironment(ctx, run, base, dir, "-r", list); err != nil {
		return "", err
	}
	return python.Interpreter(dir), os.WriteFile(complete, []byte(requirementsHash()+"\n"), 0o644)
}

func requirementsHash() string {
	sum := sha256.Sum256(requirements)
	return hex.EncodeToString(sum[:])
}
