package setup

import (
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"birnn/birnnlib/backend/plugin"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/jupyter"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
)

// Check is the result of one check.
type Check struct {
	Name    string `json:"name"`
	OK      bool   `json:"ok"`
	Detail  string `json:"detail,omitempty"`  // what was found
	Problem string `json:"problem,omitempty"` // what is wrong with it
	Fix     string `json:"fix,omitempty"`     // the command that repairs it
}

// Report is the result of all checks.
type Report struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

const installCommand = commandLine + " install"

// Examine checks what is installed and whether it works. It runs all checks and calls tell with each result.
func Examine(ctx context.Context, opts Options, tell func(Check)) (Report, error) {
	e := &examiner{ctx: ctx, opts: opts, tell: tell, report: Report{OK: true}}
	co, err := home.FindCheckout(ctx)
	if err != nil {
		return e.report, err
	}
	e.checkout = co
	e.toolchain()
	e.plugins()
	if e.installed() {
		e.steps()
		e.kernels()
	}
	return e.report, ctx.Err()
}

type examiner struct {
	ctx      context.Context
	opts     Options
	tell     func(Check)
	report   Report
	checkout home.Checkout
	manifest *home.Manifest
}

func (e *examiner) add(c Check) {
	if e.ctx.Err() != nil {
		return // the check failed because it was cancelled
	}
	c.OK = c.Problem == ""
	e.report.OK = e.report.OK && c.OK
	e.report.Checks = append(e.report.Checks, c)
	e.tell(c)
}

func (e *examiner) toolchain() {
	tools := e.checkout.Go
	e.add(Check{Name: "Go", Detail: fmt.Sprintf("%s %s/%s in %s", strings.TrimPrefix(tools.GOVERSION, "go"), tools.GOOS, tools.GOARCH, tools.GOROOT)})
	c := Check{Name: "C compiler, for XLA", Detail: tools.CC + " in " + tools.CCDir}
	if err := tools.XLA(); err != nil {
		c.Detail = ""
		if tools.CCDir != "" {
			c.Detail = err.Error() + "; the pure-Go backend works"
		} else {
			c.Problem = err.Error() + "; the pure-Go backend works without it"
			c.Fix = map[string]string{"darwin": "xcode-select --install"}[tools.GOOS]
			if c.Fix == "" {
				c.Fix = compilerCommand()
			}
		}
	}
	e.add(c)
}

// compilerCommand returns the command that installs a C compiler with this system's package manager.
func compilerCommand() string {
	for _, manager := range []struct{ file, command string }{
		{"/usr/bin/apt-get", "sudo apt-get install gcc libc6-dev"},
		{"/usr/bin/dnf", "sudo dnf install gcc"},
		{"/usr/bin/pacman", "sudo pacman -S gcc"},
		{"/usr/bin/zypper", "sudo zypper install gcc"},
		{"/sbin/apk", "sudo apk add gcc musl-dev"},
	} {
		if _, err := os.Stat(manager.file); err == nil {
			return manager.command
		}
	}
	return "install gcc or clang with your system's package manager"
}

func (e *examiner) plugins() {
	for _, broken := range plugin.FindBroken() {
		e.add(Check{Name: "PJRT plugin", Problem: broken.Err.Error() + "; XLA panics on loading it", Fix: "rm " + quote(broken.Path)})
	}
	if e.checkout.Go.XLA() != nil {
		return
	}
	cpu, cuda := false, false
	for _, f := range plugin.Find() {
		cpu = cpu || f.Name == "cpu"
		cuda = cuda || f.Name == "cuda"
		c := Check{Name: "PJRT plugin " + f.Name, Detail: f.Path}
		if err := plugin.VerifyFull(f.Path); errors.Is(err, plugin.ErrChanged) {
			c.Problem, c.Fix = err.Error(), installCommand+" -replace-plugin"
		} else if err != nil {
			c.Problem, c.Fix = err.Error(), installCommand
		}
		if r, err := plugin.ReadRecord(f.Path); err == nil && r.Source != "" {
			c.Detail += fmt.Sprintf(" (%s %s from %s)", r.Package, r.Version, r.Source)
		}
		e.add(c)
	}
	if !cpu {
		e.add(Check{Name: "PJRT plugin cpu", Problem: "not found where go-xla looks; the pure-Go backend works without it", Fix: installCommand})
	}
	if !cuda && plugin.HasNVIDIA() && !e.opts.NoCUDA {
		e.add(Check{Name: "PJRT plugin cuda", Problem: "missing, although there is an NVIDIA GPU", Fix: installCommand})
	}
}

