// Package text turns a text into what a character-level language model trains
// on: it reads a corpus, numbers its characters and cuts it into mini-batches,
// by the rules of the book Dive into Deep Learning (Chinese edition 1,
// sections 6.3 and 6.4), so that results can be compared with the book's.
//
// The usual order is
//
//	corpus, err := text.Read("lyrics.txt", 10_000)   // or text.Corpus(10_000)
//	vocab, err := text.NewVocabulary(corpus)
//	indices, err := vocab.Encode(corpus)
//	batches, err := text.Consecutive(indices, 32, 35)
//	for batch := range batches { … }
//
// A character is a Unicode code point (a Go rune).
package text
