// Package atomicfile replaces files atomically: a reader finds the old file or the new one, never a part of it.
package atomicfile

import (
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
)

// Suffix ends the name of a file that is being written, PATH.PID.RANDOM.part, with the number of the writing process.
const Suffix = ".part"

// Write writes the file path by write, with the permissions perm whatever the umask. It writes a temporary file in the
// same directory, syncs it and renames it to path. After an error the temporary file is gone; after a kill it stays.
func Write(path string, perm fs.FileMode, write func(w io.Writer) error) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+"."+strconv.Itoa(os.Getpid())+".*"+Suffix)
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
	if err := file.Chmod(perm); err != nil {
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

// WriteFile is [os.WriteFile] by [Write].
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	return Write(path, perm, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
