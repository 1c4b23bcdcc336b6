// Package kept stores values by name in a directory, each in a file: a line of JSON that describes the value, then the
// data. A file is replaced atomically, so that readers find the complete old or new value, even after the writer was
// killed. The directory belongs to a session and is removed with it, and with it what a killed writer has left.
package kept

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"birnn/internal/atomicfile"
)

// Env is the environment variable that names the directory, for the programs of cells.
const Env = "BIRNN_KEEP"

// Folder returns the directory of the values: $BIRNN_KEEP, if set, or a directory in GoNB's temporary directory. It is
// empty outside a notebook.
func Folder() string {
	if dir := os.Getenv(Env); dir != "" {
		return dir
	}
	if gonb := os.Getenv("GONB_TMP_DIR"); gonb != "" {
		return filepath.Join(gonb, "keep")
	}
	return ""
}

// Info describes a kept value.
type Info struct {
	Name      string        `json:"name"`
	Type      string        `json:"type"`      // in Go syntax
	Signature string        `json:"signature"` // of the type's structure, see package keep
	Kept      time.Time     `json:"kept"`      // when
	Took      time.Duration `json:"took_ns"`   // time to compute it; 0 if unknown
	Size      int64         `json:"-"`         // bytes of data
}

const suffix = ".kept"

// path returns the file of a value. It contains a hash, because names may be in any script, of any length, and may
// differ only in case.
func path(dir, name string) string {
	return filepath.Join(dir, fmt.Sprintf("%x%s", sha256.Sum256([]byte(name)), suffix))
}

// Put keeps what write writes under info.Name. It replaces the old value; after an error, the old value stays.
func Put(dir string, info Info, write func(io.Writer) error) error {
	line, err := json.Marshal(info)
	if err := errors.Join(err, os.MkdirAll(dir, 0o700)); err != nil {
		return err
	}
	return atomicfile.Write(path(dir, info.Name), 0o600, func(w io.Writer) error {
		if _, err := w.Write(append(line, '\n')); err != nil {
			return err
		}
		return write(w)
	})
}

// Get calls read with the value kept under name. If no value is kept, the error wraps fs.ErrNotExist.
func Get(dir, name string, read func(Info, *bufio.Reader) error) error {
	return open(path(dir, name), read)
}

func open(path string, read func(Info, *bufio.Reader) error) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	r := bufio.NewReaderSize(file, 1<<16)
	line, err := r.ReadBytes('\n')
	if err != nil {
		return err
	}
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	info := Info{Size: stat.Size() - int64(len(line))}
	if err := json.Unmarshal(line, &info); err != nil {
		return err
	}
	return read(info, r)
}

// List returns the values in dir, sorted by name. A directory that does not exist has no values.
func List(dir string) ([]Info, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var infos []Info
	for _, entry := range entries {
		if !strings.HasSuffix(entry.Name(), suffix) {
			continue // it is being written
		}
		err := open(filepath.Join(dir, entry.Name()), func(info Info, _ *bufio.Reader) error {
			infos = append(infos, info)
			return nil
		})
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // else it was dropped meanwhile
			return nil, fmt.Errorf("%s: %w", entry.Name(), err)
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	return infos, nil
}

// Drop removes the value kept under name. If no value is kept, the error wraps fs.ErrNotExist.
func Drop(dir, name string) error { return os.Remove(path(dir, name)) }
