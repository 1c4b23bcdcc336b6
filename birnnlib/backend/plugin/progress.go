package plugin

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress tells how far a download is: a bar on a terminal, else a line at
// its beginning.
type progress struct{ bar *progressbar.ProgressBar }

// startProgress begins to tell about a download of total bytes (-1: unknown).
func startProgress(w io.Writer, what string, total int64) progress {
	if w == nil {
		return progress{}
	}
	if f, ok := w.(*os.File); !ok || !term.IsTerminal(int(f.Fd())) {
		size := ""
		if total > 0 {
			size = " (" + humanize.Bytes(uint64(total)) + ")"
		}
		fmt.Fprintf(w, "fetching %s%s\n", what, size)
		return progress{}
	}
	bar := progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("fetching "+what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionShowCount(),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionFullWidth(),
	)
	bar.RenderBlank() // before anything arrives, so that its clock starts now
	return progress{bar}
}

func (p progress) set(bytes int64) {
	if p.bar != nil {
		p.bar.Set64(min(bytes, p.bar.GetMax64()))
	}
}

// Write makes progress the writer of an io.TeeReader or io.MultiWriter.
func (p progress) Write(b []byte) (int, error) {
	if p.bar != nil {
		p.bar.Add(len(b))
	}
	return len(b), nil
}

func (p progress) done() {
	if p.bar != nil {
		p.bar.Finish()
	}
}
