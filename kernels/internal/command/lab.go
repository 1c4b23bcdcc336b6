package command

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"birnn/kernels/internal/jupyter"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/setup"
)

func (a *app) lab(ctx context.Context, args []string) int {
	f := a.flags("lab", "", "Installs what is missing and opens JupyterLab on the first lesson. Ctrl-C stops it.")
	f.installFlags()
	f.userFlags()
	noBrowser := f.Bool("no-browser", false, "print the address instead of opening a browser")
	port := f.Int("port", 0, "`port` of JupyterLab (default: the first free one from 8888)")
	lang := f.String("lang", "", "`language` of the lessons, zh or en (default: that of the locale)")
	if _, code, done := f.parse(args, false); done {
		return code
	}
	if *port < 0 || *port > 65535 {
		return f.misuse("-port is %d, expected 1 to 65535", *port)
	}
	language, err := jupyter.LessonLanguage(*lang, os.Getenv)
	if err != nil {
		return f.misuse("-lang: %v", err)
	}
	installed, problems, err := a.ensure(ctx, f.options)
	if err != nil {
		return a.failed(ctx, err)
	}
	kernel := kernelspec.XLA
	if !installed.Has(kernel) {
		fmt.Fprintf(a.err, "XLA is not available, choose the kernel \"Go · BiRNN (pure Go)\": %v\n", setup.Why(kernel, installed, problems))
		kernel = kernelspec.Go
	}
	root := jupyter.LessonsDir(installed.Checkout.Root)
	if info, err := os.Stat(root); err != nil || !info.IsDir() {
		root = installed.Checkout.Root
	}
	first := jupyter.FirstLesson(installed.Checkout.Root, language)
	err = installed.Jupyter.Lab(ctx, f.options.Home, jupyter.Lab{
		Root: root, Notebook: first, Kernel: kernel, Port: *port, Browser: !*noBrowser,
		Ready: func(url string) {
			what := "JupyterLab"
			if first != "" {
				what += " with " + filepath.Base(first)
			}
			fmt.Fprintf(a.out, "%s is running at\n  %s\nCtrl-C stops it.\n", what, url)
		},
	})
	if ctx.Err() != nil {
		fmt.Fprintln(a.out, "JupyterLab has stopped.")
		return ok
	}
	if err != nil {
		return a.failed(ctx, err)
	}
	return ok
}
