//go:build unix

package home

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// lock locks the directory itself, so that no lock file can go stale: the lock ends with the process at the latest.
func lock(ctx context.Context, dir string, waiting func()) (unlock func(), err error) {
	l := flock.New(dir, flock.SetFlag(os.O_RDONLY))
	locked, err := l.TryLock()
	if err == nil && !locked {
		if waiting != nil {
			waiting()
		}
		_, err = l.TryLockContext(ctx, 200*time.Millisecond)
	}
	if ctx.Err() != nil {
		l.Close()
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w; if its file system has no locks, name another folder with -dir", dir, err)
	}
	return func() { l.Close() }, nil
}
