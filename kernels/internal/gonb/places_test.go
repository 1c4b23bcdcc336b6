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
