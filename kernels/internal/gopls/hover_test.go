package gopls

import (
	"strings"
	"testing"
)

// cut returns text without its "|" and the offset of that.
func cut(t *testing.T, text string) (string, int) {
	t.Helper()
	before, after, ok := strings.Cut(text, "|")
	if !ok || strings.Contains(after, "|") {
		t.Fatalf("%q does not have one cursor", text)
	}
	return before + after, len(before)
}

func TestNameAt(t *testing.T) {
	for text, want := range map[string]string{
		"f|oo(a)":                           "foo",
		"|foo(a)":                           "foo",
		"foo|(a)":                           "foo",
		"foo(|a)":                           "a",
		"foo(a|)":                           "a",
		"foo( | a)":                         "foo",
		"foo(a, |":                          "foo", // not closed yet
		"x := pkg.Foo(|)\ny":                "Foo",
		"foo(1, bar(2), |3)":                "foo",
		"foo(1, bar(2|), 3)":                "bar",
		"foo((1 + |2))":                     "foo",
		"foo(xs[|1])":                       "foo",
		"foo[int](|1)":                      "foo",
		"m[k].foo[int, []string](|1)":       "foo",
		`foo("中文|", 2)`:                     "foo",
		"foo('x', /* a|b */ 2)":             "foo",
		"fs[0](|1)":                         "fs",
		"foo(a)|":                           "",
		"foo(1) |+ 2":                       "",
		"foo(func() { |1 })":                "",
		"T{ |1 }":                           "",
		"if (|1) == 2 {":                    "",
		"func(|)":                           "",
		"foo(]])|":                          "",
		"1|":                                "",
		"|":                                 "",
		"import \"ma|th\"":                  `"math"`,
		"import (\n\t\"fmt\"\n\t|\"math\"":  `"math"`,
		"import (\n\t\"fmt\"\n)\nf(\"a|\")": "f",
		"foo(`unfinished |":                 "foo",
	} {
		text, offset := cut(t, text)
		at, ok := nameAt(text, offset)
		if ok != (want != "") || ok && !strings.HasPrefix(text[at:], want) {
			t.Errorf("%q at %d: got %d, %v, want where %s begins", text, offset, at, ok, want)
		}
	}
}

func FuzzNameAt(f *testing.F) {
	f.Add("foo(a, \"中\")", 7)
	f.Add("import (\"a\"\n)]}", 9)
	f.Fuzz(func(t *testing.T, text string, offset int) {
		if at, ok := nameAt(text, offset); ok && (at < 0 || at > offset || at >= len(text)) {
			t.Errorf("%q at %d: got %d", text, offset, at)
		}
	})
}
