//go:build unix

package plugin

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockDir makes dir and its missing parents and locks it, so that of several
// installers one downloads and the others wait for it. The lock is on the
// directory itself: there is no lock file to leave behind.
//
// made are the directories it made, innermost first. unlock ends the lock, as
// the end of the process does.
func lockDir(ctx context.Context, dir string) (unlock func(), made []string, err error) {
	for {
		now, err := makeDirs(dir)
		made = append(now, made...)
		if err != nil {
			return nil, nil, err
		}
		f, err := os.Open(dir)
		if errors.Is(err, os.ErrNotExist) {
			continue // another installer failed and tidied up just now
		} else if err != nil {
			return nil, nil, err
		}
		if err := flock(ctx, f); err != nil {
			f.Close()
			return nil, nil, err
		}
		if locked, err := f.Stat(); err == nil {
			if now, err := os.Stat(dir); err == nil && os.SameFile(locked, now) {
				removeStale(dir)
				return func() { f.Close() }, made, nil
			}
		}
		f.Close() // we waited for a directory that has been removed meanwhile
	}
}

// removeStale removes what an installer that was killed has left: whoever holds
// the lock is the only one at work.
func removeStale(dir string) {
	stale, _ := filepath.Glob(filepath.Join(dir, stagingPrefix+"*"))
	for _, path := range stale {
		os.RemoveAll(path)
	}
}

// tidy removes what an installer that was killed has left, unless another one is
// at work.
func tidy(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		removeStale(dir)
	}
}

func flock(ctx context.Context, f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EINVAL):
			return nil // a file system without locks: two downloads, then, and the same file
		case !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR):
			return &os.PathError{Op: "lock", Path: f.Name(), Err: err}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
