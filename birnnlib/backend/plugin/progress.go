package plugin

import (
	"fmt"
	"io"

	"github.com/dustin/go-humanize"
	"github.com/schollz/progressbar/v3"

	"birnn/internal/progress"
)

// startProgress shows that a download of total bytes (-1: unknown) begins: a bar on a terminal, elsewhere a line.
func startProgress(w io.Writer, what string, total int64) *progressbar.ProgressBar {
	if w != nil && !progress.IsTerminal(w) {
		size := ""
		if total > 0 {
			size = " (" + humanize.Bytes(uint64(total)) + ")"
		}
		fmt.Fprintf(w, "fetching %s%s\n", what, size)
	}
	bar := progress.New(w, total, "fetching "+what, progressbar.OptionShowBytes(true), progressbar.OptionShowTotalBytes(true),
		progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(false))
	bar.RenderBlank() // starts its clock
	return bar
}
