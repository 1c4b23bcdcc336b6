package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"birnn/internal/python"
	"birnn/kernels/internal/process"
)

// minPython is the oldest Python that JupyterLab's pinned version runs on.
const minPython = "3.10"

// quietSettings keeps JupyterLab from fetching news and updates and from asking the user about them.
const quietSettings = `{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}
`

// python returns the step that makes the Python environment with JupyterLab.
func (p *plan) python() *step {
	content := stamp(requirements, constraints, quietSettings)
	// The name depends on the content, so that the old environment works until the new one does.
	env := p.options.Home.Path("env-" + stamp(content, p.options.Python)[:8])
	return &step{
		name:   "python",
		title:  fmt.Sprintf("Python environment with JupyterLab %s and nbclient %s", jupyterLabVersion, nbclientVersion),
		remedy: fmt.Sprintf("name another Python (%s or newer) with -python, or an existing Jupyter with -jupyter", minPython),
		stamp:  content,
		present: func() bool {
			asked := p.options.Python == "" || p.options.Python == p.manifest.AskedPython
			return asked && p.manifest.Python != "" && exists(p.manifest.Python)
		},
		run: func(ctx context.Context, log io.Writer) error {
			if err := makeEnvironment(ctx, p.options.Python, env, p.options.Home.Temp(), log); err != nil {
				return errors.Join(err, os.RemoveAll(env))
			}
			p.manifest.Python = python.Interpreter(env)
			p.manifest.AskedPython = p.options.Python
			if err := p.manifest.Save(); err != nil {
				return err
			}
			old, err := filepath.Glob(p.options.Home.Path("env-*"))
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

// makeEnvironment makes the environment in env with the interpreter asked for.
func makeEnvironment(ctx context.Context, asked, env, temp string, log io.Writer) error {
	run := func(ctx context.Context, name string, args ...string) (string, error) {
		return process.Run(ctx, process.Options{Env: pythonEnv, Log: log}, name, args...)
	}
	interpreter, err := python.Find(ctx, run, asked, minPython, "venv")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(env); err != nil { // of a run that was killed
		return err
	}
	direct := filepath.Join(temp, "requirements.txt")
	all := filepath.Join(temp, "constraints.txt")
	if err := errors.Join(os.WriteFile(direct, requirements, 0o644), os.WriteFile(all, constraints, 0o644)); err != nil {
		return err
	}
	if err := python.MakeEnvironment(ctx, run, interpreter, env, "--only-binary=:all:", "-r", direct, "-c", all); err != nil {
		return err
	}
	settings := filepath.Join(env, "share", "jupyter", "lab", "settings")
	if err := os.MkdirAll(settings, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(settings, "overrides.json"), []byte(quietSettings), 0o644)
}
