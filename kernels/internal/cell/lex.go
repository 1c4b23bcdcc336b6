package cell

import (
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
	lines := strings.Split(source, "\n")
	begins, _ := lineStates(lines, func(string) bool { return false })
	for i := 0; i < len(lines); i++ {
		if !misread(lines[i]) {
			continue
		}
		if begins[i] != inRaw {
			lines[i] = " " + lines[i]
			continue
		}
		first := i // the line with the opening quote
		for begins[first] == inRaw {
			first--
		}
		last := i // the line with the closing quote
		for last+1 < len(lines) && begins[last+1] == inRaw {
			last++
		}
		interpret(lines[first : last+1])
		i = last
	}
	return strings.Join(lines, "\n")
}

func misread(line string) bool {
	return strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!") || strings.HasPrefix(line, "package") || strings.HasPrefix(line, "//gonb:")
}

// interpret replaces a raw string that spans the lines by a sum of interpreted strings, one per line.
func interpret(lines []string) {
	open := openingQuote(lines[0])
	lines[0] = lines[0][:open] + "(" + quote(lines[0][open+1:]+"\n") + " +"
	for i := 1; i < len(lines)-1; i++ {
		lines[i] = quote(lines[i]+"\n") + " +"
	}
	last := len(lines) - 1
	text, rest, _ := strings.Cut(lines[last], "`")
	lines[last] = quote(text) + ")" + rest
}

// quote quotes the content of a raw string, without its carriage returns, which Go ignores.
func quote(text string) string { return strconv.Quote(strings.ReplaceAll(text, "\r", "")) }

// openingQuote returns the offset of the raw string that is open at the end of the line.
func openingQuote(line string) int {
	for i := len(line) - 1; i >= 0; i-- {
		if line[i] == '`' && after(line[:i], inCode) == inCode {
			return i
		}
	}
	return 0 // unreachable: the caller knows that one is open
}
