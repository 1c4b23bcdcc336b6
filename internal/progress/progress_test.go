package progress_test

import (
	"bytes"
	"testing"

	"birnn/internal/progress"
)

func TestNotATerminal(t *testing.T) {
	var out bytes.Buffer
	for _, total := range []int64{-1, 10} {
		bar := progress.New(&out, total, "working")
		bar.RenderBlank()
		bar.ChangeMax(20)
		bar.Describe("still working")
		bar.Add(20)
		bar.Clear()
		bar.Finish()
	}
	if progress.IsTerminal(&out) || progress.IsTerminal(nil) || out.Len() > 0 {
		t.Errorf("a buffer counts as a terminal, or %q was drawn in it", out.String())
	}
}
