// Package atomicfile writes files that appear whole or not at all.
package atomicfile

import (
	"io"
	"os"
	"path/filepath"
)

// Write writes what write writes into a file beside path and renames it, which replaces what path names. After an error
// nothing is left behind. The file can be read by everyone.
func Write(path string, write func(w io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close() // a second Close only returns an error
			os.Remove(file.Name())
		}
	}()
	if err := write(file); err != nil {
		return err
	}
	// CreateTemp's 0600 would keep the file from those who share the folder.
	if err := file.Chmod(0o644); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}
