// Package backendtest opens backends for tests.
package backendtest

import (
	"os"
	"testing"

	"birnn/birnnlib/backend"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
)

// Each runs test on the backend that GOMLX_BACKEND asks for, or, if it is not set, on pure Go and on XLA's CPU. It
// installs nothing: without XLA's plugin or without cgo, it skips XLA.
func Each(t *testing.T, test func(t *testing.T, b compute.Backend)) {
	t.Helper()
	configs := []string{"go", "xla:cpu"}
	if asked := os.Getenv(backend.Env); asked != "" {
		configs = []string{asked}
	}
	for _, config := range configs {
		t.Run(config, func(t *testing.T) {
			b, err := backend.Open(t.Context(), backend.Options{Ask: config})
			if err != nil {
				if len(configs) > 1 && config == "xla:cpu" {
					testall.Missing(t, "XLA: %v", err)
				}
				t.Fatal(err)
			}
			t.Cleanup(b.Backend.Finalize)
			test(t, b.Backend)
		})
	}
}

// One opens the backend that GOMLX_BACKEND asks for, or the fastest that is installed, for a test that needs only one.
func One(t testing.TB) compute.Backend { return open(t, "") }

// Go opens pure Go, which compiles fastest, for a test whose result is the same on every backend.
func Go(t testing.TB) compute.Backend { return open(t, "go") }

func open(t testing.TB, config string) compute.Backend {
	t.Helper()
	b, err := backend.Open(t.Context(), backend.Options{Ask: config})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Backend.Finalize)
	return b.Backend
}
