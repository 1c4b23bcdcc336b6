//go:build !unix

package plugin

import "context"

// lockDir makes dir. Directories cannot be locked on this system, so several installers may each download the same
// file, into separate temporary directories; the last one wins.
func lockDir(_ context.Context, dir string) (unlock func(), made []string, err error) {
	made, err = makeDirs(dir)
	return func() {}, made, err
}

func isReadOnly(error) bool { return false }

// tidy does nothing: without a lock, another installer may be using the files.
func tidy(string) {}
