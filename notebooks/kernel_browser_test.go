package notebooks

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"birnn/internal/testall"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// session holds the cells of a notebook that shows the features of the kernel: results, pictures, a live curve, a kept
// value and, at the end, an error.
var session = []string{
	"P{1, \"分开\"}\n\ntype P struct {\n\tX    int\n\tName string\n}",
	"t := keep.Value(\"t\", func() (*tensors.Tensor, error) { return tensors.FromValue([][]float32{{1, 2}, {3, 4}}), nil })\nt",
	"show.VegaLite(`{\"title\": \"a chart\", \"width\": 200, \"height\": 100, \"data\": {\"values\": [{\"a\": 1, \"b\": 2}, {\"a\": 2, \"b\": 1}]},\n\"mark\": \"line\", \"encoding\": {\"x\": {\"field\": \"a\", \"type\": \"quantitative\"}, \"y\": {\"field\": \"b\", \"type\": \"quantitative\"}}}`);",
	"curve := figure.Curves{Title: \"live\", X: \"epoch\", Y: \"perplexity\", LogY: true}\nfor epoch := range 30 {\n\tcurve.Add(\"model\", float64(epoch), 900/float64(epoch+1))\n\ttime.Sleep(30 * time.Millisecond)\n}\ncurve.Show()",
	"image.NewUniform(color.Gray{200}).C",
	"func inverse(x []int, i int) int {\n\treturn 1 / x[i]\n}\n\ninverse([]int{1, 0}, 1)",
}

// openInLab opens a notebook of these cells in JupyterLab and starts to run all of them. It returns what acts on the page.
func openInLab(t *testing.T, cells []string) (ctx context.Context, run func(what string, actions ...chromedp.Action)) {
	t.Helper()
	lesson := lessons(t)[0]
	name := t.Name() + ".ipynb"
	path := filepath.Join("zh", name)
	t.Cleanup(func() { os.Remove(path) })
	write(t, path, cells)
	url := startLab(t)
	ctx = startBrowser(t)
	run = func(what string, actions ...chromedp.Action) {
		t.Helper()
		if err := chromedp.Run(ctx, actions...); err != nil {
			screenshot(t, ctx, "failed", height)
			t.Fatalf("%s: %v", what, err)
		}
	}
	run("opening the notebook",
		emulation.SetDeviceMetricsOverride(1280, height, 1, false),
		chromedp.Navigate(strings.Replace(url, lesson, name, 1)+"&reset"), // without the notebooks before
		chromedp.WaitVisible(`.jp-Notebook .jp-CodeCell`, chromedp.ByQuery),
		chromedp.WaitVisible(`.jp-KernelName [aria-label="Go · BiRNN (pure Go)"]`, chromedp.ByQuery),
		chromedp.Click(`[data-jp-item-name="restart-and-run"] jp-button`, chromedp.ByQuery),
		chromedp.Click(`.jp-Dialog .jp-mod-accept`, chromedp.ByQuery),
		chromedp.WaitNotPresent(`.jp-Dialog`, chromedp.ByQuery))
	return ctx, run
}

const height = 3000

// TestLongSessionInJupyterLab answers a request for input, fetches a package from the Go module proxy and resets the
// session.
func TestLongSessionInJupyterLab(t *testing.T) {
	testall.Long(t)
	ctx, run := openInLab(t, []string{
		"type Animal interface{ Noise() string }\n\ntype Dog struct{}\n\nfunc (Dog) Noise() string { return \"汪\" }\n\nvar _ Animal = Dog{}",
		"var name string\nfmt.Print(\"名字：\")\nfmt.Scanln(&name)\nDog{}.Noise() + name",
		"import \"github.com/montanaflynn/stats\"\n\nstats.Median([]float64{1, 2, 4})",
		"%modules",
		"%reset",
		"1 + 1",
		"%modules\n%ls",
		"Dog{}",
	})
	const input = `.jp-Stdin-input`
	run("waiting for the prompt", chromedp.WaitVisible(input, chromedp.ByQuery))
	screenshot(t, ctx, "session-prompt", height)
	run("answering", chromedp.SendKeys(input, "小明"+kb.Enter, chromedp.ByQuery))
	var s state
	for range 120 {
		run("reading the page", chromedp.Sleep(time.Second), chromedp.Evaluate(readState, &s))
		if len(s.Errors) > 0 && strings.Contains(s.Text, "undefined: Dog") {
			break
		}
	}
	screenshot(t, ctx, "session", height)
	rest := s.Text
	for _, want := range []string{`"汪小明"`, "go: added github.com/montanaflynn/stats v", "2", "github.com/montanaflynn/stats v", "all declarations are dropped", "2", "no module was fetched", "undefined: Dog"} {
		_, after, ok := strings.Cut(rest, want)
		if !ok {
			t.Fatalf("the page does not show %s where it should; its outputs are\n%s", want, s.Text)
		}
		rest = after
	}
}

