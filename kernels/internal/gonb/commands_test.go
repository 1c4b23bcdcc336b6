//go:build unix

package gonb

import (
	"slices"
	"strings"
	"testing"
)

func TestSplitWords(t *testing.T) {
	for text, want := range map[string][]string{
		"%env  A b":          {"%env", "A", "b"},
		`%env A "b c"`:       {"%env", "A", "b c"},
		`%env A "b\"c\n\t"`:  {"%env", "A", "b\"c\n\t"},
		`%env A ""`:          {"%env", "A", ""},
		`%cd 中文"目 录"`:        {"%cd", "中文目 录"},
		"":                   nil,
		"%%script\tsh\t-c  ": {"%%script", "sh", "-c"},
	} {
		if got := SplitWords(text); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestUngarbled(t *testing.T) {
	garbled := func(text string) (all string) { // as GoNB does
		for i := range len(text) {
			all += string(rune(text[i]))
		}
		return all
	}
	for _, text := range []string{"世界", "é", "ÿ", "a b", "", "🙂"} {
		if got := Ungarbled([]string{garbled(text), text}); !slices.Equal(got, []string{text, text}) {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestShell(t *testing.T) {
	s := &Supervisor{config: Config{Bin: "/it's"}}
	const shell = `'/it'\''s/shims/shell' `
	for _, test := range []struct {
		line string
		asks bool
		want string
	}{
		{"!echo 'a'", false, "!" + shell + `'echo '\''a'\'''`},
		{"!*ls", false, "!*" + shell + "'ls'"},
		{"!read x", true, "!" + shell + "asking 'read x'"},
		{`!echo a \`, false, `!echo a \`},
		{"%env A b", false, "%env A b"},
	} {
		if got := s.Shell(test.line, test.asks); got != test.want {
			t.Errorf("%s: %s, want %s", test.line, got, test.want)
		}
	}
}

// TestForeign checks that the shim gets the words of a command, whatever GoNB would make of them.
func TestForeign(t *testing.T) {
	for _, test := range []struct {
		bin, line string
		want      []string // the words for the shim; nil if GoNB runs the line
	}{
		{"/bin", "%%bash", []string{"script", "bash"}},
		{"/目录", "%%sh", []string{"script", "sh"}},
		{"/bin", `%%script python3 -c ""`, []string{"script", "python3", "-c", ""}},
		{"/bin", "//gonb:%%writefile 数据.txt", []string{"write", "数据.txt"}},
		{"/bin", `%%writefile -a "a b"`, []string{"write", "-a", "a b"}},
		{"/bin", "%%writefile", nil},
		{"/bin", "%%bash -x", nil},
	} {
		s := &Supervisor{config: Config{Bin: test.bin}}
		got, writes, err := s.Foreign(test.line)
		if err != nil {
			t.Fatal(err)
		}
		if test.want == nil {
			if got != test.line || writes {
				t.Errorf("%s: %s", test.line, got)
			}
			continue
		}
		rest, ok := strings.CutPrefix(got, "%%script ")
		words := SplitWords(rest)
		if !ok || Garbles(got) || !slices.Equal(Decoded(words[1:]), test.want) || writes != (test.want[0] == "write") {
			t.Errorf("%s: %s", test.line, got)
		}
	}
	for _, line := range []string{"%%script", "//gonb:%%script "} {
		if got, _, err := (&Supervisor{}).Foreign(line); err == nil || got != "" {
			t.Errorf("%q: %q, %v; want an error", line, got, err)
		}
	}
}
