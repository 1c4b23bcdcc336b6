package gonb

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
)

// GoNB looks for places in its program on standard error and ends if a line with one has a certain form, such as a time
// or "main.go:1:0: ". It gets only the lines of a stack; the others are disguised by a NUL.
var (
	inProgram  = regexp.MustCompile(`(main(?:_test)?\.go)(:|$)`)
	disguised  = regexp.MustCompile(`\S*main(?:_test)?\.go\x00:(\d+)`)
	stackPlace = regexp.MustCompile(`^\t?/[^\s:]*/gonb_\w+/main(?:_test)?\.go:\d+(?: \+0x[0-9a-f]+)?(?: fp=0x[0-9a-f]+ sp=0x[0-9a-f]+ pc=0x[0-9a-f]+)?\n?$`)
)

// Disguise disguises the places, for GoNB.
func Disguise(text []byte) []byte {
	if !inProgram.Match(text) {
		return text
	}
	var out []byte
	for line := range bytes.Lines(text) {
		if !stackPlace.Match(line) {
			line = inProgram.ReplaceAll(line, []byte("$1\x00$2"))
		}
		out = append(out, line...)
	}
	return out
}

// IncompletePlace returns the length of an incomplete line at the end of text that may be a place in a stack.
func IncompletePlace(text []byte) int {
	line := text[bytes.LastIndexByte(text, '\n')+1:]
	if bytes.HasPrefix(line, []byte("\t/")) && len(line) < 4096 {
		return len(line)
	}
	return 0
}

// Undisguised replaces the disguised places by what place returns for their lines in GoNB's program, if it returns a text.
func Undisguised(text string, place func(line int) string) string {
	text = disguised.ReplaceAllStringFunc(text, func(match string) string {
		if !strings.Contains(match, "/gonb_") {
			return match
		}
		line, _ := strconv.Atoi(disguised.FindStringSubmatch(match)[1])
		if shown := place(line); shown != "" {
			return shown
		}
		return match
	})
	return strings.ReplaceAll(text, "go\x00", "go")
}

// GoNB adds to a place in its program the line of what it was sent.
var (
	annotation = regexp.MustCompile(`(?: ?\x1b\[7m)?\[\[ Cell (?:\[-?\d+\] )?Line (\d+) \]\](?:\x1b\[0m)? \S*main(?:_test)?\.go:\d+`)
	sentLine   = regexp.MustCompile(`^Cell(?:\[-?\d+\]:)? Line (\d+)$`)
	compiler   = regexp.MustCompile(`^(?:vet: )?\S*main(?:_test)?\.go:(\d+):(\d+): (.*)$`)
)

// Annotated returns the line of what GoNB was sent for a line of a stack with a place in its program.
func Annotated(text string) (sent int, ok bool) {
	m := annotation.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	sent, _ = strconv.Atoi(m[1])
	return sent, true
}

// ReplaceAnnotated replaces the places in GoNB's program by what place returns for the lines of what GoNB was sent.
func ReplaceAnnotated(text string, place func(sent int) string) string {
	return annotation.ReplaceAllStringFunc(text, func(match string) string {
		sent, _ := Annotated(match)
		return place(sent)
	})
}

// CompilerMessage returns the message in a line of the compiler's output about GoNB's program, with its column. sent is the
// line of what GoNB was sent, or 0; it is in GoNB's traceback, which has a text for each line of the output.
func CompilerMessage(line, traceback string) (message string, sent, column int, ok bool) {
	m := compiler.FindStringSubmatch(line)
	if m == nil {
		return "", 0, 0, false
	}
	column, _ = strconv.Atoi(m[2])
	first, _, _ := strings.Cut(traceback, "\n")
	if c := sentLine.FindStringSubmatch(first); c != nil {
		sent, _ = strconv.Atoi(c[1])
	}
	return m[3], sent, column, true
}