// installed checks the installation's folder and reports whether there is an installation to check.
func (e *examiner) installed() bool {
	c := Check{Name: "installation", Detail: e.opts.Home.Dir}
	m, err := e.opts.Home.ReadManifest()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		c.Problem, c.Fix = "nothing is installed", installCommand
	case err != nil:
		c.Problem, c.Fix = err.Error(), "rm -r "+quote(e.opts.Home.Dir)
	case m.Checkout == "":
		c.Problem, c.Fix = "an install did not finish", installCommand
	case !home.IsCheckout(m.Checkout):
		c.Problem, c.Fix = fmt.Sprintf("the kernels use the repository in %s, which does not exist any more, so they cannot start", m.Checkout), installCommand
	case m.Checkout != e.checkout.Root:
		c.Problem, c.Fix = fmt.Sprintf("the kernels use another copy of the repository: %s instead of %s", m.Checkout, e.checkout.Root), installCommand
	}
	e.manifest = m
	e.add(c)
	return err == nil
}

// steps checks whether each step of the installation is done and up to date.
func (e *examiner) steps() {
	plan := newPlan(e.checkout, e.manifest, e.opts)
	for _, s := range plan.steps {
		if s.optional {
			continue // plugins have been checked
		}
		c := Check{Name: s.title}
		if s.name == simdStep && plan.done(s) {
			c.Name, c.Detail = "pure Go", e.manifest.SIMD.String()
			if e.manifest.SIMD.Costs {
				c.Detail += fmt.Sprintf("; once that has changed, run %s", installCommand)
			}
		}
		if !plan.done(s) {
			c.Problem, c.Fix = "missing or out of date", installCommand
		} else if err := e.version(s, &c); err != nil {
			c.Problem, c.Fix = err.Error(), commandLine+" uninstall && "+installCommand
		}
		e.add(c)
	}
	specs, err := plan.specs()
	c := Check{Name: "kernels"}
	if err != nil {
		c.Problem, c.Fix = err.Error(), installCommand
	} else if s := plan.kernels(specs); !plan.done(s) {
		c.Name = s.title
		c.Problem, c.Fix = "the installed kernels are out of date: the repository, the Go version or the plugins have changed", installCommand
	} else {
		c.Name = s.title
	}
	e.add(c)
}

// version checks the version of what a step made and notes it in c.
func (e *examiner) version(s *step, c *Check) error {
	if s.name == "python" {
		out, err := process.Run(e.ctx, process.Options{Env: []string{"PYTHONPATH", "PYTHONHOME"}}, e.manifest.Python, "-c",
			"import sys, jupyterlab, nbclient; print(jupyterlab.__version__, nbclient.__version__, sys.version.split()[0])")
		if err != nil {
			return err
		}
		versions := strings.Fields(out)
		if len(versions) != 3 || versions[0] != jupyterLabVersion || versions[1] != nbclientVersion {
			return fmt.Errorf("expected JupyterLab %s and nbclient %s, got %q", jupyterLabVersion, nbclientVersion, out)
		}
		c.Detail = "Python " + versions[2]
		return nil
	}
	if tool := s.tool; tool != nil {
		info, err := buildinfo.ReadFile(s.program)
		if err != nil {
			return err
		}
		if info.Path != tool.path || info.Main.Version != tool.version {
			return fmt.Errorf("%s is %s %s, expected %s %s", s.program, info.Path, info.Main.Version, tool.path, tool.version)
		}
		c.Detail = "built with " + info.GoVersion
	}
	return nil
}

