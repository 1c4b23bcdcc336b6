package segment

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Score counts words: how many there are, how many were found, and how many of these are right, that is, begin and end
// where a word does. Every word counts, each time it occurs.
type Score struct{ True, Found, Right int }

// Count adds the words of one text: the true ones and those found.
func (s *Score) Count(words, found []string) error {
	if a, b := strings.Join(words, ""), strings.Join(found, ""); a != b {
		return fmt.Errorf("segment: the words are of two different texts, %.30q and %.30q", a, b)
	}
	s.True += len(words)
	s.Found += len(found)
	right := ends(words)
	for end, start := range ends(found) {
		if other, ok := right[end]; ok && other == start {
			s.Right++
		}
	}
	return nil
}

// ends maps where each word ends to where it starts.
func ends(words []string) map[int]int {
	m, at := map[int]int{}, 0
	for _, word := range words {
		start := at
		at += utf8.RuneCountInString(word)
		m[at] = start
	}
	return m
}

// Precision is the part of the words found that are right.
func (s Score) Precision() float64 { return ratio(s.Right, s.Found) }

// Recall is the part of the true words that were found.
func (s Score) Recall() float64 { return ratio(s.Right, s.True) }

// F1 is the harmonic mean of precision and recall, 2PR / (P+R).
func (s Score) F1() float64 { return ratio(2*s.Right, s.True+s.Found) }

func ratio(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// String writes the three figures.
func (s Score) String() string {
	return fmt.Sprintf("precision %.4f, recall %.4f, F1 %.4f", s.Precision(), s.Recall(), s.F1())
}