// TestLongKernelInJupyterLab runs the session and completes a name after Chinese text.
func TestLongKernelInJupyterLab(t *testing.T) {
	testall.Long(t)
	ctx, run := openInLab(t, append(session, ""))
	var s state
	for range 120 {
		run("reading the page", chromedp.Sleep(time.Second), chromedp.Evaluate(readState, &s))
		if len(s.Errors) > 0 && strings.Contains(s.Text, "divide by zero") {
			break
		}
	}
	for _, want := range []string{`{X:1 Name:"分开"}`, "Float32", "{Y:200}", "integer divide by zero", "cell 6, line 2", "return 1 / x[i]"} {
		if !strings.Contains(s.Text, want) {
			t.Errorf("the page does not show %s; its outputs are\n%s", want, s.Text)
		}
	}
	if s.Pictures < 1 || s.Loaded != s.All {
		t.Errorf("%d pictures, %d of %d are drawn", s.Pictures, s.Loaded, s.All)
	}
	var charts int
	for range 40 { // Vega draws after the page shows the output
		run("looking for the chart", chromedp.Sleep(250*time.Millisecond), chromedp.Evaluate(`document.querySelectorAll('.vega-embed canvas, .vega-embed svg').length`, &charts))
		if charts > 0 {
			break
		}
	}
	if charts == 0 {
		t.Error("there is no Vega-Lite chart")
	}
	screenshot(t, ctx, "kernel-results", height)

	last := `.jp-Notebook .jp-CodeCell:last-child .cm-content`
	run("completing", chromedp.Click(last, chromedp.ByQuery), chromedp.SendKeys(last, `x := "分开"; strings.Repea`, chromedp.ByQuery), chromedp.KeyEvent(kb.Tab))
	var menu, text string
	for i := range 80 {
		if i%20 == 19 && menu == "" { // gopls was still loading when it was asked
			run("asking again", chromedp.KeyEvent(kb.Tab))
		}
		run("reading the menu", chromedp.Sleep(250*time.Millisecond), chromedp.Evaluate(`Array.from(document.querySelectorAll('.jp-Completer')).map(e => e.textContent).join()`, &menu))
		if strings.Contains(menu, "Repeat") {
			break
		}
	}
	screenshot(t, ctx, "kernel-completion", height)
	run("accepting", chromedp.KeyEvent(kb.Enter), chromedp.Sleep(time.Second), chromedp.Evaluate(`document.querySelector('`+last+`').textContent`, &text))
	if !strings.Contains(text, "strings.Repeat") {
		t.Errorf("the menu is %q, and after Enter the cell %q", menu, text)
	}
}

// write writes a notebook of code cells, each with the tags, for the pure-Go kernel.
func write(t *testing.T, path string, sources []string, tags ...string) {
	t.Helper()
	var cells []map[string]any
	for i, source := range sources {
		cells = append(cells, map[string]any{"cell_type": "code", "source": source, "metadata": map[string]any{"tags": append([]string{}, tags...)}, "outputs": []any{}, "execution_count": nil, "id": fmt.Sprintf("cell-%d", i)})
	}
	notebook, err := json.Marshal(map[string]any{"nbformat": 4, "nbformat_minor": 5, "cells": cells, "metadata": map[string]any{
		"kernelspec": map[string]any{"name": "birnn-go", "display_name": "Go · BiRNN (pure Go)", "language": "go"}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, notebook, 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestLongKernelInNotebook runs a cell in Notebook 7.
func TestLongKernelInNotebook(t *testing.T) {
	testall.Long(t)
	command, err := exec.LookPath("jupyter-notebook")
	if err != nil {
		testall.Missing(t, "Notebook 7: %v", err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.ipynb"), []string{"func f() string { return \"分开\" }", "f()"})
	cmd := exec.Command(command, "--no-browser", "--allow-root", "--port=0", "--ServerApp.port_retries=0", "--IdentityProvider.token=secret", "--LanguageServerManager.autodetect=False")
	cmd.Dir = dir
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	})
	address := regexp.MustCompile(`http://(?:localhost|127\.0\.0\.1):\d+/`)
	url := ""
	lines := bufio.NewScanner(stderr)
	for url == "" && lines.Scan() {
		url = address.FindString(lines.Text())
	}
	go func() { // or the pipe would fill
		for lines.Scan() {
		}
	}()
	ctx := startBrowser(t)
	var text string
	if err := chromedp.Run(ctx, emulation.SetDeviceMetricsOverride(1280, 1000, 1, false), chromedp.Navigate(url+"notebooks/a.ipynb?token=secret"),
		chromedp.WaitVisible(`.jp-Notebook .jp-CodeCell`, chromedp.ByQuery), chromedp.Sleep(3*time.Second),
		chromedp.Click(`[data-jp-item-name="restart-and-run"] jp-button`, chromedp.ByQuery),
		chromedp.Click(`.jp-Dialog .jp-mod-accept`, chromedp.ByQuery)); err != nil {
		screenshot(t, ctx, "notebook-failed", 1000)
		t.Fatal(err)
	}
	for range 60 {
		if err := chromedp.Run(ctx, chromedp.Sleep(time.Second), chromedp.Evaluate(`Array.from(document.querySelectorAll('.jp-OutputArea-output')).map(e => e.textContent).join()`, &text)); err != nil {
			t.Fatal(err)
		}
		if text != "" {
			break
		}
	}
	screenshot(t, ctx, "notebook", 1000)
	if !strings.Contains(text, `"分开"`) {
		t.Errorf("the page shows %q", text)
	}
}
