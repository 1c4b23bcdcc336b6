package gonb

import (
	"slices"
	"testing"
)

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
