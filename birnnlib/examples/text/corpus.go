package text

import _ "embed"

// corpus.txt was written for this library. It is original work and is, like the
// rest of the repository, under the Apache License 2.0 (see corpus.LICENSE).
//
//go:embed corpus.txt
var corpus string

// Corpus returns the text embedded in the library: Chinese song lyrics written
// for it, more than 10,000 characters of which more than 760 are distinct. As
// with [Read], newlines are spaces, and if maxChars is positive only the first
// maxChars characters are kept.
//
// The songs are built of parallel lines and refrains, and the later ones answer
// earlier ones from the other's side, so that much recurs with a word changed:
// a network that sees no more than these 10,000 characters learns them about as
// well as the lyrics that the book uses.
func Corpus(maxChars int) string { return flatten(corpus, maxChars) }
