package segment_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib/examples/segment"
)

func letters(tags []segment.Tag) string {
	var b strings.Builder
	for _, tag := range tags {
		b.WriteString(tag.String())
	}
	return b.String()
}

func TestTags(t *testing.T) {
	for text, want := range map[string]string{
		"从 １９９８年 起":   "SBMMMES",
		"中国 人民":       "BEBE",
		"好":           "S",
		"中华人民共和国 𠮷 人": "BMMMMMESS", // 𠮷 is one character of four bytes
		"":            "",
	} {
		words := strings.Fields(text)
		tags := segment.TagsOf(words)
		if got := letters(tags); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
		if got := segment.Words([]rune(strings.Join(words, "")), tags); !slices.Equal(got, words) {
			t.Errorf("%s: the words of its tags are %q", text, got)
		}
	}
}

// TestLikeliest cuts where either of two characters says so.
func TestLikeliest(t *testing.T) {
	row := func(tag segment.Tag) []float32 {
		r := []float32{-2, -2, -2, -2}
		r[tag] = -0.5
		return r
	}
	var scores [][]float32
	for _, letter := range "BSEMBMSE" {
		scores = append(scores, row(segment.Tag(strings.IndexRune("BMES", letter))))
	}
	tags := segment.Likeliest(scores)
	if got := letters(tags); got != "BSEMBMSE" {
		t.Errorf("the likeliest tags are %s", got)
	}
	if got, want := segment.Words([]rune("一二三四五六七八"), tags), strings.Fields("一 二 三 四 五六 七 八"); !slices.Equal(got, want) {
		t.Errorf("words %q, want %q", got, want)
	}
	if got := segment.Likeliest(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// TestDecode compares with the definition: of all ways to cut a text, the one whose tags have the largest sum.
func TestDecode(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for T := range 9 {
		for range 20 {
			scores := make([][]float32, T)
			text := make([]rune, T)
			for i := range scores {
				text[i] = '字'
				scores[i] = make([]float32, segment.Tags)
				for k := range scores[i] {
					scores[i][k] = -float32(rng.ExpFloat64())
				}
			}
			best, want := math.Inf(-1), ""
			for cuts := range 1 << max(0, T-1) { // bit i: a cut after character i
				var words []string
				start := 0
				for i := range T {
					if i == T-1 || cuts>>i&1 == 1 {
						words = append(words, string(text[start:i+1]))
						start = i + 1
					}
				}
				sum := 0.0
				tags := segment.TagsOf(words)
				for i, tag := range tags {
					sum += float64(scores[i][tag])
				}
				if sum > best {
					best, want = sum, letters(tags)
				}
			}
			if got := letters(segment.Decode(scores)); got != want {
				t.Fatalf("%v: %s, want %s", scores, got, want)
			}
		}
	}
}

func ExampleDecode() {
	// Each character by itself would be B, B, E, which is no segmentation.
	scores := [][]float32{{-0.1, -3, -3, -3}, {-0.4, -1.2, -3, -3}, {-3, -3, -0.1, -3}}
	fmt.Println(segment.Decode(scores), segment.Words([]rune("人民币"), segment.Decode(scores)))
	// Output: [B M E] [人民币]
}
