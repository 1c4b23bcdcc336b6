package exercise

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestTry(t *testing.T) {
	fault := Faultf("no", "不对")
	for name, test := range map[string]struct {
		f    func() error
		want string // the end of the error's text, or nothing for none
	}{
		"right":             {func() error { return nil }, ""},
		"a Fault":           {func() error { return fault }, "no"},
		"another error":     {func() error { return errors.New("shapes differ") }, ": shapes differ"},
		"index":             {func() error { var s []int; _ = s[len(s)]; return nil }, "index out of range [0] with length 0"},
		"panic of an error": {func() error { panic(errors.New("shapes differ")) }, ": shapes differ"},
		"wrapped":           {func() error { return fmt.Errorf("compilation of %s failed: %w", "func13", errors.New("shapes differ")) }, "error: shapes differ"},
		"panic of a text":   {func() error { panic("shapes differ") }, ": shapes differ"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Try(test.f)
			if test.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			f, ok := errors.AsType[Fault](err)
			if !ok || !strings.HasSuffix(f.English, test.want) || f.Chinese == "" || strings.Contains(f.English, "\n") {
				t.Errorf("%#v, want a Fault that ends with %q", err, test.want)
			}
		})
	}
}
