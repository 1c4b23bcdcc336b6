//go:build !unix

package plugin

import "context"

// lockDir makes dir; directories cannot be locked here, so several installers
// may all download, each into a folder of its own, and the last one wins with
// the same file.
func lockDir(_ context.Context, dir string) (unlock func(), made []string, err error) {
	made, err = makeDirs(dir)
	return func() {}, made, err
}

func isReadOnly(error) bool { return false }

// tidy does nothing: without a lock, what looks left behind may be in use.
func tidy(string) {}
