package front

import (
	"fmt"
	"regexp"
	"strings"
)

// A stack, as an error of GoMLX writes it with %+v: a function, then its place.
var (
	stackFunction = regexp.MustCompile(`^[\pL_][\pL\pN_./*()\[\]{}·…-]*\.[\pL\pN_.*()\[\]{}·…-]+(?:\(.*\))?$`)
	stackPlace    = regexp.MustCompile(`^\t.*\.(?:go|s):\d+(?: \+0x[0-9a-f]+)?$`)
)

// stacks leaves out of a stream of text the frames of stacks that are not in the
// cells. Only a line that may be of a stack waits for the one after it.
type stacks struct {
	waiting  string   // a line, or the start of one, that may be a function's name
	frames   []string // pairs of lines of the stack under way
	leftOut  int
	complete strings.Builder // all of the stacks, for %trace
}

// feed takes text and returns what to show of all so far; shown says which
// places are the reader's and how to write them.
func (s *stacks) feed(text string, shown func(place string) (string, bool)) string {
	var out strings.Builder
	for line := range strings.Lines(s.waiting + text) {
		s.waiting = ""
		whole := strings.HasSuffix(line, "\n")
		bare := strings.TrimSuffix(line, "\n")
		switch {
		case len(s.frames)%2 == 1 && whole && (stackPlace.MatchString(bare) || annotation.MatchString(bare)):
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

// flush ends the stack under way and returns what to show of it.
func (s *stacks) flush(shown func(place string) (string, bool)) string {
	frames := s.frames
	s.frames = nil
	if len(frames) < 6 { // two or one: no stack, or one that is short anyway
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

// end returns what is left when the stream ends.
func (s *stacks) end(shown func(place string) (string, bool)) string {
	text := s.flush(shown) + s.waiting
	s.waiting = ""
	return text
}
