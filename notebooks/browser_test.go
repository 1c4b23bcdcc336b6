package notebooks

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"birnn/internal/testall"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// state is what the page shows.
type state struct {
	Cells    int      // code cells
	Waiting  int      // code cells that have not finished
	Failed   int      // cells that ended in an error
	Errors   []string // as the cells show them
	Formulas int      // set by MathJax
	Pictures int      // in outputs, including charts drawn by Vega-Lite
	Loaded   int      // images drawn by the browser, in outputs and text
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
		Failed: all('.jp-Notebook [data-mime-type="application/vnd.jupyter.error"], .jp-Notebook [data-mime-type="application/vnd.jupyter.stderr"]').filter(e => !e.textContent.startsWith('✗')).length, // without those of the checks
		Errors: all('.jp-Notebook [data-mime-type="application/vnd.jupyter.error"], .jp-Notebook [data-mime-type="application/vnd.jupyter.stderr"]').map(e => e.textContent),
		Formulas: all('.jp-Notebook mjx-container').length,
		Pictures: all('.jp-Notebook .jp-OutputArea img, .jp-Notebook .jp-OutputArea .vega-embed .marks').length,
		Loaded: images.filter(i => i.complete && i.naturalWidth > 0).length,
		All: images.length,
		Text: all('.jp-Notebook .jp-OutputArea-output').map(e => e.textContent).join('\n'),
	};
})()`

// TestLongInJupyterLab opens every lesson in Chinese with the command of the README in a real browser, runs all cells,
// and compares the page and the file that JupyterLab saves with the committed notebook. With `go test -artifacts` it
// keeps screenshots, also in the dark theme.
func TestLongInJupyterLab(t *testing.T) {
	testall.Long(t)
	url := startLab(t)
	all := lessons(t)
	for _, name := range all {
		t.Run(name, func(t *testing.T) { runInJupyterLab(t, strings.Replace(url, all[0], name, 1), name) })
	}
}

func runInJupyterLab(t *testing.T, url, name string) {
	lesson := filepath.Join("zh", name)
	saved, err := os.ReadFile(lesson)
	if err != nil {
		t.Fatal(err)
	}
	committed := read(t, lesson)
	t.Cleanup(func() { // JupyterLab saves what it ran
		if err := os.WriteFile(lesson, saved, 0o666); err != nil {
			t.Error(err)
		}
	})
	cells, pictures, formulas, failing := 0, 0, 0, 0
	for _, cell := range committed.Cells {
		if cell.Type == "code" {
			cells++
		} else {
			formulas += len(formula.FindAllString(string(cell.Source), -1))
		}
		for _, o := range cell.Outputs {
			if o.Type == "error" {
				failing++ // the check of an unsolved exercise
			}
			if _, ok := o.Data["image/png"]; ok {
				pictures++
			}
		}
	}
	ctx := startBrowser(t)
	// JupyterLab keeps only the visible cells on the page: make everything visible.
	const width, height = 1280, 40000
	run := func(what string, actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			screenshot(t, ctx, name+"-failed", height)
			t.Fatalf("%s: %v", what, err)
		}
	}
	run("opening the lesson",
		emulation.SetDeviceMetricsOverride(width, height, 1, false),
		chromedp.Navigate(url+"&reset"), // without the lessons before
		chromedp.WaitVisible(`.jp-Notebook .jp-CodeCell`, chromedp.ByQuery),
		chromedp.WaitVisible(`.jp-KernelName [aria-label="Go · BiRNN (XLA)"]`, chromedp.ByQuery),
	)
	// The button "restart the kernel and run all cells", which also clears the outputs, and its question.
	run("running all cells",
		chromedp.Click(`[data-jp-item-name="restart-and-run"] jp-button`, chromedp.ByQuery),
		chromedp.Click(`.jp-Dialog .jp-mod-accept`, chromedp.ByQuery),
		chromedp.WaitNotPresent(`.jp-Dialog`, chromedp.ByQuery))
	var s state
	for {
		run("reading the page", chromedp.Sleep(2*time.Second), chromedp.Evaluate(readState, &s))
		if s.Cells == cells && s.Waiting == 0 {
			break
		}
		if s.Failed > failing {
			screenshot(t, ctx, name+"-failed", height)
			t.Fatalf("a cell failed: %q", s.Errors)
		}
	}
	screenshot(t, ctx, name+"-light", height)
	if s.Failed != failing {
		t.Errorf("%d cells failed, want the %d checks of exercises: %q", s.Failed, failing, s.Errors)
	}
	if s.Formulas < formulas {
		t.Errorf("%d formulas are set, want at least the %d display formulas", s.Formulas, formulas)
	}
	if s.Pictures < pictures || s.Loaded != s.All {
		t.Errorf("%d pictures in outputs, want %d; %d of %d on the page are drawn", s.Pictures, pictures, s.Loaded, s.All)
	}

	var ran *notebook
	begin := time.Now() // JupyterLab also saves automatically, before all outputs have arrived
	run("saving", chromedp.KeyEvent("s", chromedp.KeyModifiers(input.ModifierCtrl)))
	for ran == nil {
		if info, err := os.Stat(lesson); err != nil {
			t.Fatal(err)
		} else if info.ModTime().After(begin) {
			time.Sleep(time.Second) // until the file is complete
			ran = read(t, lesson)
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("JupyterLab does not save")
		}
		time.Sleep(100 * time.Millisecond)
	}
	compare(t, lesson, committed, ran)

	theme := func(settings string) chromedp.Action {
		return chromedp.Evaluate(fmt.Sprintf(setTheme, settings), nil, func(p *runtime.EvaluateParams) *runtime.EvaluateParams {
			return p.WithAwaitPromise(true)
		})
	}
	run("the dark theme", theme(`{"theme": "JupyterLab Dark"}`), chromedp.Reload(),
		chromedp.WaitVisible(`body[data-jp-theme-light="false"] .jp-Notebook .jp-CodeCell`, chromedp.ByQuery), chromedp.Sleep(5*time.Second))
	screenshot(t, ctx, name+"-dark", height)
	run("the theme as it was", theme(`{}`))
}

// setTheme saves the settings of the theme, which take effect when a page is loaded.
const setTheme = `(async () => {
	const base = location.pathname.replace(/lab\/.*/, '');
	const xsrf = document.cookie.match(/_xsrf=([^;]*)/);
	const answer = await fetch(base + 'lab/api/settings/@jupyterlab/apputils-extension:themes', {
		method: 'PUT', headers: {'Content-Type': 'application/json', 'X-XSRFToken': xsrf ? xsrf[1] : ''},
		body: JSON.stringify({raw: %q}),
	});
	if (!answer.ok) throw new Error(answer.statusText);
})()`

// startBrowser starts Chromium until the end of the test.
func startBrowser(t *testing.T) context.Context {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true))
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

// screenshot saves what the page shows down to a height, with `go test -artifacts`: in parts, since the size of a
// picture is limited.
func screenshot(t *testing.T, ctx context.Context, name string, height float64) {
	t.Helper()
	if keep := flag.Lookup("test.artifacts"); keep == nil || keep.Value.String() != "true" {
		return
	}
	dir := t.ArtifactDir()
	var used float64 // the height of the content
	err := chromedp.Run(ctx, chromedp.Evaluate(`Math.max(200, ...Array.from(document.querySelectorAll('.jp-Notebook .jp-Cell')).map(e => e.getBoundingClientRect().bottom + 50))`, &used))
	const part = 4000.0
	height = min(height, used)
	for i := 0; err == nil && float64(i)*part < height; i++ {
		var png []byte
		err = chromedp.Run(ctx, chromedp.ActionFunc(func(ctx context.Context) (err error) {
			clip := &page.Viewport{Y: float64(i) * part, Width: 1280, Height: min(part, height-float64(i)*part), Scale: 1}
			png, err = page.CaptureScreenshot().WithClip(clip).Do(ctx)
			return err
		}))
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.png", name, i+1)), png, 0o666)
		}
	}
	if err != nil {
		t.Logf("no screenshot %s: %v", name, err)
	}
}
