package progress

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// Console shows the steps of a command: a line each, with a spinner and the time on a terminal, and plain lines elsewhere.
type Console struct {
	w   io.Writer
	tty bool
	now func() time.Time
}

// NewConsole returns a Console that writes to w.
func NewConsole(w io.Writer) *Console {
	return &Console{w: w, tty: IsTerminal(w), now: time.Now}
}

// Printf writes a line between steps.
func (c *Console) Printf(format string, args ...any) {
	fmt.Fprintf(c.w, format+"\n", args...)
}

// Writer returns the writer for the progress of a step begun by [Console.Plain].
func (c *Console) Writer() io.Writer { return c.w }

// Step is a running step.
type Step struct {
	c       *Console
	title   string
	start   time.Time
	spinner *progressbar.ProgressBar // nil for none
}

// Step begins a step and shows that it is running.
func (c *Console) Step(title string) *Step {
	if !c.tty {
		return c.Plain(title)
	}
	s := c.begin(title)
	s.spinner = New(c.w, -1, fit(title, c.width()-12), progressbar.OptionSpinnerType(14), progressbar.OptionThrottle(0),
		progressbar.OptionUseANSICodes(true)) // ⠋ TITLE  [1m30s]
	s.spinner.RenderBlank()
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
	return &Step{c: c, title: title, start: c.now()}
}

// Done ends a step that succeeded.
func (s *Step) Done() { s.end("✓") }

// Fail ends a step that failed.
func (s *Step) Fail() { s.end("✗") }

func (s *Step) end(mark string) {
	if s.spinner != nil {
		s.spinner.Finish()
	}
	fmt.Fprintf(s.c.w, "%s %s  %.1f s\n", mark, s.title, s.seconds())
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

// fit cuts a line to less than width columns and an ellipsis; a Chinese character takes two columns.
func fit(line string, width int) string {
	columns := 0
	for g := uniseg.NewGraphemes(line); g.Next(); {
		if columns += g.Width(); columns >= width {
			from, _ := g.Positions()
			return line[:from] + "…"
		}
	}
	return line
}
