//go:build unix

package front

import (
	"regexp"
	"testing"
)

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
