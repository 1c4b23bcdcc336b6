//go:build unix

package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// lockDir makes dir and its missing parents and locks it, so that of several installers one downloads and the others
// wait. It locks the directory itself: no lock file stays behind.
//
// made lists the directories it made, innermost first. The lock ends with unlock, or with the process.
func lockDir(ctx context.Context, dir string) (unlock func(), made []string, err error) {
	for {
		now, err := makeDirs(dir)
		made = append(now, made...)
		if err != nil {
			return nil, nil, err
		}
		lock := dirLock(dir)
		_, err = lock.TryLockContext(ctx, 100*time.Millisecond)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue // another installer failed and tidied up
		case errors.Is(err, syscall.ENOLCK), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.EINVAL):
			// a file system without locks: two installers both download the same file
		case ctx.Err() != nil:
			return nil, nil, ctx.Err()
		case err != nil:
			return nil, nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		if locked, err := lock.Stat(); err == nil {
			if now, err := os.Stat(dir); err == nil && os.SameFile(locked, now) {
				if lock.Locked() {
					removeStale(dir)
				}
				return func() { lock.Close() }, made, nil
			}
		}
		lock.Close() // the directory was removed between opening and locking it
	}
}

// dirLock returns the lock of a directory that exists.
func dirLock(dir string) *flock.Flock { return flock.New(dir, flock.SetFlag(os.O_RDONLY)) }

// removeStale removes what a killed installer has left. The caller holds the lock, so no other installer is at work.
func removeStale(dir string) {
	stale, _ := filepath.Glob(filepath.Join(dir, stagingPrefix+"*"))
	for _, path := range stale {
		os.RemoveAll(path)
	}
}

// tidy removes what a killed installer has left, unless another installer is at work.
func tidy(dir string) {
	lock := dirLock(dir)
	if locked, err := lock.TryLock(); err == nil && locked {
		removeStale(dir)
		lock.Close()
	}
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }
