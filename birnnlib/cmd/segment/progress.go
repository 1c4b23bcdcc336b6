package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"birnn/birnnlib/tag"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress shows how far the training is: a bar on a terminal, elsewhere a line every ten seconds.
type progress struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar
	epochs   int
	lastLine time.Time
}

const betweenLines = 10 * time.Second

func newProgress(w io.Writer) *progress {
	f, ok := w.(*os.File)
	return &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

func (p *progress) start(epochs int) {
	p.epochs, p.lastLine = epochs, time.Now()
	if p.terminal {
		p.bar = progressbar.NewOptions(-1, progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription("compiling"),
			progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionFullWidth(), progressbar.OptionClearOnFinish())
	}
}

// show is called after every mini-batch.
func (p *progress) show(position tag.Position, batches int) {
	if p.bar != nil {
		p.bar.ChangeMax(p.epochs * batches)
		p.bar.Describe(fmt.Sprintf("epoch %d of %d", position.Epoch+1, p.epochs))
		_ = p.bar.Set(position.Epoch*batches + position.Batch)
	} else if time.Since(p.lastLine) >= betweenLines {
		p.lastLine = time.Now()
		fmt.Fprintf(p.w, "epoch %d of %d, mini-batch %d of %d\n", position.Epoch+1, p.epochs, position.Batch, batches)
	}
}

// clear removes the bar, so that something else can be printed.
func (p *progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
