// Package home knows where things are: the folder that everything is installed in, with its lock and manifest, and the
// checkout of the repository, with the Go toolchain that builds it.
package home

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"birnn/internal/atomicfile"
)

// Env is the environment variable that names another folder.
const Env = "BIRNN_HOME"

// Home is the folder of an installation.
type Home struct{ Dir string }

// Locate returns the folder asked for; if asked is empty, that of BIRNN_HOME, or "birnn" in the user's data directory.
func Locate(asked string) (Home, error) {
	if asked == "" {
		asked = os.Getenv(Env)
	}
	if asked == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return Home{}, fmt.Errorf("%w; name the folder with -dir", err)
		}
		asked = filepath.Join(dataDir(runtime.GOOS, user, os.Getenv("XDG_DATA_HOME")), "birnn")
	}
	dir, err := filepath.Abs(asked)
	return Home{dir}, err
}

func dataDir(goos, user, xdg string) string {
	switch {
	case goos == "darwin":
		return filepath.Join(user, "Library", "Application Support")
	case filepath.IsAbs(xdg): // the specification ignores relative paths
		return xdg
	}
	return filepath.Join(user, ".local", "share")
}

// Path returns a path inside the folder.
func (h Home) Path(elem ...string) string {
	return filepath.Join(append([]string{h.Dir}, elem...)...)
}

// Bin is the folder of the kernel, GoNB, goimports and gopls.
func (h Home) Bin() string { return h.Path("bin") }

// BinOf is the folder of the same programs built by a Go other than the installed one.
func (h Home) BinOf(version string) string { return h.Path("bin-" + version) }

// Jupyter is the Jupyter data directory with the kernelspecs.
func (h Home) Jupyter() string { return h.Path("share", "jupyter") }

// Logs is the folder with the log of each step.
func (h Home) Logs() string { return h.Path("log") }

// Temp is the folder for temporary files. [Home.Open] empties it.
func (h Home) Temp() string { return h.Path("tmp") }

// contents are the names that an installation uses in the folder. An uninstall touches nothing else.
var contents = []string{"bin", "bin-*", "env-*", "etc", "log", "projects", "run", "share", "tmp", manifestName + ".*" + atomicfile.Suffix}

// errForeign is wrapped by the error about a folder with other files in it.
var errForeign = errors.New("is not empty and was not made by this command")

// Open creates the folder if it does not exist, and locks it: one install runs at a time. It calls waiting once if it
// has to wait for another one. It refuses a folder with other files in it.
func (h Home) Open(ctx context.Context, waiting func()) (m *Manifest, unlock func(), err error) {
	made, err := makeDirs(h.Dir)
	if err != nil {
		return nil, nil, err
	}
	unlock, err = lock(ctx, h.Dir, waiting)
	if err != nil {
		return nil, nil, err
	}
	m, err = h.ReadManifest()
	if errors.Is(err, os.ErrNotExist) {
		entries, readErr := os.ReadDir(h.Dir)
		if readErr == nil && len(entries) > 0 {
			unlock()
			return nil, nil, fmt.Errorf("%s %w; name another folder with -dir", h.Dir, errForeign)
		}
		m = &Manifest{home: h, Steps: map[string]string{}}
		m.MadeDirs = made
		err = m.Save()
	}
	if err == nil {
		err = errors.Join(os.RemoveAll(h.Temp()), os.Mkdir(h.Temp(), 0o755))
	}
	if err != nil {
		unlock()
		return nil, nil, err
	}
	return m, unlock, nil
}

// makeDirs is os.MkdirAll, but returns the directories that it made, innermost first.
func makeDirs(dir string) (made []string, err error) {
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil {
			break
		}
		made = append(made, d)
		if filepath.Dir(d) == d {
			break
		}
	}
	return made, os.MkdirAll(dir, 0o755)
}
