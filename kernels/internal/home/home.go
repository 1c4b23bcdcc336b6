// Package home is the private folder in which everything is installed, its lock
// and its manifest.
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

// Home is the private folder.
type Home struct{ Dir string }

// Locate returns the private folder: asked if it is not empty, else that of
// BIRNN_HOME, else "birnn" in the user's data directory.
func Locate(asked string) (Home, error) {
	if asked == "" {
		asked = os.Getenv(Env)
	}
	if asked == "" {
		user, err := os.UserHomeDir()
		if err != nil {
			return Home{}, fmt.Errorf("%w; say where to install with -dir", err)
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
	case filepath.IsAbs(xdg): // the specification says to ignore a relative one
		return xdg
	}
	return filepath.Join(user, ".local", "share")
}

// Path returns a path inside the folder.
func (h Home) Path(elem ...string) string {
	return filepath.Join(append([]string{h.Dir}, elem...)...)
}

// Bin is where GoNB, goimports and gopls are.
func (h Home) Bin() string { return h.Path("bin") }

// Jupyter is the Jupyter data directory that has our kernelspecs.
func (h Home) Jupyter() string { return h.Path("share", "jupyter") }

// Logs is where each step leaves what it wrote.
func (h Home) Logs() string { return h.Path("log") }

// Temp is for work under way. It is emptied by whoever takes the lock.
func (h Home) Temp() string { return h.Path("tmp") }

// contents are the names in the folder that we may have made, for an uninstall
// that touches nothing else.
var contents = []string{"bin", "env-*", "etc", "log", "projects", "run", "share", "tmp", ManifestName + ".*" + atomicfile.Suffix}

// ErrForeign is wrapped by errors about a folder that is not ours.
var ErrForeign = errors.New("is not empty and was not made by this command")

// Open makes the folder, if need be, and locks it, so that one install works at
// a time; waiting is called once if another one has to be waited for. It
// refuses a folder that has something else in it.
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
			return nil, nil, fmt.Errorf("%s %w; name another folder with -dir", h.Dir, ErrForeign)
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

// makeDirs is os.MkdirAll that tells what it made, innermost first.
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
