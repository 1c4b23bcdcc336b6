package text

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Vocabulary numbers the distinct characters of a corpus from 0 in the order in
// which they first appear. The book takes them from a Python set, whose order
// changes from run to run; here the same corpus always gives the same numbers.
//
// A Vocabulary does not change once it is made and may be shared by goroutines.
type Vocabulary struct {
	chars   []rune
	indices map[rune]int32
}

// NewVocabulary returns the vocabulary of the corpus. It fails when the corpus
// is empty or not UTF-8.
func NewVocabulary(corpus string) (*Vocabulary, error) {
	if corpus == "" {
		return nil, fmt.Errorf("vocabulary: the corpus is empty: a vocabulary needs at least one character")
	}
	if at := firstInvalid(corpus); at >= 0 {
		return nil, fmt.Errorf("vocabulary: the corpus is not UTF-8: invalid byte 0x%02x at byte offset %d: convert the corpus to UTF-8",
			corpus[at], at)
	}
	v := &Vocabulary{indices: make(map[rune]int32)}
	for _, char := range corpus {
		if _, known := v.indices[char]; !known {
			v.indices[char] = int32(len(v.chars))
			v.chars = append(v.chars, char)
		}
	}
	return v, nil
}

// Size returns the number of distinct characters.
func (v *Vocabulary) Size() int { return len(v.chars) }

// Index returns the index of char, and whether the vocabulary has it.
func (v *Vocabulary) Index(char rune) (index int32, ok bool) {
	index, ok = v.indices[char]
	return index, ok
}

// Char returns the character with the given index. It panics when the index is
// not in 0..Size()-1.
func (v *Vocabulary) Char(index int32) rune {
	if index < 0 || int(index) >= len(v.chars) {
		panic(fmt.Sprintf("vocabulary: the index of a character is %d: it must be from 0 to %d", index, len(v.chars)-1))
	}
	return v.chars[index]
}

// Encode returns the index of each character of s. It fails at the first
// character that the vocabulary does not have.
func (v *Vocabulary) Encode(s string) ([]int32, error) {
	indices := make([]int32, 0, utf8.RuneCountInString(s))
	for offset, char := range s {
		position := len(indices) + 1
		// Ranging over a string yields U+FFFD for a broken byte; a corpus may
		// contain a real U+FFFD, so the two must be distinguished.
		if char == utf8.RuneError && isInvalid(s[offset:]) {
			return nil, fmt.Errorf("encode: character %d of %s is not UTF-8 (byte 0x%02x at byte offset %d): pass UTF-8 text",
				position, abbreviate(s), s[offset], offset)
		}
		index, known := v.indices[char]
		if !known {
			return nil, fmt.Errorf("encode: the corpus does not contain character %d of %s, %q (%U): use one of the %d characters of the corpus, or a longer corpus",
				position, abbreviate(s), char, char, len(v.chars))
		}
		indices = append(indices, index)
	}
	return indices, nil
}

// Decode returns the text with the given indices. It panics when one is not in
// 0..Size()-1.
func (v *Vocabulary) Decode(indices []int32) string {
	var s strings.Builder
	for _, index := range indices {
		s.WriteRune(v.Char(index))
	}
	return s.String()
}

// Chars returns all characters in the order of their indices. It is what to
// store with a trained model: NewVocabulary(v.Chars()) is v again.
func (v *Vocabulary) Chars() string { return string(v.chars) }

// firstInvalid returns the byte offset of the first byte of s that is not part
// of a UTF-8 character, or -1.
func firstInvalid(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for offset, char := range s {
		if char == utf8.RuneError && isInvalid(s[offset:]) {
			return offset
		}
	}
	return -1
}

// isInvalid reports whether s starts with a byte that is not UTF-8.
func isInvalid(s string) bool {
	char, width := utf8.DecodeRuneInString(s)
	return char == utf8.RuneError && width == 1
}

// abbreviate quotes s for an error message, cut to what a line can hold.
func abbreviate(s string) string {
	const most = 40
	if head := firstChars(s, most); len(head) < len(s) {
		return fmt.Sprintf("%q…", head)
	}
	return fmt.Sprintf("%q", s)
}

// firstChars returns the first n characters of s, or all of it when it has no
// more than n.
func firstChars(s string, n int) string {
	for offset := range s {
		if n == 0 {
			return s[:offset]
		}
		n--
	}
	return s
}
