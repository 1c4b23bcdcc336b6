// Package kept stores values by name in a folder: for each name a metadata file and a data file.
//
// The metadata file names the data file and appears by a rename, so that whoever reads finds the old value or the new
// one whole, and a program killed at any moment leaves no third state. What it leaves lying about is removed by the next
// Put. Files are named after a hash, because names may be in any script, of any length, and differ in case only.
//
// Several programs may use a folder at once.
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
	Type        string        `json:"type"`        // as Go writes it
	Signature   string        `json:"signature"`   // of the type's structure, see keep.Value
	Size        int64         `json:"size"`        // bytes of data
	Computed    time.Time     `json:"computed"`    // when
	Took        time.Duration `json:"took_ns"`     // to compute
	Fingerprint string        `json:"fingerprint"` // of the definitions it was computed from; may be empty

	Data string `json:"data"` // the data file's name within the folder
}

const (
	metaSuffix = ".json"
	dataSuffix = ".data"
)

// base is what the names of name's files begin with: something readable and a hash.
func base(name string) string {
	slug := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}, strings.ToLower(name))
	return fmt.Sprintf("%.24s-%x", slug, sha256.Sum256([]byte(name)))[:min(len(slug), 24)+1+32]
}

// List returns the values kept in dir by name. Metadata that cannot be read is reported by the error, which does not
// keep the others from being listed. A folder that does not exist has no values.
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
		case !errors.Is(err, fs.ErrNotExist): // dropped just now
			damaged = append(damaged, err)
		}
	}
	slices.SortFunc(infos, func(a, b Info) int { return cmp.Compare(a.Name, b.Name) })
	return infos, errors.Join(damaged...)
}

// metadata returns the paths of the metadata files. Unlike others with that ending, they have a hash in their names.
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

// ErrDamaged is wrapped by errors about a metadata file that makes no sense, or data of another size than it says.
var ErrDamaged = errors.New("is damaged; delete it, or let the value be computed anew")

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
		return Info{}, fmt.Errorf("%s %w: it describes %q in %q", path, ErrDamaged, info.Name, info.Data)
	}
	return info, nil
}

// Open returns the value kept under name. The error wraps fs.ErrNotExist if there is none.
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
				continue // another program has just put a new value here
			}
			return Info{}, nil, fmt.Errorf("%s %w: its data %s is missing", path, ErrDamaged, info.Data)
		}
		if err != nil {
			return Info{}, nil, err
		}
		if stat, err := file.Stat(); err != nil || stat.Size() != info.Size {
			file.Close()
			return Info{}, nil, fmt.Errorf("%s %w: its data %s has not %d bytes", path, ErrDamaged, info.Data, info.Size)
		}
		return info, file, nil
	}
}

// A FullError is returned by Put for a value that passes the folder's limit.
type FullError struct{ Others, Limit int64 } // bytes: of the values under other names, and of all at most

func (e *FullError) Error() string {
	return fmt.Sprintf("the other kept values have %s and the limit is %s", humanize.Bytes(uint64(e.Others)), humanize.Bytes(uint64(e.Limit)))
}

// Put keeps what write writes under info.Name, in place of the value there; it sets Size and Data of info. After an
// error the value there is the old one.
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
	// Named as atomicfile names a metadata file that it writes: with the process, to which it belongs until metadata refers to it.
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
		os.Remove(filepath.Join(dir, old)) // where that fails, on Windows for a file in use, the next sweep does it
	}
	return nil
}

// counter refuses to write more than most bytes.
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

// Drop removes the value kept under name, damaged or not. The error wraps fs.ErrNotExist if there is none.
func Drop(dir, name string) error { return drop(filepath.Join(dir, base(name)+metaSuffix)) }

// Clear removes every value from dir, damaged ones too. The limit stays.
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
		os.Remove(filepath.Join(dir, file)) // a file in use on Windows is left to the next sweep
	}
	return nil
}

// Total returns how many bytes the values in dir have.
func Total(dir string) (int64, error) {
	infos, err := List(dir)
	var total int64
	for _, info := range infos {
		total += info.Size
	}
	return total, err
}
