//go:build unix

package main

import (
	"bytes"
	"regexp"
)

// GoNB looks for places in its program on standard error and ends if a line with one has a certain form, such as a time
// or "main.go:1:0: ". It gets only the lines of a stack; the others are disguised by a NUL, which the front removes.
var (
	place      = regexp.MustCompile(`(main(?:_test)?\.go)(:|$)`)
	stackPlace = regexp.MustCompile(`^\t?/[^\s:]*/gonb_\w+/main(?:_test)?\.go:\d+(?: \+0x[0-9a-f]+)?(?: fp=0x[0-9a-f]+ sp=0x[0-9a-f]+ pc=0x[0-9a-f]+)?\n?$`)
)

// disguise disguises the places.
func disguise(text []byte) []byte {
	if !place.Match(text) {
		return text
	}
	var out []byte
	for line := range bytes.Lines(text) {
		if !stackPlace.Match(line) {
			line = place.ReplaceAll(line, []byte("$1\x00$2"))
		}
		out = append(out, line...)
	}
	return out
}

// incompletePlace returns the length of an incomplete line at the end of text that may be a place in a stack.
func incompletePlace(text []byte) int {
	line := text[bytes.LastIndexByte(text, '\n')+1:]
	if bytes.HasPrefix(line, []byte("\t/")) && len(line) < 4096 {
		return len(line)
	}
	return 0
}
