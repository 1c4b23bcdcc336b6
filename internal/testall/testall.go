// Package testall is the one switch of the tests: the environment variable BIRNN_TEST.
//
// Unset, `go test ./...` runs every test that is quick. Tests that take minutes, install software, need the network, a
// browser or another library are left out, and a test that lacks a tool (XLA's plugin, GoNB, a C compiler) is skipped.
// With BIRNN_TEST=all every test runs, and a missing tool is a failure.
//
// The names of the tests that are left out start with TestLong, so that the go command can list and choose them; its
// summary of passing packages cannot show them:
//
//	go test -list ^TestLong ./...                              # lists what `go test ./...` leaves out
//	BIRNN_TEST=all go test -timeout 90m -run ^TestLong ./...   # runs only that
//	BIRNN_TEST=all go test -timeout 90m ./...                  # runs everything
//
// A matrix of which a few cases run by default has two test functions, TestX with these few and TestLongX with the
// rest.
package testall

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Env is the environment variable.
const Env = "BIRNN_TEST"

// On reports whether every test is to run.
func On() bool { return os.Getenv(Env) == "all" }

// Long skips a test unless every test is to run. The name of the test must start with TestLong.
func Long(t testing.TB) {
	t.Helper()
	if !strings.HasPrefix(t.Name(), "TestLong") {
		t.Fatalf("%s calls testall.Long: its name must start with TestLong", t.Name())
	}
	switch value := os.Getenv(Env); value {
	case "all":
	case "":
		t.Skipf("left out: set %s=all to run it", Env)
	default:
		t.Fatalf("%s is %q, want it unset or %q", Env, value, "all")
	}
}

// Missing ends a test that lacks a tool. It says what is missing and how to get it, and fails where every test is to
// run, else skips.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	text := fmt.Sprintf(format, args...)
	if On() {
		t.Fatalf("missing, with %s=all: %s", Env, text)
	}
	t.Skip("left out: ", text)
}

// Python returns the interpreter of the environment that `go run ./birnnlib/benchmarks -install` makes, where it can
// import the modules. The tests that compute fixtures again need more of it than the benchmarks do: install that there,
// too, as .ci/run does.
func Python(t testing.TB, modules ...string) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	python := filepath.Join(cache, "birnn", "benchmarks", "bin", "python")
	if runtime.GOOS == "windows" {
		python = filepath.Join(cache, "birnn", "benchmarks", "Scripts", "python.exe")
	}
	if out, err := exec.Command(python, "-c", "import "+strings.Join(modules, ", ")).CombinedOutput(); err != nil {
		Missing(t, "a Python with %s at %s: %v %s", strings.Join(modules, ", "), python, err, out)
	}
	return python
}
