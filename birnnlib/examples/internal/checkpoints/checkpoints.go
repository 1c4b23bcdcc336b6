// Package checkpoints saves GoMLX models in a directory so that whatever happens to the process, the last one or the one
// before it can be read.
package checkpoints

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"github.com/gofrs/flock"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/pkg/errors"
)

// ErrNone is returned by [Dir.Load] when there is no checkpoint yet.
var ErrNone = errors.New("there is no checkpoint yet")

// Dir is a directory in which a training is saved, so that it can be resumed, even after the process was killed at any
// instant.
//
// Each checkpoint is a directory of its own, written by GoMLX's package checkpoint:
//
//	DIR/00000042/checkpoint-….json, checkpoint-….bin
//
// GoMLX writes these two files in place and loads whichever is newest, so that a kill could leave a broken one. Here a
// checkpoint is written under a temporary name, read back, and only then renamed: what has a number is whole. The two
// latest are kept.
type Dir struct {
	path, kind string
	lock       *flock.Flock
}

const (
	kept          = 2
	stagingPrefix = ".incomplete-"
)

// Open opens, and creates if need be, the directory of a training. Only one process can have it open; Close it when done.
// The kind is the name under which the checkpoints hold their metadata: those of another kind cannot be read.
func Open(path, kind string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, errors.Wrapf(err, "%s: the checkpoint directory cannot be made", kind)
	}
	lock := flock.New(filepath.Join(path, ".lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, errors.Wrapf(err, "%s: the checkpoint directory %s cannot be locked", kind, path)
	}
	if !locked {
		return nil, errors.Errorf("%s: another process uses %s; wait for it, or name another directory", kind, path)
	}
	d := &Dir{path, kind, lock}
	if err := d.removeIncomplete(); err != nil {
		_ = d.Close()
		return nil, errors.Wrapf(err, "%s: what an interrupted save left cannot be removed", kind)
	}
	return d, nil
}

// Close lets other processes use the directory.
func (d *Dir) Close() error { return d.lock.Unlock() }

// Path returns the path of the directory.
func (d *Dir) Path() string { return d.path }

// removeIncomplete removes what a save that was killed has left.
func (d *Dir) removeIncomplete() error {
	left, err := filepath.Glob(filepath.Join(d.path, stagingPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
	}
	return nil
}

// numbers lists the complete checkpoints, the oldest first.
func (d *Dir) numbers() ([]int, error) {
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

func (d *Dir) of(number int) string { return filepath.Join(d.path, numbered(number)) }

// Save saves the variables of the store, and beside them the metadata as JSON. If Save fails, or the process is killed
// meanwhile, the checkpoint before it is still there.
func (d *Dir) Save(store *model.Store, metadata any) (err error) {
	defer func() { err = errors.WithMessagef(err, "%s: no checkpoint could be saved in %s", d.kind, d.path) }()
	staging, err := os.MkdirTemp(d.path, stagingPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging) // of no effect once it is renamed

	if err := d.write(store, metadata, staging); err != nil {
		return err
	}
	if err := syncDir(staging); err != nil {
		return err
	}
	// A full disk can go unnoticed by the writer: only what can be read back counts.
	written, _, err := d.read(staging)
	if err != nil {
		return errors.WithMessage(err, "what was written cannot be read back")
	}
	if got, want := written.NumVariables(), store.NumVariables(); got != want {
		return errors.Errorf("only %d of %d variables were written; is the disk full?", got, want)
	}

	numbers, err := d.numbers()
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	if err := os.Rename(staging, d.of(next)); err != nil {
		return err
	}
	if err := syncFile(d.path); err != nil {
		return err
	}
	for _, old := range numbers[:max(0, len(numbers)-kept+1)] {
		// Renamed first: a half-removed checkpoint must not have a number.
		removed := filepath.Join(d.path, stagingPrefix+numbered(old))
		if err := os.Rename(d.of(old), removed); err != nil {
			return err
		}
		if err := os.RemoveAll(removed); err != nil {
			return err
		}
	}
	return nil
}

// write writes a checkpoint into the empty directory dir by GoMLX's package.
func (d *Dir) write(store *model.Store, metadata any, dir string) error {
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

// read reads the checkpoint in dir into a store of its own.
func (d *Dir) read(dir string) (store *model.Store, metadata []byte, err error) {
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
		return nil, nil, errors.Errorf("%s is not of the kind %s: it lacks the parameter of that name", dir, d.kind)
	}
	return store, []byte(text), nil
}

// Load hands the checkpoint saved last to use: its variables, and the JSON of its metadata. A checkpoint that cannot be
// read, because somebody changed it, is passed over for the one before it; damaged then tells which and why. Without any
// checkpoint the error is [ErrNone].
func (d *Dir) Load(use func(store *model.Store, metadata []byte) error) (damaged []error, err error) {
	numbers, err := d.numbers()
	if err != nil {
		return nil, errors.Wrapf(err, "%s: the checkpoints in %s cannot be listed", d.kind, d.path)
	}
	if len(numbers) == 0 {
		return nil, ErrNone
	}
	for _, number := range slices.Backward(numbers) {
		store, metadata, err := d.read(d.of(number))
		if err != nil {
			damaged = append(damaged, errors.WithMessagef(err, "%s: the checkpoint %s cannot be read", d.kind, d.of(number)))
			continue
		}
		err = use(store, metadata)
		return damaged, errors.WithMessagef(err, "%s: the checkpoint %s does not fit", d.kind, d.of(number))
	}
	return damaged, errors.Errorf("%s: none of the %d checkpoints in %s can be read; the newest: %v", d.kind, len(numbers), d.path, damaged[0])
}

// Copy gives the variables of one store to another: those that it has get the values, the others are made.
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
