package cell

import (
	"go/scanner"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// state is the lexical context at the beginning of a line.
type state int

const (
	inCode    state = iota
	inRaw           // a raw string
	inComment       // a general comment
)

// lineStates returns the state at the beginning of each line and at the end. It ignores lines that begin in code and
// for which skip returns true: they are not Go.
func lineStates(lines []string, skip func(line string) bool) (begins []state, end state) {
	now := inCode
	for _, line := range lines {
		begins = append(begins, now)
		if now == inCode && skip(line) {
			continue
		}
		now = after(line, now)
	}
	return begins, now
}

// after returns the state at the end of a line that begins in the state now.
func after(line string, now state) state {
	for i := 0; i < len(line); i++ {
		rest := line[i:]
		switch now {
		case inRaw:
			if rest[0] == '`' {
				now = inCode
			}
		case inComment:
			if strings.HasPrefix(rest, "*/") {
				now, i = inCode, i+1
			}
		default:
			switch {
			case rest[0] == '`':
				now = inRaw
			case strings.HasPrefix(rest, "/*"):
				now, i = inComment, i+1
			case strings.HasPrefix(rest, "//"):
				return now
			case rest[0] == '"' || rest[0] == '\'':
				i += quoted(rest) - 1
			}
		}
	}
	return now
}

// quoted returns the length of the string or rune literal at the beginning of text; an unclosed one ends with the line.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case text[0]:
			return i + 1
		}
	}
	return len(text)
}

// protect changes Go source so that GoNB mistakes no line for a command or package clause: GoNB looks only at the
// beginning of a line, even inside a literal or comment. Lines keep their numbers.
func protect(source string) string {
	if !slices.ContainsFunc(strings.Split(source, "\n"), misread) {
		return source
	}
	var s scanner.Scanner
	file := token.NewFileSet().AddFile("", -1, len(source))
	s.Init(file, []byte(source), func(token.Position, string) {}, 0)
	var changed strings.Builder
	done, before := 0, token.ILLEGAL
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			break
		}
		// The scanner leaves carriage returns out of lit.
		if at := file.Offset(pos); tok == token.STRING && lit[0] == '`' {
			end := at + 2 + strings.IndexByte(source[at+1:]+"`", '`')
			if lines := strings.Split(source[at:min(end, len(source))], "\n"); slices.ContainsFunc(lines[1:], misread) {
				changed.WriteString(source[done:at])
				changed.WriteString(interpret(lines, before))
				done = end
			}
		}
		before = tok
	}
	changed.WriteString(source[min(done, len(source)):])
	lines := strings.Split(changed.String(), "\n")
	for i, line := range lines {
		if misread(line) {
			lines[i] = " " + line
		}
	}
	return strings.Join(lines, "\n")
}

func misread(line string) bool {
	return strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") || strings.HasPrefix(line, "package") || strings.HasPrefix(line, "//gonb:")
}

// interpret returns the raw string of the lines as a sum of interpreted strings, one per line. The tag of a field, which
// stands behind the tokens that end a type, cannot be a sum; empty lines may follow it.
func interpret(lines []string, before token.Token) string {
	last := len(lines) - 1
	text := make([]string, len(lines))
	for i, line := range lines {
		text[i] = strings.ReplaceAll(line, "\r", "") // which Go ignores
	}
	text[0], text[last] = text[0][1:], strings.TrimSuffix(text[last], "`")
	switch before {
	case token.IDENT, token.RPAREN, token.RBRACK, token.RBRACE:
		return strconv.Quote(strings.Join(text, "\n")) + strings.Repeat("\n", last)
	}
	for i, line := range text[:last] {
		text[i] = strconv.Quote(line+"\n") + " +\n"
	}
	return "(" + strings.Join(text[:last], "") + strconv.Quote(text[last]) + ")"
}
