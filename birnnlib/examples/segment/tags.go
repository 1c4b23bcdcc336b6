package segment

import (
	"fmt"
	"math"
	"unicode/utf8"

	"birnn/birnnlib/examples/crf"
)

// Tag says where in its word a character stands. A segmentation is a tag for each character: 从|1998年|起 is SBMMMES.
type Tag int32

// The tags, usually called BMES.
const (
	Begin  Tag = iota // the first character of a word of several
	Middle            // neither the first nor the last
	End               // the last of several
	Single            // a word by itself
	Tags   = 4        // how many there are
)

// String returns the letter of the tag.
func (t Tag) String() string {
	if t < 0 || t >= Tags {
		return "?"
	}
	return "BMES"[t : t+1]
}

// ends reports whether a word ends at the tag.
func (t Tag) ends() bool { return t == End || t == Single }

// begins reports whether a word begins at the tag.
func (t Tag) begins() bool { return t == Begin || t == Single }

// mayFollow reports whether t can be the tag of the character after one with the tag before.
func (t Tag) mayFollow(before Tag) bool {
	return t.begins() == before.ends()
}

// TagsOf returns the tag of each character of the words.
func TagsOf(words []string) (tags []Tag) {
	for _, word := range words {
		n := utf8.RuneCountInString(word)
		for i := range n {
			switch {
			case n == 1:
				tags = append(tags, Single)
			case i == 0:
				tags = append(tags, Begin)
			case i == n-1:
				tags = append(tags, End)
			default:
				tags = append(tags, Middle)
			}
		}
	}
	return tags
}

// Words cuts the characters into words: after an End or Single, and before a Begin or Single. It panics unless each
// character has a tag.
func Words(characters []rune, tags []Tag) (words []string) {
	if len(characters) != len(tags) {
		panic(fmt.Sprintf("segment: Words got %d characters and %d tags; give each character a tag", len(characters), len(tags)))
	}
	start := 0
	for i, tag := range tags {
		if i == len(tags)-1 || tag.ends() || tags[i+1].begins() {
			words = append(words, string(characters[start:i+1]))
			start = i + 1
		}
	}
	return words
}

// checkScores panics unless each character has a score for each tag.
func checkScores(function string, scores [][]float32) {
	for t, row := range scores {
		if len(row) != Tags {
			panic(fmt.Sprintf("segment: %s got %d scores for character %d; give one for each of the %d tags, as Model.Scores does", function, len(row), t+1, Tags))
		}
	}
}

// Likeliest returns for each character by itself the tag with the largest score. Such tags need not make words: a Begin can
// be followed by a Single. The scores are [T, 4], logarithms of probabilities.
func Likeliest(scores [][]float32) []Tag {
	checkScores("Likeliest", scores)
	tags := make([]Tag, len(scores))
	for t, row := range scores {
		for k := range Tag(Tags) {
			if row[k] > row[tags[t]] {
				tags[t] = k
			}
		}
	}
	return tags
}

// Decode returns the tags with the largest sum of scores among those that make words: the first is Begin or Single, the
// last End or Single, and between them Begin and Middle are followed by Middle or End, the others by Begin or Single. The
// scores are [T, 4], logarithms of probabilities.
//
// All tags of a text are chosen together, so that the scores of one character influence the tags of others, also of those
// before it, even if the network sees only the past.
//
// The scores of a network with a conditional random field need its transitions, too; [Model.Segment] uses them.
func Decode(scores [][]float32) []Tag {
	transitions := crf.Zero(Tags)
	forbid(transitions)
	return decode(transitions, scores)
}

// forbid sets the transitions that make no words to -Inf.
func forbid(transitions crf.Transitions) {
	never := math.Inf(-1)
	for k := range Tag(Tags) {
		if !k.begins() {
			transitions.Start[k] = never
		}
		if !k.ends() {
			transitions.End[k] = never
		}
		for before := range Tag(Tags) {
			if !k.mayFollow(before) {
				transitions.A[before][k] = never
			}
		}
	}
}

// decode returns the tags with the largest sum of scores [T, 4] and transitions.
func decode(transitions crf.Transitions, scores [][]float32) []Tag {
	checkScores("Decode", scores)
	best, _ := transitions.Decode(scores)
	var tags []Tag
	for _, k := range best {
		tags = append(tags, Tag(k))
	}
	return tags
}
