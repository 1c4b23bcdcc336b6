// Package backendtest runs a test on every backend that this machine has.
package backendtest

import (
	"os"
	"testing"

	"birnn/birnnlib/backend"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
)

// Each runs test on the backend that GOMLX_BACKEND asks for, or, if it is not set, on pure Go and on XLA's CPU. Nothing
// is ever installed: where XLA's plugin is missing, or cgo is off, that half is skipped.
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

// One opens the best backend there is, without installing anything, for tests of what does not depend on it.
func One(t testing.TB) compute.Backend {
	t.Helper()
	b, err := backend.Open(t.Context(), backend.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Backend.Finalize)
	return b.Backend
}
