// Package kept stores values by name in a directory, each in a metadata file and a data file.
//
// The metadata file names the data file and is replaced atomically, so that readers find the complete old or new value,
// even after the writer was killed. The next Put removes files that a killed program left. File names contain a hash,
// because names may be in any script, of any length, and may differ only in case.
//
// Several programs may use a directory at the same time.
package kept

import (
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
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"

	"birnn/internal/atomicfile"
)

// Info describes a kept value.
type Info struct {
	Name        string        `json:"name"`
	Type        string        `json:"type"`        // in Go syntax
	Signature   string        `json:"signature"`   // of the type's structure, see keep.Value
	Size        int64         `json:"size"`        // bytes of data
	Computed    time.Time     `json:"computed"`    // when it was computed
	Took        time.Duration `json:"took_ns"`     // time to compute it
	Fingerprint string        `json:"fingerprint"` // of the definitions that it was computed from; may be empty

	Data string `json:"data"` // the name of the data file
}

const (
	metaSuffix = ".json"
	dataSuffix = ".data"
)

// base returns the common prefix of name's files: a readable part and a hash.
func base(name string) string {
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(name))
	return fmt.Sprintf("%.24s-%x", slug, sha256.Sum256([]byte(name)))[:min(len(slug), 24)+1+32]
}

// List returns the values in dir, sorted by name. If some metadata cannot be read, it returns the others and an error.
// A directory that does not exist has no values.
func List(dir string) ([]Info, error) {
	paths, err := metadata(dir)
	if err != nil {
		return nil, err
	}
	var infos []Info
	var damaged []error
	for _, path := range paths {
		info, err := read(path)
		switch {
		case err == nil:
			infos = append(infos, info)
		case !errors.Is(err, fs.ErrNotExist): // else it was dropped meanwhile
			damaged = append(damaged, err)
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	return infos, errors.Join(damaged...)
}

// metadata returns the paths of the metadata files. Unlike other JSON files, they have a hash in their names.
func metadata(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries {
		if name := entry.Name(); strings.Contains(name, "-") && strings.HasSuffix(name, metaSuffix) {
			paths = append(paths, filepath.Join(dir, name))
		}
	}
	return paths, err
}

// ErrDamaged is wrapped by errors about invalid metadata, and about data that is missing or has another size than in
// the metadata.
var ErrDamaged = errors.New("is damaged; delete it or compute the value again")

func read(path string) (Info, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return Info{}, err
	}
	var info Info
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, fmt.Errorf("%s %w: %v", path, ErrDamaged, err)
	}
	if filepath.Base(path) != base(info.Name)+metaSuffix || info.Data != filepath.Base(info.Data) || info.Data == "." {
		return Info{}, fmt.Errorf("%s %w: it is about %q in %q", path, ErrDamaged, info.Name, info.Data)
	}
	return info, nil
}

// Open opens the value kept under name. If there is no such value, the error wraps fs.ErrNotExist.
func Open(dir, name string) (Info, *os.File, error) {
	path := filepath.Join(dir, base(name)+metaSuffix)
	for try := 0; ; try++ {
		info, err := read(path)
		if err != nil {
			return Info{}, nil, err
		}
		file, err := os.Open(filepath.Join(dir, info.Data))
		if errors.Is(err, fs.ErrNotExist) {
			if try < 9 {
				continue // another program has replaced the value
			}
			return Info{}, nil, fmt.Errorf("%s %w: its data %s is missing", path, ErrDamaged, info.Data)
		}
		if err != nil {
			return Info{}, nil, err
		}
		if stat, err := file.Stat(); err != nil || stat.Size() != info.Size {
			file.Close()
			return Info{}, nil, fmt.Errorf("%s %w: the size of its data %s is not %d bytes", path, ErrDamaged, info.Data, info.Size)
		}
		return info, file, nil
	}
}

// FullError is the error of Put for a value that exceeds the limit of the directory.
type FullError struct{ Others, Limit int64 } // in bytes: the size of the other values, and the limit of all

func (e *FullError) Error() string {
	return fmt.Sprintf("the other kept values take %s of at most %s", humanize.Bytes(uint64(e.Others)), humanize.Bytes(uint64(e.Limit)))
}

// Put keeps what write writes under info.Name; it sets info.Size and info.Data. It replaces the old value; after an
// error, the old value stays.
func Put(dir string, info Info, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	old, others, err := sweep(dir, info.Name)
	if err != nil {
		return err
	}
	limit, err := Limit(dir)
	if err != nil {
		return err
	}
	// The name has the form of atomicfile's temporary files: it contains the process, which owns the file until
	// metadata refers to it.
	file, err := os.CreateTemp(dir, base(info.Name)+"."+strconv.Itoa(os.Getpid())+".*"+dataSuffix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			file.Close() // a second Close only returns an error
			os.Remove(file.Name())
		}
	}()
	counted := &counter{file, 0, limit - others, &FullError{others, limit}}
	if err := write(counted); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	info.Size, info.Data = counted.written, filepath.Base(file.Name())
	if err := writeJSON(dir, base(info.Name)+metaSuffix, info); err != nil {
		return err
	}
	if old != "" {
		os.Remove(filepath.Join(dir, old)) // if that fails, as on Windows for a file in use, the next sweep removes it
	}
	return nil
}

// counter counts bytes and fails with full after most of them.
type counter struct {
	to            io.Writer
	written, most int64
	full          *FullError
}

func (c *counter) Write(p []byte) (int, error) {
	if c.written+int64(len(p)) > c.most {
		return 0, c.full
	}
	n, err := c.to.Write(p)
	c.written += int64(n)
	return n, err
}

// writeJSON replaces a file atomically.
func writeJSON(dir, name string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, name), text, 0o600)
}

// Drop removes the value kept under name, damaged or not. If there is no such value, the error wraps fs.ErrNotExist.
func Drop(dir, name string) error { return drop(filepath.Join(dir, base(name)+metaSuffix)) }

// Clear removes all values from dir, damaged ones included. The limit stays.
func Clear(dir string) error {
	paths, err := metadata(dir)
	if err != nil {
		return err
	}
	for _, path := range paths {
		if err := drop(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	_, _, err = sweep(dir, "")
	return err
}

func drop(path string) error {
	info, damaged := read(path)
	if err := os.Remove(path); err != nil {
		return err
	}
	dir, name := filepath.Split(path)
	data := []string{info.Data}
	if damaged != nil {
		data = nil
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if strings.HasPrefix(entry.Name(), strings.TrimSuffix(name, metaSuffix)+".") {
				data = append(data, entry.Name())
			}
		}
	}
	for _, file := range data {
		os.Remove(filepath.Join(dir, file)) // on Windows, the next sweep removes a file that is in use
	}
	return nil
}

// Total returns the size of all values in dir, in bytes.
func Total(dir string) (int64, error) {
	infos, err := List(dir)
	var total int64
	for _, info := range infos {
		total += info.Size
	}
	return total, err
}
