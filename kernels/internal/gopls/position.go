package gopls

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// position is a position in the protocol's terms: the line from 0, and the UTF-16 code units before it in the line, of
// which 😀 has two and 中 one. (The protocol can negotiate bytes instead; gopls v0.23.0 does not support that.)
type position struct {
	Line      int `json:"line"`
	Character int `json:"character"`
}

// textRange is the text between two positions.
type textRange struct {
	Start position `json:"start"`
	End   position `json:"end"`
}

// positionAt returns the position of a byte offset; an offset inside a character means its start. A byte that is not
// UTF-8 counts as one character, as in JSON.
func positionAt(content string, offset int) (position, error) {
	if offset < 0 || offset > len(content) {
		return position{}, fmt.Errorf("offset %d is outside a text of %d bytes", offset, len(content))
	}
	start := strings.LastIndexByte(content[:offset], '\n') + 1
	p := position{Line: strings.Count(content[:start], "\n")}
	for offset < len(content) && !utf8.RuneStart(content[offset]) && offset > start {
		offset--
	}
	for _, r := range content[start:offset] {
		p.Character += utf16.RuneLen(r)
	}
	return p, nil
}

// offsetAt returns the byte offset of a position; a position beyond the end of its line or of the text means that end.
func offsetAt(content string, p position) int {
	start := 0
	for range p.Line {
		n := strings.IndexByte(content[start:], '\n')
		if n < 0 {
			return len(content)
		}
		start += n + 1
	}
	line, _, _ := strings.Cut(content[start:], "\n")
	units := 0
	for i, r := range line {
		if units >= p.Character {
			return start + i
		}
		units += utf16.RuneLen(r)
	}
	return start + len(line)
}

// fileURI returns the URI of a file.
func fileURI(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") { // C:/…
		path = "/" + path
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}
