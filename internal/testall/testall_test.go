package testall

import (
	"fmt"
	"strings"
	"testing"
)

// recorder is a test that notes how it ends instead of ending.
type recorder struct {
	testing.TB
	name  string
	ended string
}

func (r *recorder) Name() string { return r.name }
func (r *recorder) Helper()      {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.end("fatal: " + fmt.Sprintf(format, args...))
}
func (r *recorder) Skipf(format string, args ...any) { r.end("skip: " + fmt.Sprintf(format, args...)) }
func (r *recorder) Skip(args ...any)                 { r.end("skip: " + fmt.Sprint(args...)) }
func (r *recorder) end(how string)                   { r.ended = how; panic(r) }

// run returns how a test ends, "" if it goes on.
func run(name string, test func(t testing.TB)) (ended string) {
	r := &recorder{name: name}
	defer func() {
		if p := recover(); p != nil && p != any(r) {
			panic(p)
		}
		ended = r.ended
	}()
	test(r)
	return ""
}

func TestSwitch(t *testing.T) {
	missing := func(t testing.TB) { Missing(t, "no %s", "gopls") }
	for _, test := range []struct {
		value, name string
		test        func(testing.TB)
		want        string // the beginning
	}{
		{"", "TestLongX", Long, "skip: left out: set BIRNN_TEST=all"},
		{"", "TestLongX/case", Long, "skip: left out"},
		{"all", "TestLongX", Long, ""},
		{"1", "TestLongX", Long, `fatal: BIRNN_TEST is "1"`},
		{"", "TestX", Long, "fatal: TestX calls testall.Long"},
		{"all", "TestX", Long, "fatal: TestX calls testall.Long"},
		{"", "TestX", missing, "skip: left out: no gopls"},
		{"all", "TestX", missing, "fatal: missing, with BIRNN_TEST=all: no gopls"},
	} {
		t.Setenv(Env, test.value)
		if got := run(test.name, test.test); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s with %q: %q, want %q", test.name, test.value, got, test.want)
		}
	}
}
