package lower

import (
	"strings"
	"testing"

	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	. "github.com/gomlx/gomlx/core/graph"
)

// TestPlannedMemory compiles a program that must keep one product of matrices while it computes another.
func TestPlannedMemory(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		exec, err := NewExec(b, func(x *Node) *Node { return Dot(Dot(x, x).Product(), x).Product() })
		if err != nil {
			t.Fatal(err)
		}
		defer exec.Finalize()
		g, err := exec.Compile(shapes.Make(dtypes.Float32, 256, 256))
		if err != nil {
			t.Fatal(err)
		}
		least, most := int64(0), int64(0)
		if strings.Contains(b.Name(), "xla") {
			least, most = 256*256*4, 1<<20
		}
		if plan := PlannedMemory(g.Executable()); plan < least || plan > most {
			t.Errorf("plans %d bytes, want %d to %d", plan, least, most)
		}
	})
}
