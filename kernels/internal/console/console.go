// Package console shows the progress of a command: a line per step, with a spinner and the time on a terminal, and
// plain lines elsewhere.
package console

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"
)

// Console writes steps to a terminal or to a file.
type Console struct {
	w   io.Writer
	tty bool
	now func() time.Time
}

// New returns a Console that writes to w.
func New(w io.Writer) *Console {
	f, ok := w.(*os.File)
	return &Console{w: w, tty: ok && term.IsTerminal(int(f.Fd())), now: time.Now}
}

// Printf writes a line between steps.
func (c *Console) Printf(format string, args ...any) {
	fmt.Fprintf(c.w, format+"\n", args...)
}

// Writer returns the writer for the progress of a step begun by [Console.Plain].
func (c *Console) Writer() io.Writer { return c.w }

// Step is a running step.
type Step struct {
	c     *Console
	title string
	start time.Time
	quit  chan struct{}
	wait  sync.WaitGroup
}

var spinner = []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")

// Step begins a step and shows that it is running.
func (c *Console) Step(title string) *Step {
	if !c.tty {
		return c.Plain(title)
	}
	s := c.begin(title)
	s.wait.Go(func() {
		for i := 0; ; i++ {
			line := fmt.Sprintf("%c %s  %.0f s", spinner[i%len(spinner)], s.title, s.seconds())
			fmt.Fprintf(c.w, "\r%s\x1b[K", fit(line, c.width()))
			select {
			case <-s.quit:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return s
}

// Line is like [Console.Step], but writes only the final line if the output is not a terminal.
func (c *Console) Line(title string) *Step {
	if c.tty {
		return c.Step(title)
	}
	return c.begin(title)
}

// Plain begins a step without a spinner, for steps that show their progress themselves.
func (c *Console) Plain(title string) *Step {
	if !c.tty {
		fmt.Fprintf(c.w, "… %s\n", title)
	}
	return c.begin(title)
}

func (c *Console) begin(title string) *Step {
	return &Step{c: c, title: title, start: c.now(), quit: make(chan struct{})}
}

// Done ends a step that succeeded.
func (s *Step) Done() { s.end("✓", "") }

// Note ends a step that succeeded, with a remark.
func (s *Step) Note(note string) { s.end("✓", ": "+note) }

// Fail ends a step that failed.
func (s *Step) Fail() { s.end("✗", "") }

func (s *Step) end(mark, note string) {
	close(s.quit)
	s.wait.Wait()
	clear := ""
	if s.c.tty {
		clear = "\r\x1b[K"
	}
	fmt.Fprintf(s.c.w, "%s%s %s%s  %.1f s\n", clear, mark, s.title, note, s.seconds())
}

func (s *Step) seconds() float64 { return s.c.now().Sub(s.start).Seconds() }

func (c *Console) width() int {
	if f, ok := c.w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 20 {
			return width
		}
	}
	return 80
}

// fit truncates a line to a width in columns. CJK characters are two columns wide.
func fit(line string, width int) string {
	var out strings.Builder
	columns := 0
	for _, r := range line {
		columns++
		if r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
			r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300) {
			columns++
		}
		if columns >= width {
			return out.String() + "…"
		}
		out.WriteRune(r)
	}
	return out.String()
}
