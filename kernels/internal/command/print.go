package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"birnn/internal/progress"
	"birnn/kernels/internal/jupyter"
)

func (a *app) printable(ctx context.Context, args []string) int {
	f := a.flags("print", " [NOTEBOOK…]", "Makes a printable edition of notebooks with their saved outputs (default: all lessons in both languages): a PDF each\nif Chromium is installed, otherwise an HTML page to print from a browser. A folder stands for the notebooks in it.")
	f.installFlags()
	f.options.NoXLA = true
	out := f.String("o", "printed", "output `folder`")
	browser := f.String("browser", "", "`command` of Chromium or Chrome (default: the one on the PATH)")
	named, code, done := f.parse(args, true)
	if done {
		return code
	}
	notebooks, copies, code, done := f.notebooks(ctx, named, *out)
	if done {
		return code
	}
	printer, err := jupyter.Browser(*browser)
	if err != nil {
		return f.misuse("%v", err)
	}
	installed, _, err := a.ensure(ctx, f.options)
	if err != nil {
		return a.failed(ctx, err)
	}
	form := ".pdf"
	if printer == "" {
		form = ".html"
	}
	c := progress.NewConsole(a.out)
	for i, notebook := range notebooks {
		to := strings.TrimSuffix(copies[i], ".ipynb") + form
		line := c.Line(relative(to))
		err := os.MkdirAll(filepath.Dir(to), 0o777)
		if err == nil {
			err = installed.Jupyter.Print(ctx, notebook, to, printer)
		}
		if err != nil {
			line.Fail()
			return a.failed(ctx, fmt.Errorf("%s: %w", notebook, err))
		}
		line.Done()
	}
	if printer == "" {
		c.Printf("Chromium was not found: print these pages from a browser that is online, which the formulas need.")
	}
	return ok
}
