// Package checkpoints saves GoMLX models in a directory so that the last save or the one before it can always be read,
// whatever happens to the process.
package checkpoints

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/gofrs/flock"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
)

// ErrNone is returned by [Load] when the directory holds no checkpoint yet.
var ErrNone = errors.New("no checkpoint yet")

// Directory is a directory in which a training is saved, so that it can be resumed, even after the process was killed.
//
// Each checkpoint is a directory written by GoMLX's package checkpoint:
//
//	DIR/00000042/checkpoint-….json, checkpoint-….bin
//
// GoMLX writes these two files in place and loads whichever is newest, so that a kill could leave a broken one. Here a
// checkpoint is written under a temporary name, read back, and only then renamed: a numbered checkpoint is complete. The
// two latest are kept.
type Directory struct {
	path, kind string
	lock       *flock.Flock
}

const (
	kept          = 2
	stagingPrefix = ".incomplete-"
)

// step is called between the steps of a save, which tests interrupt.
var step = func(name string) {}

// Open opens the directory of a training and creates it if necessary. Only one process can have it open; Close it when
// done. The kind is the name under which checkpoints hold their metadata: those of another kind cannot be read.
func Open(path, kind string) (*Directory, error) {
	if path == "" {
		return nil, fmt.Errorf("%s: the path of the checkpoint directory is empty; name a directory, which need not exist", kind)
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("%s: cannot make the checkpoint directory: %w", kind, err)
	}
	lock := flock.New(filepath.Join(path, ".lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("%s: cannot lock the checkpoint directory %s: %w; name another directory", kind, path, err)
	}
	if !locked {
		return nil, fmt.Errorf("%s: another process uses %s; wait for it, or name another directory", kind, path)
	}
	d := &Directory{path, kind, lock}
	if err := d.removeIncomplete(); err != nil {
		_ = d.Close()
		return nil, fmt.Errorf("%s: cannot remove what an interrupted save left: %w", kind, err)
	}
	return d, nil
}

// Close lets other processes use the directory.
func (d *Directory) Close() error { return d.lock.Close() }

// Dir returns the path of the directory.
func (d *Directory) Dir() string { return d.path }

// removeIncomplete removes what an interrupted save left.
func (d *Directory) removeIncomplete() error {
	entries, err := os.ReadDir(d.path) // not filepath.Glob: the path may contain its wildcards
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if strings.HasPrefix(entry.Name(), stagingPrefix) {
			if err := os.RemoveAll(filepath.Join(d.path, entry.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// numbers lists the complete checkpoints, the oldest first.
func (d *Directory) numbers() ([]int, error) {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, entry := range entries {
		var number int
		if _, err := fmt.Sscanf(entry.Name(), "%d", &number); err == nil && entry.IsDir() && entry.Name() == numbered(number) {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

func numbered(number int) string { return fmt.Sprintf("%08d", number) }

func (d *Directory) of(number int) string { return filepath.Join(d.path, numbered(number)) }

// Save saves the variables of the store together with the metadata as JSON. If Save fails, or the process is killed
// meanwhile, the checkpoint before it is still there.
func (d *Directory) Save(store *model.Store, metadata any) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: cannot save a checkpoint in %s: %w", d.kind, d.path, err)
		}
	}()
	step("start")
	staging, err := os.MkdirTemp(d.path, stagingPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging) // of no effect once it is renamed

	step("made")
	if err := d.write(store, metadata, staging); err != nil {
		return err
	}
	step("written")
	if err := syncDir(staging); err != nil {
		return err
	}
	step("synced")
	// A full disk can go unnoticed by the writer: only what can be read back counts.
	written, _, err := d.read(staging)
	if err != nil {
		return fmt.Errorf("cannot read back what was written; is the disk full? %w", err)
	}
	if got, want := written.NumVariables(), store.NumVariables(); got != want {
		return fmt.Errorf("only %d of %d variables were written; is the disk full?", got, want)
	}

	numbers, err := d.numbers()
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	step("read back")
	if err := os.Rename(staging, d.of(next)); err != nil {
		return err
	}
	step("renamed")
	if err := syncFile(d.path); err != nil {
		return err
	}
	for _, old := range numbers[:max(0, len(numbers)-kept+1)] {
		// Renamed first: a half-removed checkpoint must not have a number.
		removed := filepath.Join(d.path, stagingPrefix+numbered(old))
		if err := os.Rename(d.of(old), removed); err != nil {
			return err
		}
		step("old one renamed")
		if err := os.RemoveAll(removed); err != nil {
			return err
		}
	}
	step("end")
	return nil
}

// write writes a checkpoint into the empty directory dir by GoMLX's package.
func (d *Directory) write(store *model.Store, metadata any, dir string) error {
	blob, err := json.Marshal(metadata)
	if err != nil {
		return err
	}
	store.SetParam(d.kind, string(blob))
	defer store.SetLoader(store.Loader()) // the handler makes itself the store's loader
	handler, err := checkpoint.Build(store).Dir(dir).WithCompression(checkpoint.BinUncompressed).Done()
	if err != nil {
		return err
	}
	return handler.Save()
}

// read reads the checkpoint in dir into a new store.
func (d *Directory) read(dir string) (store *model.Store, metadata []byte, err error) {
	if _, err := os.Stat(dir); err != nil { // or GoMLX would create it
		return nil, nil, err
	}
	store = model.NewStore()
	if _, err := checkpoint.Load(store).Dir(dir).Immediate().Done(); err != nil {
		return nil, nil, err
	}
	store.SetLoader(nil)
	blob, _ := store.GetParam(d.kind)
	text, ok := blob.(string)
	if !ok {
		return nil, nil, fmt.Errorf("it is not a checkpoint of kind %q; name another directory", d.kind)
	}
	return store, []byte(text), nil
}

// Saved is a checkpoint that was read.
type Saved[M any] struct {
	Path     string // of the checkpoint
	Metadata M
	Store    *model.Store
}

// Load reads the checkpoint saved last. One that cannot be read, because something changed it, is passed over for the one
// before it; damaged then says which and why. Without any checkpoint the error is [ErrNone].
func Load[M any](d *Directory) (saved *Saved[M], damaged []error, err error) {
	numbers, err := d.numbers()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: cannot list the checkpoints in %s: %w", d.kind, d.path, err)
	}
	if len(numbers) == 0 {
		return nil, nil, ErrNone
	}
	for _, number := range slices.Backward(numbers) {
		saved := &Saved[M]{Path: d.of(number)}
		store, blob, err := d.read(saved.Path)
		if err == nil {
			err = json.Unmarshal(blob, &saved.Metadata)
		}
		if err == nil {
			saved.Store = store
			return saved, damaged, nil
		}
		damaged = append(damaged, fmt.Errorf("%s: cannot read the checkpoint %s: %w", d.kind, saved.Path, err))
	}
	return nil, damaged, fmt.Errorf("%s: none of the %d checkpoints in %s can be read; the newest: %w", d.kind, len(numbers), d.path, damaged[0])
}

// Copy copies the variables of one store to another: existing ones get the values, the others are created.
func Copy(to, from *model.Store) error {
	for v := range from.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return err
		}
		if there := to.GetVariable(v.Path()); there != nil {
			err = there.SetValue(value)
		} else {
			_, err = to.CreateVariable(v.Path(), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// syncDir makes dir and its files survive a power cut.
func syncDir(dir string) error {
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return syncFile(path)
	})
}

func syncFile(path string) error {
	if runtime.GOOS == "windows" {
		return nil // it can sync neither a directory nor a file that is open for reading
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
