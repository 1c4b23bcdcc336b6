package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"birnn/kernels/internal/pins"
	"birnn/kernels/internal/process"
)

// minPython is the oldest Python that JupyterLab's pinned version runs on.
const minPython = "3.10"

// quietSettings keeps JupyterLab from fetching news and updates and from asking the user about them.
const quietSettings = `{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
`

// python returns the step that makes the Python environment with JupyterLab.
func (p *Plan) python() *Step {
	stamp := pins.Stamp(pins.Requirements, pins.Constraints, quietSettings)
	// The name depends on the content, so that the old environment works until the new one does.
	env := p.Options.Home.Path("env-" + pins.Stamp(stamp, p.Options.Python)[:8])
	return &Step{
		Name:   "python",
		Title:  fmt.Sprintf("Python environment with JupyterLab %s and nbclient %s", pins.JupyterLab, pins.NBClient),
		Remedy: fmt.Sprintf("name another Python (%s or newer) with -python, or an existing Jupyter with -jupyter", minPython),
		stamp:  stamp,
		present: func() bool {
			asked := p.Options.Python == "" || p.Options.Python == p.Manifest.AskedPython
			return asked && p.Manifest.Python != "" && exists(p.Manifest.Python)
		},
		run: func(ctx context.Context, log io.Writer) error {
			python, err := findPython(ctx, p.Options.Python)
			if err != nil {
				return err
			}
			if err := makeEnvironment(ctx, python, env, p.Options.Home.Temp(), log); err != nil {
				return errors.Join(err, os.RemoveAll(env))
			}
			p.Manifest.Python = filepath.Join(env, "bin", "python")
			p.Manifest.AskedPython = p.Options.Python
			if err := p.Manifest.Save(); err != nil {
				return err
			}
			old, err := filepath.Glob(p.Options.Home.Path("env-*"))
			for _, dir := range old {
				if dir != env {
					err = errors.Join(err, os.RemoveAll(dir))
				}
			}
			return err
		},
	}
}

// pythonEnv overrides the user's Python settings.
var pythonEnv = []string{"PYTHONPATH", "PYTHONHOME", "PYTHONNOUSERSITE=1", "PIP_USER=0", "PIP_REQUIRE_VIRTUALENV=0", "PIP_TARGET", "PIP_PREFIX", "VIRTUAL_ENV"}

func makeEnvironment(ctx context.Context, python, env, temp string, log io.Writer) error {
	if err := os.RemoveAll(env); err != nil { // left by a killed run
		return err
	}
	requirements := filepath.Join(temp, "requirements.txt")
	constraints := filepath.Join(temp, "constraints.txt")
	if err := errors.Join(os.WriteFile(requirements, pins.Requirements, 0o644), os.WriteFile(constraints, pins.Constraints, 0o644)); err != nil {
		return err
	}
	opts := process.Options{Env: pythonEnv, Log: log}
	install := []string{"install", "--no-input", "--disable-pip-version-check", "--only-binary=:all:", "-r", requirements, "-c", constraints}
	pip := []string{filepath.Join(env, "bin", "python"), "-m", "pip"}
	if out, err := process.Run(ctx, opts, python, "-m", "venv", env); err != nil {
		if ctx.Err() != nil || !strings.Contains(out, "ensurepip") {
			return err
		}
		// Debian packages venv without pip; use the system's pip.
		if err := os.RemoveAll(env); err != nil {
			return err
		}
		if _, bareErr := process.Run(ctx, opts, python, "-m", "venv", "--without-pip", env); bareErr != nil {
			return err
		}
		if _, pipErr := process.Run(ctx, opts, python, "-m", "pip", "--version"); pipErr != nil {
			return fmt.Errorf("%s has neither ensurepip nor pip; on Debian and Ubuntu: apt install python3-venv", python)
		}
		pip = []string{python, "-m", "pip", "--python", filepath.Join(env, "bin", "python")}
	}
	if _, err := process.Run(ctx, opts, pip[0], append(pip[1:], install...)...); err != nil {
		return err
	}
	settings := filepath.Join(env, "share", "jupyter", "lab", "settings")
	if err := os.MkdirAll(settings, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(settings, "overrides.json"), []byte(quietSettings), 0o644)
}

// findPython returns a Python interpreter that is new enough and has the module venv.
func findPython(ctx context.Context, asked string) (string, error) {
	names := []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"}
	if asked != "" {
		names = []string{asked}
	}
	var tried []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := process.Run(ctx, process.Options{Env: pythonEnv}, path, "-c",
			"import sys, venv; print('%d.%d' % sys.version_info[:2]); sys.exit(sys.version_info < ("+strings.ReplaceAll(minPython, ".", ", ")+"))")
		if err == nil {
			return path, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		tried = append(tried, fmt.Sprintf("%s is %s", path, strings.TrimSpace(out)))
	}
	if len(tried) == 0 {
		tried = []string{"not found on the PATH: " + strings.Join(names, ", ")}
	}
	return "", fmt.Errorf("no Python %s or newer with the module venv: %s", minPython, strings.Join(tried, "; "))
}
