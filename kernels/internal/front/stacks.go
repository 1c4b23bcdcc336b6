package front

import (
	"fmt"
	"regexp"
	"strings"

	"birnn/kernels/internal/gonb"
)

// A stack in an error of GoMLX, formatted with %+v: a line with the function, then one with its place.
var (
	stackFunction = regexp.MustCompile(`^[\pL_][\pL\pN_./*()\[\]{}·…-]*\.[\pL\pN_.*()\[\]{}·…-]+(?:\(.*\))?$`)
	stackPlace    = regexp.MustCompile(`^\t.*\.(?:go|s):\d+(?: \+0x[0-9a-f]+)?$`)
)

// stacks removes the frames outside the cells from stacks in a stream of text. It delays only lines that may belong to
// a stack.
type stacks struct {
	waiting  string   // a complete or incomplete line that may be a function's name
	frames   []string // pairs of lines of the current stack
	leftOut  int
	complete strings.Builder // the complete stacks, for %trace
}

func isAnnotated(line string) bool { _, ok := gonb.Annotated(line); return ok }

// feed adds text and returns the text to show. shown reports whether a place is in the cells, and how to write it.
func (s *stacks) feed(text string, shown func(place string) (string, bool)) string {
	var out strings.Builder
	for line := range strings.Lines(s.waiting + text) {
		s.waiting = ""
		whole := strings.HasSuffix(line, "\n")
		bare := strings.TrimSuffix(line, "\n")
		switch {
		case len(s.frames)%2 == 1 && whole && (stackPlace.MatchString(bare) || isAnnotated(bare)):
			s.frames = append(s.frames, line)
		case len(s.frames)%2 == 1 && !whole && strings.HasPrefix(line, "\t"):
			s.waiting = line
		case len(s.frames)%2 == 0 && whole && stackFunction.MatchString(bare):
			s.frames = append(s.frames, line)
		case len(s.frames)%2 == 0 && !whole && stackFunction.MatchString(bare):
			s.waiting = line
		default:
			out.WriteString(s.flush(shown) + line)
		}
	}
	return out.String()
}

// flush ends the current stack and returns its text to show.
func (s *stacks) flush(shown func(place string) (string, bool)) string {
	frames := s.frames
	s.frames = nil
	if len(frames) < 6 { // no stack, or a short one
		return strings.Join(frames, "")
	}
	var out strings.Builder
	hidden := 0
	for i := 0; i+1 < len(frames); i += 2 {
		s.complete.WriteString(frames[i] + frames[i+1])
		if place, ok := shown(frames[i+1]); ok {
			fmt.Fprintf(&out, "    %s, in %s\n", place, strings.TrimSuffix(frames[i], "\n"))
			continue
		}
		hidden++
	}
	if len(frames)%2 == 1 {
		out.WriteString(frames[len(frames)-1])
	}
	s.leftOut += hidden
	if hidden > 0 {
		fmt.Fprintf(&out, "    … %d frames of libraries (%%trace shows them)\n", hidden)
	}
	return out.String()
}

// end returns the rest of the text to show.
func (s *stacks) end(shown func(place string) (string, bool)) string {
	text := s.flush(shown) + s.waiting
	s.waiting = ""
	return text
}
