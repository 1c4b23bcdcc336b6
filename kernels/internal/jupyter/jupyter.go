// Package jupyter runs Jupyter: notebooks without a browser, printed editions of them, and JupyterLab. It knows where the
// lessons are and what they import.
package jupyter

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"birnn/kernels/internal/home"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
)

// Jupyter is an installed Jupyter.
type Jupyter struct {
	Python string   // its interpreter
	lab    []string // the command that starts JupyterLab
	env    []string // changes to the environment
}

// Private returns the installation's Jupyter. It writes to the installation's folder what it would write to the home
// folder.
func Private(h home.Home, python string) Jupyter {
	paths := []string{}
	if kernels, err := kernelspec.UserDir(); err == nil {
		paths = append(paths, filepath.Dir(kernels)) // the user's other kernels
	}
	return Jupyter{
		Python: python,
		// Notebooks need no language servers, and the search for them runs npm, which writes to the home folder.
		lab: []string{python, "-m", "jupyterlab", "--LanguageServerManager.autodetect=False"},
		env: []string{
			"JUPYTER_DATA_DIR=" + h.Jupyter(),
			"JUPYTER_PATH=" + joinPath(append(paths, os.Getenv("JUPYTER_PATH"))),
			"JUPYTER_CONFIG_DIR=" + h.Path("etc", "jupyter"),
			"JUPYTER_RUNTIME_DIR=" + h.Path("run"),
			"IPYTHONDIR=" + h.Path("etc", "ipython"),
			"PYTHONNOUSERSITE=1", "PYTHONPATH", "PYTHONHOME",
		},
	}
}

// Existing returns the Jupyter of a command "jupyter", given as a path or as a name on the PATH. It finds this
// project's kernels in addition to its own.
func Existing(ctx context.Context, h home.Home, command string) (Jupyter, error) {
	path, err := exec.LookPath(command)
	if err != nil {
		return Jupyter{}, fmt.Errorf("-jupyter: %w; give the path of the jupyter command, or omit -jupyter to install one", err)
	}
	if path, err = filepath.Abs(path); err != nil {
		return Jupyter{}, err
	}
	python, err := interpreter(path)
	if err != nil {
		return Jupyter{}, err
	}
	j := Jupyter{
		Python: python,
		lab:    []string{path, "lab"},
		env: []string{
			"JUPYTER_PATH=" + joinPath([]string{h.Jupyter(), os.Getenv("JUPYTER_PATH")}),
			"JUPYTER_RUNTIME_DIR=" + h.Path("run"),
		},
	}
	if _, err := process.Run(ctx, process.Options{Env: j.env}, python, "-c", "import jupyterlab, nbclient"); err != nil {
		return Jupyter{}, fmt.Errorf("the Jupyter of %s lacks packages; install them with: %s -m pip install jupyterlab nbclient\n%w", path, python, err)
	}
	return j, nil
}

// interpreter returns the Python that runs a script: the one in its first line or, if that is a shell, the one in the
// script's folder.
func interpreter(script string) (string, error) {
	f, err := os.Open(script)
	if err != nil {
		return "", err
	}
	defer f.Close()
	line, _ := bufio.NewReader(f).ReadString('\n')
	if words := strings.Fields(strings.TrimPrefix(line, "#!")); strings.HasPrefix(line, "#!") && len(words) > 0 {
		if strings.HasPrefix(filepath.Base(words[0]), "python") {
			return words[0], nil
		}
		if filepath.Base(words[0]) == "env" && len(words) > 1 && strings.HasPrefix(words[1], "python") {
			return exec.LookPath(words[1])
		}
	}
	if real, err := filepath.EvalSymlinks(script); err == nil {
		for _, name := range []string{"python3", "python"} {
			python := filepath.Join(filepath.Dir(real), name)
			if _, err := os.Stat(python); err == nil {
				return python, nil
			}
		}
	}
	return "", fmt.Errorf("cannot determine which Python runs %s: its first line is %q", script, strings.TrimSpace(line))
}

func joinPath(dirs []string) string {
	kept := dirs[:0]
	for _, dir := range dirs {
		if dir != "" {
			kept = append(kept, dir)
		}
	}
	return strings.Join(kept, string(os.PathListSeparator))
}

// tempDir makes a folder for the temporary files of kernels: code and programs of cells, and the socket of gopls. A
// killed kernel leaves them behind, and its gopls; remove removes both.
func tempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "birnn-")
	return dir, func() {
		process.EndThoseWith(dir)
		os.RemoveAll(dir)
	}, err
}
