//go:build cgo && (amd64 || arm64)

package backend_test

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"birnn/birnnlib/backend"
	"birnn/internal/testall"

	. "github.com/gomlx/gomlx/core/graph"
)

// mallocEnv makes TestKeepMalloc the process that is measured.
const mallocEnv = "BIRNN_TEST_KEEP_MALLOC"

// TestKeepMalloc counts page faults in a process for each setting: malloc as it is gets the memory of large results from the
// kernel at every call; otherwise it is there already.
func TestKeepMalloc(t *testing.T) {
	if set := os.Getenv(mallocEnv); set != "" {
		countPageFaults(t, set == "true")
		return
	}
	if b, err := backend.Open(t.Context(), backend.Options{Ask: "xla:cpu"}); err != nil {
		testall.Missing(t, "XLA: %v", err)
	} else {
		b.Backend.Finalize()
	}
	faults := func(keep bool) int {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKeepMalloc$", "-test.v")
		c.Env = append(os.Environ(), mallocEnv+"="+strconv.FormatBool(keep))
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		var count int
		if _, rest, ok := strings.Cut(string(out), "page faults: "); ok {
			fmt.Sscan(rest, &count)
		}
		return count
	}
	changed, kept := faults(false), faults(true)
	t.Logf("%d page faults; with KeepMalloc %d", changed, kept)
	if kept < 100 || changed > kept/4 {
		t.Errorf("%d page faults, and %d with KeepMalloc; want at least 100 with it, and at most a quarter without", changed, kept)
	}
}

func countPageFaults(t *testing.T, keep bool) {
	b, err := backend.Open(t.Context(), backend.Options{Ask: "xla:cpu", KeepMalloc: keep})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Backend.Finalize()
	large := MustNewExec(b.Backend, func(x *Node) (results []*Node) { // 40 MiB, in blocks that every glibc finds again
		for i := range 40 {
			results = append(results, BroadcastToDims(AddScalar(x, float64(i)), 512, 512))
		}
		return results
	})
	var before, after syscall.Rusage
	for i := range 25 {
		if i == 5 {
			syscall.Getrusage(syscall.RUSAGE_SELF, &before)
		}
		for _, result := range large.MustCall(float32(i)) {
			result.MustFinalizeAll()
		}
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	fmt.Printf("page faults: %d\n", after.Minflt-before.Minflt)
}
