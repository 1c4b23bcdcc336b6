// Package python finds a Python interpreter and has its pip download and install packages.
package python

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Run runs a command and returns what it wrote. [Output] is one; a caller with its own log or environment passes
// another.
type Run func(ctx context.Context, name string, args ...string) (output string, err error)

// Output runs a command in this process's environment; when ctx ends, it ends the command and its children.
func Output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := command(ctx, name, args...).CombinedOutput()
	return string(out), cmp.Or(ctx.Err(), err)
}

func command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.WaitDelay = 5 * time.Second
	isolate(cmd)
	return cmd
}

// names are what an interpreter is called, the preferred name first.
var names = []string{"python3", "python3.14", "python3.13", "python3.12", "python3.11", "python3.10", "python"}

// Find returns the path of the interpreter asked for, or, if that is empty, of the first on the PATH, that has the
// module and is of the version atLeast, such as 3.10, or newer; an empty atLeast allows any.
func Find(ctx context.Context, run Run, asked, atLeast, module string) (string, error) {
	candidates, required := names, "with the module "+module
	if asked != "" {
		candidates = []string{asked}
	}
	probe := "import sys, " + module + "; print('Python %d.%d' % sys.version_info[:2])"
	if atLeast != "" {
		required = atLeast + " or newer " + required
		probe += "; sys.exit(sys.version_info < (" + strings.ReplaceAll(atLeast, ".", ", ") + "))"
	}
	var tried []string
	for _, name := range candidates {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		out, err := run(ctx, path, "-c", probe)
		if err == nil {
			return path, nil
		}
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		tried = append(tried, path+": "+lastLine(out, err))
	}
	if len(tried) == 0 {
		tried = []string{strings.Join(candidates, ", ") + " not found"}
	}
	return "", fmt.Errorf("no Python %s (%s)", required, strings.Join(tried, "; "))
}

// Interpreter returns the path of the interpreter of a virtual environment.
func Interpreter(environment string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(environment, "Scripts", "python.exe")
	}
	return filepath.Join(environment, "bin", "python")
}

// MakeEnvironment makes a virtual environment in dir with the interpreter python, or updates it, and has pip install
// there what the arguments of "pip install" name.
func MakeEnvironment(ctx context.Context, run Run, python, dir string, install ...string) error {
	pip := []string{Interpreter(dir), "-m", "pip"}
	if out, err := run(ctx, python, "-m", "venv", dir); err != nil {
		if ctx.Err() != nil || !strings.Contains(out, "ensurepip") {
			return err
		}
		// Debian packages ensurepip apart from venv; the system's pip does its work.
		if _, bareErr := run(ctx, python, "-m", "venv", "--without-pip", dir); bareErr != nil {
			return err
		}
		if _, pipErr := run(ctx, python, "-m", "pip", "--version"); pipErr != nil {
			return fmt.Errorf("%s has neither ensurepip nor pip; on Debian and Ubuntu: apt install python3-venv", python)
		}
		pip = []string{python, "-m", "pip", "--python", Interpreter(dir)}
	}
	_, err := run(ctx, pip[0], append(append(pip[1:], "install", "--no-input", "--disable-pip-version-check"), install...)...)
	return err
}

// Distribution is a pinned file on PyPI.
type Distribution struct {
	Name, Version string
	SHA256        string
	Platform      string // the wheel's platform tag; empty for the source distribution
}

// Download downloads the distribution with the pip of the interpreter python, checks its hash and returns its path. All
// that pip writes is below dir. More arguments of "pip download", such as an index to use, may follow.
func (d Distribution) Download(ctx context.Context, python, dir string, pipArgs ...string) (string, error) {
	requirement, temp, to := filepath.Join(dir, "requirement.txt"), filepath.Join(dir, "tmp"), filepath.Join(dir, "dist")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", d.Name, d.Version, d.SHA256)
	if err := errors.Join(os.WriteFile(requirement, []byte(line), 0o644), os.Mkdir(temp, 0o755), os.Mkdir(to, 0o755)); err != nil {
		return "", err
	}
	args := []string{"-m", "pip", "download", "--no-input", "--disable-pip-version-check", "--progress-bar", "off",
		"--no-deps", "--require-hashes", "-r", requirement, "--dest", to}
	if d.Platform != "" {
		// Explicit, since pip may be that of an older Python that does not list the wheel's platform.
		args = append(args, "--only-binary=:all:", "--platform", d.Platform, "--python-version", "3.12", "--implementation", "py", "--abi", "none")
	} else {
		args = append(args, "--no-binary", d.Name)
	}
	cmd := command(ctx, python, append(args, pipArgs...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "TMP="+temp, "TEMP="+temp, "PIP_REQUIRE_VIRTUALENV=false", "PYTHONUNBUFFERED=1")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	if err != nil {
		return "", d.explain(string(out), err)
	}
	found, err := filepath.Glob(filepath.Join(to, "*"))
	if err != nil || len(found) != 1 {
		return "", fmt.Errorf("pip left %d files for %s %s, expected one", len(found), d.Name, d.Version)
	}
	if sum, err := hashOf(found[0]); err != nil {
		return "", err
	} else if sum != d.SHA256 {
		return "", fmt.Errorf("%s has sha256 %s, expected %s: it was altered on the way, or the index is not PyPI's", filepath.Base(found[0]), sum, d.SHA256)
	}
	return found[0], nil
}

// explain turns the output of a failed pip into an error with a remedy.
func (d Distribution) explain(out string, err error) error {
	has := func(texts ...string) bool {
		for _, text := range texts {
			if strings.Contains(strings.ToLower(out), text) {
				return true
			}
		}
		return false
	}
	said := lastLine(out, err)
	switch {
	case has("do not match the hashes"):
		return fmt.Errorf("pip refused %s %s: its sha256 is not the pinned one, so it was altered or cut short on the way; try another network or index (pip: %s)", d.Name, d.Version, said)
	case has("newconnectionerror", "connection refused", "name resolution", "network is unreachable", "connection broken",
		"timed out", "proxyerror", "remotedisconnected", "connection reset", "max retries", "incompleteread"):
		return fmt.Errorf("pip could not reach its package index: check the network or pip's index and proxy settings, then try again (pip: %s)", said)
	case has("no matching distribution"):
		return fmt.Errorf("pip's package index lacks %s %s: it may be a mirror that lags behind, or the network is down (pip: %s)", d.Name, d.Version, said)
	}
	return fmt.Errorf("pip could not download %s %s: %s", d.Name, d.Version, said)
}

// lastLine returns the last line that a failed command wrote, or its error.
func lastLine(out string, err error) string {
	out = strings.TrimSpace(out)
	return cmp.Or(strings.TrimSpace(out[strings.LastIndexByte(out, '\n')+1:]), err.Error())
}

func hashOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	_, err = io.Copy(h, f)
	return hex.EncodeToString(h.Sum(nil)), err
}
