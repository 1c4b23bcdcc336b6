package notebooks

import (
	"bufio"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// BrowserEnv is the environment variable that asks for TestInJupyterLab and names the Chromium to use; "1" looks for it on
// the PATH. Beside it, BIRNN_BROWSER_SHOTS may name a directory for screenshots.
const BrowserEnv = "BIRNN_BROWSER"

// state is what the page shows.
type state struct {
	Cells    int      // code cells
	Waiting  int      // of them, those that have not run to the end
	Errors   []string // what went wrong, as the cells show it
	Formulas int      // that MathJax has set
	Pictures int      // in outputs
	Loaded   int      // of them and of those in the text, those that the browser could draw
	All      int
	Text     string // of all outputs
}

const readState = `(() => {
	const all = (selector) => Array.from(document.querySelectorAll(selector));
	const cells = all('.jp-Notebook .jp-CodeCell');
	const prompts = cells.map(cell => cell.querySelector('.jp-InputPrompt').textContent);
	const images = all('.jp-Notebook img');
	return {
		Cells: cells.length,
		Waiting: prompts.filter(p => !/^\[\d+\]:$/.test(p)).length,
		Errors: all('.jp-Notebook [data-mime-type="application/vnd.jupyter.error"], .jp-Notebook [data-mime-type="application/vnd.jupyter.stderr"]').map(e => e.textContent),
		Formulas: all('.jp-Notebook mjx-container').length,
		Pictures: all('.jp-Notebook .jp-OutputArea img').length,
		Loaded: images.filter(i => i.complete && i.naturalWidth > 0).length,
		All: images.length,
		Text: all('.jp-Notebook .jp-OutputArea-output').map(e => e.textContent).join('\n'),
	};
})()`

// TestInJupyterLab opens the first lesson as a reader does, with the command of the README in a real browser, runs all
// cells, and reads the outputs off the page.
func TestInJupyterLab(t *testing.T) {
	needBrowser(t)
	lesson := filepath.Join("zh", lessons(t)[0])
	committed, err := os.ReadFile(lesson)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // JupyterLab saves what it ran
		if err := os.WriteFile(lesson, committed, 0o666); err != nil {
			t.Error(err)
		}
	})
	url := startLab(t)
	ctx := startBrowser(t)

	// JupyterLab keeps only the visible cells on the page: make everything visible.
	const width, height = 1280, 16000
	run := func(what string, actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			screenshot(t, ctx, "failed", height)
			t.Fatalf("%s: %v", what, err)
		}
	}
	run("opening the lesson",
		emulation.SetDeviceMetricsOverride(width, height, 1, false),
		chromedp.Navigate(url),
		chromedp.WaitVisible(`.jp-Notebook .jp-CodeCell`, chromedp.ByQuery),
		chromedp.WaitVisible(`.jp-KernelName [aria-label="Go · BiRNN (XLA)"]`, chromedp.ByQuery),
	)
	// The button "restart the kernel and run all cells", which also clears the outputs, and its question.
	run("running all cells",
		chromedp.Click(`[data-jp-item-name="restart-and-run"] jp-button`, chromedp.ByQuery),
		chromedp.Click(`.jp-Dialog .jp-mod-accept`, chromedp.ByQuery),
		chromedp.WaitNotPresent(`.jp-Dialog`, chromedp.ByQuery))

	var s state
	cells := 0
	for _, cell := range read(t, lesson).Cells {
		if cell.Type == "code" {
			cells++
		}
	}
	for {
		run("reading the page", chromedp.Sleep(2*time.Second), chromedp.Evaluate(readState, &s))
		if len(s.Errors) > 0 {
			screenshot(t, ctx, "failed", height)
			t.Fatalf("a cell failed: %q", s.Errors)
		}
		if s.Cells == cells && s.Waiting == 0 {
			break
		}
	}
	screenshot(t, ctx, "lesson-1", height)
	if s.Formulas < 7 {
		t.Errorf("%d formulas are set, want at least the 7 of the lesson", s.Formulas)
	}
	if s.Pictures < 3 || s.Loaded != s.All {
		t.Errorf("%d pictures in outputs, %d of %d on the page are drawn; want 3 or more, and all", s.Pictures, s.Loaded, s.All)
	}
	for _, want := range []string{
		`backend xla:cpu, device cpu:0`,
		`\(Float32\)\[32, 512\] @ cpu:0`,
		`epoch 160, perplexity \d+\.\d{6}, time \d+\.\d{2} sec`,
		` - 不分开.{50}`,
		`t=8    · · · · · · · ■`,
	} {
		if !regexp.MustCompile(want).MatchString(s.Text) {
			t.Errorf("the page does not show %s; its outputs are\n%s", want, s.Text)
		}
	}
}

func needBrowser(t *testing.T) {
	if os.Getenv(BrowserEnv) == "" {
		t.Skipf("set %s=1 to use JupyterLab in Chromium; it takes minutes", BrowserEnv)
	}
}

// startBrowser starts Chromium until the end of the test.
func startBrowser(t *testing.T) context.Context {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
	if browser := os.Getenv(BrowserEnv); browser != "1" {
		options = append(options, chromedp.ExecPath(browser))
	}
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 15*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// startLab runs `kernels lab` until the end of the test, and returns the address that it prints.
func startLab(t *testing.T) (url string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "kernels")
	if out, err := exec.Command("go", "build", "-o", binary, "../kernels").CombinedOutput(); err != nil {
		t.Fatalf("go build ./kernels: %v\n%s", err, out)
	}
	cmd := exec.Command(binary, "lab", "-no-browser", "-lang", "zh")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
	})
	found := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if text := strings.TrimSpace(lines.Text()); strings.HasPrefix(text, "http") {
				found <- text
			}
		}
		close(found)
	}()
	url, ok := <-found
	if !ok {
		t.Fatal("`kernels lab` ended without an address")
	}
	return url
}

// screenshot saves what the page shows, where BIRNN_BROWSER_SHOTS asks for it.
func screenshot(t *testing.T, ctx context.Context, name string, height float64) {
	t.Helper()
	dir := os.Getenv("BIRNN_BROWSER_SHOTS")
	if dir == "" {
		return
	}
	var png []byte
	err := chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
		png, err = page.CaptureScreenshot().WithClip(&page.Viewport{Width: 1280, Height: height, Scale: 1}).Do(ctx)
		return err
	}))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o666)
	}
	if err != nil {
		t.Logf("no screenshot %s: %v", name, err)
	}
}
