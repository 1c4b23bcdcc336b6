//go:build unix

package front

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"birnn/kernels/internal/wire"
)

// TestEditedTraining edits a training cell and runs it again, on the front and on bare GoNB: it trains again, and later
// cells get the new network. A cell that comes too early says which one to run first.
func TestEditedTraining(t *testing.T) {
	t.Parallel()
	for name, startKernel := range map[string]func(*testing.T) func(code string) string{
		"front":     func(t *testing.T) func(string) string { return start(t).printed },
		"bare GoNB": startBare,
	} {
		t.Run(name, func(t *testing.T) {
			run := startKernel(t)
			use := `import (
	"birnn/kernels/keep"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

%%
params, err := keep.Get[*model.Store]("network")
if err != nil {
	fmt.Println(err)
	return
}
fmt.Printf("w = %.6f\n", tensors.ToScalar[float64](params.GetVariable("/w").MustValue()))`
			want := `keep.Get("network"): nothing is kept under this name: first run the cell that calls keep.Put("network", …)` + "\n"
			if got := run(use); got != want {
				t.Errorf("before the training: %q, want %q", got, want)
			}
			for _, steps := range []int{3, 5, 3} {
				trained := run(fmt.Sprintf(`%%%%
w := 0.0
for range %d { // (w - 1)² becomes less
	w -= 0.25 * 2 * (w - 1)
}
params := model.NewStore()
_, err := params.CreateVariable("w", tensors.FromValue(w))
fmt.Println("trained", %[1]d, "steps", err, keep.Put("network", params))`, steps))
				if want := fmt.Sprintf("trained %d steps <nil> <nil>\n", steps); trained != want {
					t.Fatalf("the training printed %q, want %q", trained, want)
				}
				w := 0.0
				for range steps {
					w += (1 - w) / 2
				}
				for range 2 {
					if got, want := run(use), fmt.Sprintf("w = %.6f\n", w); got != want {
						t.Errorf("after %d steps a later cell has %q, want %q", steps, got, want)
					}
				}
			}
		})
	}
}

// printed runs a cell and returns what it writes.
func (k *kernel) printed(code string) string {
	k.t.Helper()
	o := k.run(code)
	if o.status != "ok" {
		k.t.Fatalf("%q: %+v", code, o)
	}
	return o.written
}

// startBare starts GoNB without the front and returns a function that runs a cell and returns what it writes.
func startBare(t *testing.T) func(code string) string {
	t.Helper()
	bin := bin(t)
	argv := []string{filepath.Join(bin, "gonb"), "--kernel", "{connection_file}", "-raw_error", "-go_work=" + root(t)}
	gonb, err := wire.Start(t.Context(), argv, "", "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gonb.Stop)
	return func(code string) string {
		t.Helper()
		var s shown
		if err := s.run(gonb, code); err != nil || s.status != "ok" {
			t.Fatalf("%q: %v, %+v", code, err, s)
		}
		return s.stdout + s.stderr
	}
}

// TestKeep lists and drops kept values, and reports one whose definition has changed.
func TestKeep(t *testing.T) {
	t.Parallel()
	k := start(t)
	const time = `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
	for i, step := range []struct{ code, stdout, stderr, err string }{ // stdout is a regular expression
		{code: "%keep", stdout: `no values are kept; keep\.Put\(name, value\) keeps one\n`},
		{code: "import \"birnn/kernels/keep\"\n%%\nif err := keep.Put(\"损失\", []float64{0.5}); err != nil { panic(err) }"},
		{code: "func f() int { return 2 }\ndouble := keep.Value(\"double\", func() (int, error) { return 2 * f(), nil })\nfmt.Println(double)", stdout: `4\n`},
		{code: "%keep", stdout: `double {15}int +8 B +kept ` + time + `, computed in \d+m?s\n损失 {17}\[\]float64 +10 B +kept ` + time + `\n`},
		{code: "fmt.Println(double)", stdout: `4\n`},
		{code: "func f() int { return 3 }"},
		{code: "fmt.Println(double)", stdout: `4\n`, stderr: "\"double\" was computed before its definition changed; to compute it again: %keep drop double\n"},
		{code: "%keep drop double", stdout: `dropped double\n`},
		{code: "fmt.Println(double)", stdout: `6\n`},
		{code: "fmt.Println(double)", stdout: `6\n`},
		{code: "%keep drop nothing", err: "UsageError"},
		{code: "%keep limit 4GB", err: "UsageError"},
		{code: "%keep clear", stdout: `all kept values are dropped\n`},
		{code: "%keep", stdout: `no values are kept.*\n`},
	} {
		o := k.run(step.code)
		if o.name != step.err {
			t.Errorf("%d %q: error %q %q, want %q", i+1, step.code, o.name, o.value, step.err)
			continue
		}
		if !regexp.MustCompile("^" + step.stdout + "$").MatchString(o.stdout) {
			t.Errorf("%d %q: stdout %q, want %q", i+1, step.code, o.stdout, step.stdout)
		}
		if o.stderr != step.stderr {
			t.Errorf("%d %q: stderr %q, want %q", i+1, step.code, o.stderr, step.stderr)
		}
	}
}
