package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"birnn/internal/progress"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/jupyter"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/setup"
)

func (a *app) run(ctx context.Context, args []string) int {
	f := a.flags("run", " [NOTEBOOK…]", "Runs notebooks without a browser (default: all lessons in both languages) and stops\nat the first cell that fails. A folder stands for the notebooks in it.")
	f.installFlags()
	kernel := f.String("kernel", kernelspec.XLA, "`name` of the kernel: birnn-xla, birnn-go, birnn-cuda or any other known to Jupyter")
	out := f.String("o", "", "`folder` for the executed copies; the notebooks themselves stay unchanged")
	timeout := f.Duration("timeout", 0, "time limit for each cell, such as 90s or 10m (default: none)")
	named, code, done := f.parse(args, true)
	if done {
		return code
	}
	if *timeout < 0 {
		return f.misuse("-timeout is %v, expected 0 or more", *timeout)
	}
	notebooks, copies, code, done := f.notebooks(ctx, named, *out)
	if done {
		return code
	}

	f.options.NoXLA = *kernel == kernelspec.Go
	installed, problems, err := a.ensure(ctx, f.options)
	if err != nil {
		return a.failed(ctx, err)
	}
	if kernelspec.IsOurs(*kernel) && !installed.Has(*kernel) {
		return a.failed(ctx, fmt.Errorf("kernel %s is not installed: %w; \"-kernel %s\" runs the same notebooks in pure Go",
			*kernel, setup.Why(*kernel, installed, problems), kernelspec.Go))
	}
	for i, notebook := range notebooks {
		job := jupyter.Job{Notebook: notebook, Kernel: *kernel, Timeout: *timeout, Out: copies[i]}
		if err := a.runOne(ctx, installed.Jupyter, job); err != nil {
			if errors.Is(err, jupyter.ErrCell) {
				return fails // reported already
			}
			return a.failed(ctx, fmt.Errorf("%s: %w", notebook, err))
		}
	}
	return ok
}

// notebooks returns the named notebooks, or all lessons, and the paths of their copies in out. If done is true, the
// command exits with code.
func (f *flags) notebooks(ctx context.Context, named []string, out string) (notebooks, paths []string, code int, done bool) {
	co, err := home.FindCheckout(ctx)
	if err != nil {
		return nil, nil, f.app.failed(ctx, err), true
	}
	if notebooks, err = find(co.Root, named); err == nil {
		paths, err = copies(co.Root, out, notebooks)
	}
	if err != nil {
		return nil, nil, f.misuse("%v", err), true
	}
	return notebooks, paths, ok, false
}

// runOne runs a notebook and prints a line for each cell.
func (a *app) runOne(ctx context.Context, j jupyter.Jupyter, job jupyter.Job) error {
	c := progress.NewConsole(a.out)
	start := time.Now()
	var cells int
	var source string
	var line *progress.Step
	return j.Run(ctx, job, func(e jupyter.Event) {
		switch e.Kind {
		case "start":
			cells = e.Cells
			c.Printf("%s on %s, %s", relative(job.Notebook), job.Kernel, count(cells))
		case "cell":
			source = e.Source
			line = c.Line(fmt.Sprintf("[%*d/%d] %s", len(fmt.Sprint(cells)), e.Number, cells, firstLine(source)))
		case "ran":
			line.Done()
		case "failed":
			line.Fail()
			c.Printf("\ncell %d of %s:\n%s\n\n%s", e.Number, relative(job.Notebook), indented(source), indented(e.Explain()))
			if job.Out != "" {
				c.Printf("\nwhat ran is saved in %s", relative(job.Out))
			}
		case "fatal":
			if line != nil {
				line.Fail()
			}
		case "done":
			c.Printf("%s ran in %.1f s", count(cells), time.Since(start).Seconds())
		}
	})
}

// find returns the named notebooks, or all lessons.
func find(root string, named []string) ([]string, error) {
	if len(named) == 0 {
		all, err := jupyter.Lessons(root)
		if err == nil && len(all) == 0 {
			err = fmt.Errorf("no lessons in %s", jupyter.LessonsDir(root))
		}
		return all, err
	}
	var found []string
	for _, name := range named {
		info, err := os.Stat(name)
		switch {
		case err != nil:
			return nil, fmt.Errorf("no notebook %s: %w", name, err)
		case info.IsDir():
			inside, err := filepath.Glob(filepath.Join(name, "*.ipynb"))
			if err != nil || len(inside) == 0 {
				return nil, fmt.Errorf("no notebook (*.ipynb) in the folder %s", name)
			}
			slices.Sort(inside)
			found = append(found, inside...)
		case filepath.Ext(name) != ".ipynb":
			return nil, fmt.Errorf("%s is not a notebook: expected a name that ends in .ipynb", name)
		default:
			found = append(found, name)
		}
	}
	return found, nil
}

// copies returns the paths of the executed copies in out: lessons keep their path below notebooks/, others their name.
func copies(root, out string, notebooks []string) ([]string, error) {
	paths := make([]string, len(notebooks))
	if out == "" {
		return paths, nil
	}
	for i, notebook := range notebooks {
		absolute, err := filepath.Abs(notebook)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(jupyter.LessonsDir(root), absolute)
		if err != nil || !filepath.IsLocal(rel) {
			rel = filepath.Base(notebook)
		}
		path, err := filepath.Abs(filepath.Join(out, rel))
		if err != nil {
			return nil, err
		}
		if path == absolute {
			return nil, fmt.Errorf("-o %s would overwrite %s", out, notebook)
		}
		if slices.Contains(paths[:i], path) {
			return nil, fmt.Errorf("two notebooks are named %s: run them one at a time, or with different -o", rel)
		}
		paths[i] = path
	}
	return paths, nil
}

// relative returns a path relative to the working directory if it is in there.
func relative(path string) string {
	wd, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(wd, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

// count formats a number of cells.
func count(cells int) string {
	if cells == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", cells)
}

func firstLine(source string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(source), "\n")
	return strings.TrimSpace(line)
}

func indented(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}
