package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"birnn/internal/python"
)

// emptyCache gives the test a cache folder of its own.
func emptyCache(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "LocalAppData", "AppData"} { // of macOS, other Unix, Windows
		t.Setenv(name, dir)
	}
	// Or the go command would go on writing there when it has ended, while the directory is being removed.
	if out, err := exec.Command("go", "telemetry", "off").CombinedOutput(); err != nil {
		t.Fatalf("go telemetry off: %v\n%s", err, out)
	}
}

// playPython plays an interpreter: venv copies it, pip tells what it would install, or fails.
func playPython() {
	switch args := strings.Join(os.Args[1:], " "); {
	case strings.HasPrefix(args, "-m venv "):
		python := python.Interpreter(os.Args[3])
		self, err := os.ReadFile(os.Args[0])
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(python), 0o755), os.WriteFile(python, self, 0o755)); err != nil {
			panic(err)
		}
	case os.Args[1] == "-c": // it is new enough
	case strings.HasPrefix(args, "-m pip install "):
		list, err := os.ReadFile(os.Args[len(os.Args)-1])
		if err != nil {
			panic(err)
		}
		fmt.Printf("installing %s", list)
		if os.Getenv("PIP_FAILS") != "" {
			os.Exit(1)
		}
	default:
		panic(args)
	}
}

func TestInstall(t *testing.T) {
	emptyCache(t)
	t.Setenv(playEnv, "python")
	t.Setenv("PIP_FAILS", "1")
	if _, err := installPeers(t.Context(), os.Args[0], io.Discard); err == nil || !strings.Contains(err.Error(), "pip install") {
		t.Errorf("pip failed, and the error is %v", err)
	}
	if _, err := findPeers(""); !errors.Is(err, errNoPeers) {
		t.Errorf("after an installation that failed, the error is %v, want %v", err, errNoPeers)
	}

	os.Unsetenv("PIP_FAILS") // t.Setenv restores it
	var progress strings.Builder
	installed, err := installPeers(t.Context(), os.Args[0], &progress)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(progress.String(), "installing #") || !strings.Contains(progress.String(), "\njax==") {
		t.Errorf("pip was to install requirements.txt; it says\n%s", progress.String())
	}
	found, err := findPeers("")
	if err != nil || found != installed {
		t.Errorf("found %q, error %v; installed was %q", found, err, installed)
	}
	if _, err := os.Stat(found); err != nil {
		t.Error(err)
	}

	// An environment with other versions is not used any more.
	dir, err := environment()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, installedFile), []byte("of other requirements\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := findPeers(""); err == nil || !strings.Contains(err.Error(), "have changed") {
		t.Errorf("other requirements: error %v", err)
	}
}

func TestInstallWithoutPython(t *testing.T) {
	emptyCache(t)
	if _, err := installPeers(t.Context(), "no-such-python", io.Discard); err == nil || !strings.Contains(err.Error(), "-python") {
		t.Errorf("error %v, want one that names -python", err)
	}
}

// TestRequirements: the comparison is worth something only if everyone installs the same versions.
func TestRequirements(t *testing.T) {
	for line := range strings.Lines(string(requirements)) {
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if name, version, pinned := strings.Cut(line, "=="); !pinned || name == "" || version == "" || strings.ContainsAny(version, "*<>~, ") {
			t.Errorf("requirements.txt: %q is not pinned to one version", line)
		}
	}
}
