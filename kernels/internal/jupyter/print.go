package jupyter

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"birnn/internal/atomicfile"
	"birnn/kernels/internal/process"
)

// browsers are the usual commands and paths of Chromium and Chrome.
var browsers = []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
	"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome", "/Applications/Chromium.app/Contents/MacOS/Chromium"}

// Browser returns the path of the command asked for; if asked is empty, that of an installed Chromium or Chrome, or "".
func Browser(asked string) (string, error) {
	if asked != "" {
		path, err := exec.LookPath(asked)
		if err != nil {
			return "", fmt.Errorf("-browser: %w", err)
		}
		return path, nil
	}
	for _, name := range browsers {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", nil
}

// onPaper wraps long lines and keeps each figure on one page. It names the only font that jupyter_server_mathjax has.
const onPaper = `<style>pre { white-space: pre-wrap !important; tab-size: 4 !important; } img, svg, table { break-inside: avoid; } @page { size: A4; margin: 15mm; }</style>
<script type="text/x-mathjax-config">MathJax.Hub.Config({"HTML-CSS": {availableFonts: [], preferredFont: "STIX-Web", webFont: "STIX-Web", imageFont: null}});</script>
`

// Print makes a printable edition of a notebook with its saved outputs: a PDF, or an HTML page if browser is empty.
func (j Jupyter) Print(ctx context.Context, notebook, to, browser string) error {
	temp, err := os.MkdirTemp("", "birnn-print-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	args := []string{"-m", "nbconvert", "--to", "html", "--log-level", "WARN", "--output-dir", temp, "--output", "page"}
	if browser != "" {
		mathJax, err := j.mathJax(ctx)
		if err != nil {
			return err
		}
		args = append(args, "--HTMLExporter.mathjax_url="+mathJax)
	}
	if _, err := process.Run(ctx, process.Options{Env: j.env}, j.Python, append(args, notebook)...); err != nil {
		return err
	}
	page := filepath.Join(temp, "page.html")
	absolute, err := filepath.Abs(notebook)
	if err != nil {
		return err
	}
	base := `<base href="` + fileURL(filepath.Dir(absolute)) + "/\">\n" // for relative links to images
	html, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	made := bytes.Replace(html, []byte("<head>"), []byte("<head>"+base+onPaper), 1)
	if browser != "" {
		if err := os.WriteFile(page, made, 0o600); err != nil {
			return err
		}
		if made, err = printPage(ctx, browser, fileURL(page)); err != nil {
			return err
		}
	}
	return atomicfile.WriteFile(to, made, 0o644)
}

// printPage prints a page as a PDF once MathJax has typeset its formulas.
func printPage(ctx context.Context, browser, url string) (pdf []byte, err error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(browser), chromedp.DisableGPU,
		chromedp.Flag("allow-file-access-from-files", true), // MathJax and the images are files
		chromedp.Flag("force-prefers-reduced-motion", true)) // no animations
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox) // Chromium refuses to run sandboxed as root
	}
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	defer end()
	ctx, end = chromedp.NewContext(ctx)
	defer end()
	ctx, end = context.WithTimeout(ctx, 2*time.Minute)
	defer end()
	set := func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }
	err = chromedp.Run(ctx, chromedp.Navigate(url),
		chromedp.Evaluate(`new Promise(resolve => MathJax.Hub.Queue(resolve))`, nil, set),
		chromedp.ActionFunc(func(ctx context.Context) (err error) {
			pdf, _, err = page.PrintToPDF().WithPreferCSSPageSize(true).WithPrintBackground(true).Do(ctx)
			return err
		}))
	if err != nil {
		return nil, fmt.Errorf("%s cannot print the page: %w", browser, err)
	}
	return pdf, nil
}

// mathJax returns the URL of the installed MathJax.
func (j Jupyter) mathJax(ctx context.Context) (string, error) {
	out, err := process.Run(ctx, process.Options{Env: j.env}, j.Python, "-c",
		"import os, jupyter_server_mathjax as m; print(os.path.join(os.path.dirname(m.__file__), 'static', 'MathJax.js'))")
	if err != nil {
		return "", fmt.Errorf("formulas need the Python package jupyter_server_mathjax; install it with: %s -m pip install jupyter_server_mathjax\n%w", j.Python, err)
	}
	return fileURL(strings.TrimSpace(out)) + "?config=TeX-AMS-MML_HTMLorMML-full,Safe", nil
}

func fileURL(path string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(path)}).String()
}