// kernels checks each kernel: its backend computes something, and it runs a cell.
func (e *examiner) kernels() {
	var j jupyter.Jupyter
	var err error
	if e.opts.Jupyter != "" {
		j, err = jupyter.Existing(e.ctx, e.opts.Home, e.opts.Jupyter)
	} else {
		j = jupyter.Private(e.opts.Home, e.manifest.Python)
	}
	if err != nil {
		e.add(Check{Name: "Jupyter", Problem: err.Error(), Fix: installCommand})
		return
	}
	for _, name := range []string{kernelspec.XLA, kernelspec.CUDA, kernelspec.Go} {
		spec, err := kernelspec.Read(filepath.Join(e.opts.Home.Jupyter(), "kernels"), name)
		if errors.Is(err, fs.ErrNotExist) {
			if name == kernelspec.Go || name == kernelspec.XLA && e.checkout.Go.XLA() == nil {
				e.add(Check{Name: "kernel " + name, Problem: "not installed", Fix: installCommand})
			}
			continue
		}
		if err != nil {
			e.add(Check{Name: "kernel " + name, Problem: err.Error(), Fix: installCommand})
			continue
		}
		e.backend(spec)
		if home.IsCheckout(spec.Root()) { // else the kernel cannot start, as reported before
			e.cell(j, spec)
		}
	}
}

// backend runs the probe on a kernel's backend.
func (e *examiner) backend(spec kernelspec.Spec) {
	c := Check{Name: "backend " + spec.JSON.Env["GOMLX_BACKEND"]}
	defer func() { e.add(c) }()
	dir, err := os.MkdirTemp("", "birnn-probe-")
	if err != nil {
		c.Problem, c.Fix = err.Error(), "free some space in "+os.TempDir()
		return
	}
	defer os.RemoveAll(dir)
	probe := filepath.Join(dir, "probe")
	opts := process.Options{Dir: e.checkout.Root, Env: spec.Environ()}
	if _, err := process.Run(e.ctx, opts, spec.GoCommand(), "build", "-o", probe, "./kernels/internal/setup/probe"); err != nil {
		c.Problem, c.Fix = "the probe does not build: "+err.Error(), installCommand
		return
	}
	ctx, cancel := context.WithTimeout(e.ctx, 2*time.Minute)
	defer cancel()
	var out strings.Builder
	opts.Stdout = &out
	if _, err := process.Run(ctx, opts, probe); err != nil {
		c.Problem, c.Fix = "a computation failed: "+err.Error(), installCommand+" -replace-plugin"
		return
	}
	var answer struct {
		Description  string
		Dot, Seconds float64
	}
	if err := json.Unmarshal([]byte(out.String()), &answer); err != nil || answer.Dot != 32 {
		c.Problem, c.Fix = fmt.Sprintf("the probe computes (1, 2, 3) · (4, 5, 6); expected 32, got %q", out.String()), installCommand+" -replace-plugin"
		return
	}
	c.Detail = fmt.Sprintf("(1, 2, 3) · (4, 5, 6) = %g in %.2f s; %s", answer.Dot, answer.Seconds, answer.Description)
}

// helloNotebook has one cell, which fails if the kernel's environment is missing.
const helloNotebook = `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"id": "a", "cell_type": "code",
"metadata": {}, "execution_count": null, "outputs": [], "source": "%%\nif os.Getenv(\"GOMLX_BACKEND\") == \"\" { panic(\"no backend\") }"}]}`

// cell runs a cell in a kernel.
func (e *examiner) cell(j jupyter.Jupyter, spec kernelspec.Spec) {
	c := Check{Name: "kernel " + spec.Name}
	defer func() { e.add(c) }()
	c.Fix = installCommand
	dir, err := os.MkdirTemp("", "birnn-doctor-")
	if err != nil {
		c.Problem = err.Error()
		return
	}
	defer os.RemoveAll(dir)
	notebook := filepath.Join(dir, "hello.ipynb")
	if err := os.WriteFile(notebook, []byte(helloNotebook), 0o644); err != nil {
		c.Problem = err.Error()
		return
	}
	start := time.Now()
	var seconds float64
	var failure string
	err = j.Run(e.ctx, jupyter.Job{Notebook: notebook, Kernel: spec.Name, Timeout: 5 * time.Minute}, func(event jupyter.Event) {
		seconds = max(seconds, event.Seconds)
		if event.Kind == "failed" {
			failure = event.Explain()
		}
	})
	if err != nil {
		c.Problem = strings.TrimSpace(fmt.Sprintf("a one-line cell failed: %v\n%s", err, failure))
		return
	}
	c.Fix = ""
	c.Detail = fmt.Sprintf("%s: a cell took %.1f s, %.1f s including kernel start and stop", spec.JSON.DisplayName, seconds, time.Since(start).Seconds())
}

// quote quotes a path for a shell if it has to be.
func quote(path string) string {
	if strings.ContainsAny(path, " '\"$&;()*?") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
