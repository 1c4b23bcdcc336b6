package cell

import (
	"strconv"
	"strings"
)

// state is what a line begins in.
type state int

const (
	inCode    state = iota
	inRaw           // a raw string
	inComment       // a general comment
)

// lineStates returns what each line begins in, and what follows the last one.
// Lines for which skip is true (they begin in code) are not Go.
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

// after returns the state at the end of a line that begins in a state.
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

// quoted returns the length of the string or rune literal at the start of
// text, to the end of the line if it is not closed.
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

// protect writes Go source in such a way that GoNB takes none of its lines for
// a command or a package clause: it looks at how a line begins, wherever that
// line is. Lines stay where they are.
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

// interpret writes a raw string that spans the lines as a sum of interpreted
// ones, a line each.
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

// quote is strconv.Quote for the content of a raw string, which drops carriage returns.
func quote(text string) string { return strconv.Quote(strings.ReplaceAll(text, "\r", "")) }

// openingQuote returns where the raw string begins that is open at the line's end.
func openingQuote(line string) int {
	for i := len(line) - 1; i >= 0; i-- {
		if line[i] == '`' && after(line[:i], inCode) == inCode {
			return i
		}
	}
	return 0 // does not come: the caller knows that one is open
}
