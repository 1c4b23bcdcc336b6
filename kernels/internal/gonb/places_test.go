package gonb

import (
	"strings"
	"testing"
)

func TestDisguise(t *testing.T) {
	for text, want := range map[string]string{
		"\t/tmp/x/gonb_1a/main.go:12 +0x1d\n":                      "\t/tmp/x/gonb_1a/main.go:12 +0x1d\n",
		"\t/tmp/x/gonb_1a/main.go:12 +0x1d fp=0x1 sp=0x2 pc=0x3\n": "\t/tmp/x/gonb_1a/main.go:12 +0x1d fp=0x1 sp=0x2 pc=0x3\n",
		"a\n\t/tmp/x/gonb_1a/main_test.go:12\n":                    "a\n\t/tmp/x/gonb_1a/main_test.go:12\n",
		"panic: main.go:1:0: x\n":                                  "panic: main.go\x00:1:0: x\n",
		"00:47:25 /tmp/gonb_1a/main.go:12: a\n":                    "00:47:25 /tmp/gonb_1a/main.go\x00:12: a\n",
		"ends in main.go":                                          "ends in main.go\x00",
		"nothing":                                                  "nothing",
		"\t/tmp/a:0:b/gonb_1a/main.go:12\nmain_test.go:3\n":        "\t/tmp/a:0:b/gonb_1a/main.go\x00:12\nmain_test.go\x00:3\n",
	} {
		if got := string(Disguise([]byte(text))); got != want || strings.ReplaceAll(got, "\x00", "") != text {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for text, want := range map[string]int{"a\n\t/tmp/x": 7, "a\n\t/tmp/x\n": 0, "progress 1": 0, "": 0} {
		if got := IncompletePlace([]byte(text)); got != want {
			t.Errorf("%q: %d bytes, want %d", text, got, want)
		}
	}
}

func TestUndisguised(t *testing.T) {
	place := func(line int) string {
		if line == 3 {
			return "cell 1, line 2"
		}
		return ""
	}
	for text, want := range map[string]string{
		"12:00 /tmp/gonb_1a/main.go:3: a\n":         "12:00 cell 1, line 2: a\n",
		"12:00 /tmp/gonb_1a/main.go:4: a\n":         "12:00 /tmp/gonb_1a/main.go:4: a\n",
		"panic: main.go:3:0: x\n":                   "panic: main.go:3:0: x\n",
		"\t/tmp/x/gonb_1a/main.go:3 +0x1d\n":        "\t/tmp/x/gonb_1a/main.go:3 +0x1d\n", // in a stack, where it is not disguised
		"/tmp/gonb_1a/main_test.go:3: ends main.go": "cell 1, line 2: ends main.go",
	} {
		if got := Undisguised(string(Disguise([]byte(text))), place); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestAnnotated(t *testing.T) {
	for text, want := range map[string]int{
		"\t[[ Cell [3] Line 12 ]] /tmp/gonb_1a/main.go:40 +0x1d":                12,
		"\t \x1b[7m[[ Cell Line 7 ]]\x1b[0m /tmp/gonb_1a/main_test.go:40 +0x1d": 7,
		"\t/usr/lib/go/src/fmt/print.go:40 +0x1d":                               0,
	} {
		sent, ok := Annotated(text)
		if sent != want || ok != (want > 0) {
			t.Errorf("%q: %d, %t, want %d", text, sent, ok, want)
		}
		replaced := ReplaceAnnotated(text, func(int) string { return "here" })
		if strings.Contains(replaced, "here") != ok || ok && strings.Contains(replaced, "Cell") {
			t.Errorf("%q becomes %q", text, replaced)
		}
	}
}

func TestCompilerMessage(t *testing.T) {
	for _, test := range []struct {
		line, traceback, message string
		sent, column             int
	}{
		{"./main.go:12:5: undefined: x", "Cell[2]: Line 3\n\tx + 1", "undefined: x", 3, 5},
		{"vet: ./main_test.go:12:5: undefined: x", "Cell Line 4", "undefined: x", 4, 5},
		{"./main.go:12:5: undefined: x", "no line of a cell", "undefined: x", 0, 5},
		{"# gonb_1a", "", "", 0, 0},
	} {
		message, sent, column, ok := CompilerMessage(test.line, test.traceback)
		if message != test.message || sent != test.sent || column != test.column || ok != (test.message != "") {
			t.Errorf("%q: %q, %d, %d, %t", test.line, message, sent, column, ok)
		}
	}
}
