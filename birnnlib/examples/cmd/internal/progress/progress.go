// Package progress shows how far the training of a command is.
package progress

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"birnn/internal/progress"
)

// Bar is a bar on a terminal, elsewhere a line every ten seconds.
type Bar struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	epochs   int
	lastLine time.Time
}

const betweenLines = 10 * time.Second

// New returns the bar of a training that has not started.
func New(w io.Writer) *Bar {
	return &Bar{w: w, terminal: progress.IsTerminal(w)}
}

// Start starts a training of so many epochs.
func (p *Bar) Start(epochs int) {
	p.epochs, p.lastLine = epochs, time.Now()
	if p.terminal {
		p.bar = progress.New(p.w, -1, "compiling", progressbar.OptionShowCount())
	}
}

// Show is called after every mini-batch: complete epochs, complete mini-batches of the running one, and how many it has.
func (p *Bar) Show(epoch, batch, batches int) {
	if p.bar != nil {
		p.bar.ChangeMax(p.epochs * batches)
		p.bar.Describe(fmt.Sprintf("epoch %d of %d", epoch+1, p.epochs))
		_ = p.bar.Set(epoch*batches + batch)
	} else if time.Since(p.lastLine) >= betweenLines {
		p.lastLine = time.Now()
		fmt.Fprintf(p.w, "epoch %d of %d, mini-batch %d of %d\n", epoch+1, p.epochs, batch, batches)
	}
}

// Clear removes the bar, so that something else can be printed.
func (p *Bar) Clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
