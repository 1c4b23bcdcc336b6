package birnnlib_test

import (
	"slices"
	"strings"
	"testing"

	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
)

// compiles reports whether b is XLA, which compiles a graph for a second on one core and has loops. Pure Go compiles in
// milliseconds and unrolls.
func compiles(b compute.Backend) bool { return b.Name() != "Go Backend" }

// matrix runs test for each case on every backend. Pure Go runs all cases. XLA runs onXLA, a few that have every option
// once; the others follow in the test whose name starts with TestLong.
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
