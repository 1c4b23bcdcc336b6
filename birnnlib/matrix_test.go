package birnnlib_test

import (
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"birnn/internal/backendtest"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
)

// TestMain has XLA compile the graphs without LLVM's optimisations, which take most of the time for graphs as small as
// these. Benchmarks and BIRNN_TEST=all keep the optimisations; a set XLA_FLAGS is not changed.
func TestMain(m *testing.M) {
	flag.Parse()
	const flags = "XLA_FLAGS"
	if _, set := os.LookupEnv(flags); !set && !testall.On() && flag.Lookup("test.bench").Value.String() == "" {
		os.Setenv(flags, "--xla_backend_optimization_level=0")
	}
	os.Exit(m.Run())
}

// compiles reports whether b is XLA, which has loops and takes about a second on one core to compile a graph. Pure Go
// takes milliseconds, and unrolls.
func compiles(b compute.Backend) bool { return b.Name() != "Go Backend" }

// matrix runs test for each case on every backend. Pure Go runs all cases. XLA runs only onXLA, a selection that covers
// every option; the test whose name starts with TestLong runs the others.
func matrix(t *testing.T, cases, onXLA []string, test func(t *testing.T, b compute.Backend, name string)) {
	t.Helper()
	for _, name := range onXLA {
		if !slices.Contains(cases, name) {
			t.Fatalf("there is no case %q", name)
		}
	}
	t.Parallel()
	rest := strings.HasPrefix(t.Name(), "TestLong")
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, name := range cases {
			switch {
			case compiles(b) && slices.Contains(onXLA, name) == rest, !compiles(b) && rest:
			default:
				t.Run(name, func(t *testing.T) {
					if compiles(b) {
						t.Parallel()
					}
					test(t, b, name)
				})
			}
		}
	})
}
