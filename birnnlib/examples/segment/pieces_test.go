package segment

import (
	"slices"
	"testing"
)

func TestPieces(t *testing.T) {
	for text, want := range map[string][]string{
		"":            nil,
		"一二三四五六七八":    {"一二三四五六七八"},
		"一二。三四。五六七":   {"一二。三四。", "五六七"}, // as many sentences as fit
		"一二。三，四五六七八九": {"一二。", "三，四五六七八九"},
		"一，二三四五六七八九":  {"一，", "二三四五六七八九"}, // else after a comma
		"一二三四五六七八九十一二三四五六七八": {"一二三四五六七八", "九十一二三四五六", "七八"}, // else where it must be
	} {
		characters := []rune(text)
		var got []string
		from := 0
		for _, to := range pieces(characters, 8) {
			got = append(got, string(characters[from:to]))
			from = to
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s is cut into %q, want %q", text, got, want)
		}
	}
}

func TestFolded(t *testing.T) {
	if got, want := string(folded("A1~中，!")), "Ａ１～中，！"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
