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
	"runtime"
	"strings"
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

// interpreter returns the Python interpreter of a virtual environment.
func interpreter(environment string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(environment, "Scripts", "python.exe")
	}
	return filepath.Join(environment, "bin", "python")
}

var errNoPeers = unavailable{errors.New("PyTorch, JAX and Flax are not installed; `go run ./birnnlib/benchmarks -install` installs them (some 6 GB on Linux), and -python names an interpreter that has them")}

// findPeers returns the interpreter that has the peers: the one asked for, or the one that -install made.
func findPeers(asked string) (python string, err error) {
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
	return interpreter(dir), nil
}

// installPeers makes the virtual environment, with the Python interpreter asked for, and installs the requirements there.
// Called again, it mends or updates. What Python and pip say, their progress, goes to progress.
func installPeers(ctx context.Context, asked string, progress io.Writer) (python string, err error) {
	dir, err := environment()
	if err != nil {
		return "", err
	}
	base := asked
	if base == "" {
		base = "python3"
		if runtime.GOOS == "windows" {
			base = "python"
		}
	}
	if base, err = exec.LookPath(base); err != nil {
		return "", fmt.Errorf("no Python to make a virtual environment with: %w; install Python 3.11 or later, or name one with -python", err)
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
	python = interpreter(dir)
	for _, command := range [][]string{
		{base, "-m", "venv", dir},
		{python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "-r", list},
	} {
		fmt.Fprintln(progress, strings.Join(command, " "))
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		cmd.Stdout, cmd.Stderr = progress, progress
		if err := cmd.Run(); err != nil {
			if ctx.Err() != nil {
				return "", ctx.Err()
			}
			return "", fmt.Errorf("`%s` failed: %w; what it said is above", strings.Join(command, " "), err)
		}
	}
	return python, os.WriteFile(complete, []byte(requirementsHash()+"\n"), 0o644)
}

func requirementsHash() string {
	sum := sha256.Sum256(requirements)
	return hex.EncodeToString(sum[:])
}
