package front

import (
	"strings"
	"testing"
)

func TestStacks(t *testing.T) {
	mine := func(place string) (string, bool) { return "cell 3, line 2", strings.Contains(place, "main.go") }
	stack := "github.com/gomlx/gomlx/core/graph.Add\n\t/root/graph.go:12\n" +
		"github.com/gomlx/gomlx/core/graph.(*Exec).Call\n\t/root/exec.go:13\n" +
		"main.f\n\t/tmp/gonb_1/main.go:7\n" +
		"main.main\n\t/tmp/gonb_1/main.go:9\n" +
		"runtime.goexit\n\t/usr/local/go/src/runtime/asm_amd64.s:1771\n"
	folded := "    cell 3, line 2, in main.f\n    cell 3, line 2, in main.main\n    … 3 frames of libraries (%trace shows them)\n"
	for name, c := range map[string]struct{ text, want string }{
		"a stack":       {"bad shape\n" + stack + "after\n", "bad shape\n" + folded + "after\n"},
		"at the end":    {"bad shape\n" + stack, "bad shape\n" + folded},
		"no stack":      {"a line\nfmt.Println\nanother\n", "a line\nfmt.Println\nanother\n"},
		"a short one":   {"main.f\n\t/tmp/gonb_1/main.go:7\nend\n", "main.f\n\t/tmp/gonb_1/main.go:7\nend\n"},
		"a bar":         {"\r10%\r20%", "\r10%\r20%"},
		"no line's end": {"v1.2", "v1.2"},
		"Chinese":       {"训练开始\n第1轮\n", "训练开始\n第1轮\n"},
	} {
		for _, pieces := range [][]string{{c.text}, strings.SplitAfter(c.text, "\n")} { // the text comes in whole lines, as a rule
			s := &stacks{}
			got := ""
			for _, piece := range pieces {
				got += s.feed(piece, mine)
			}
			got += s.end(mine)
			if got != c.want {
				t.Errorf("%s in %d pieces: got %q, want %q", name, len(pieces), got, c.want)
			}
			if strings.Contains(c.want, "…") && s.complete.String() != stack {
				t.Errorf("%s: %%trace would show %q", name, s.complete.String())
			}
		}
	}
}
