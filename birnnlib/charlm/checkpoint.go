package charlm

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"birnn/birnnlib"

	"github.com/gofrs/flock"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/pkg/errors"
)

// ErrNoCheckpoint is returned by [Checkpoints.Load] when there is none yet.
var ErrNoCheckpoint = errors.New("there is no checkpoint yet")

// Checkpoints is a directory in which a training is saved, so that it can be resumed, even after the process was killed
// at any instant.
//
// Each checkpoint is a directory of its own, written by GoMLX's package checkpoint:
//
//	DIR/00000042/checkpoint-….json, checkpoint-….bin
//
// GoMLX writes these two files in place and loads whichever is newest, so that a kill could leave a broken one. Here a
// checkpoint is written under a temporary name, read back, and only then renamed: what has a number is whole. The two
// latest are kept.
type Checkpoints struct {
	dir  string
	lock *flock.Flock
}

const (
	checkpointsKept = 2
	stagingPrefix   = ".incomplete-"
	metadataParam   = "charlm" // the parameter of the store that holds the metadata
)

// metadata is what a checkpoint tells beside the variables.
type metadata struct {
	Config     Config
	Characters string // of the vocabulary, in the order of their indices
	CorpusHash string
	Position   Position
}

// OpenCheckpoints opens, and creates if need be, the directory of a training. Only one process can have it open; Close
// it when done.
func OpenCheckpoints(dir string) (*Checkpoints, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, errors.Wrap(err, "charlm: the checkpoint directory cannot be made")
	}
	lock := flock.New(filepath.Join(dir, ".lock"))
	locked, err := lock.TryLock()
	if err != nil {
		return nil, errors.Wrapf(err, "charlm: the checkpoint directory %s cannot be locked", dir)
	}
	if !locked {
		return nil, errors.Errorf("charlm: another process is training in %s; wait for it, or name another directory", dir)
	}
	c := &Checkpoints{dir, lock}
	if err := c.removeIncomplete(); err != nil {
		_ = c.Close()
		return nil, errors.Wrap(err, "charlm: what an interrupted save left cannot be removed")
	}
	return c, nil
}

// Close lets other processes use the directory.
func (c *Checkpoints) Close() error { return c.lock.Unlock() }

// Dir returns the directory.
func (c *Checkpoints) Dir() string { return c.dir }

// removeIncomplete removes what a save that was killed has left.
func (c *Checkpoints) removeIncomplete() error {
	left, err := filepath.Glob(filepath.Join(c.dir, stagingPrefix+"*"))
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
func (c *Checkpoints) numbers() ([]int, error) {
	entries, err := os.ReadDir(c.dir)
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

func (c *Checkpoints) path(number int) string { return filepath.Join(c.dir, numbered(number)) }

// Save saves the model: its parameters, the state of its training and all that is needed to go on. If Save fails, or the
// process is killed meanwhile, the checkpoint before it is still there.
func (c *Checkpoints) Save(m *Model) (err error) {
	defer func() { err = errors.WithMessagef(err, "charlm: no checkpoint could be saved in %s", c.dir) }()
	staging, err := os.MkdirTemp(c.dir, stagingPrefix)
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging) // of no effect once it is renamed

	if err := m.save(staging); err != nil {
		return err
	}
	if err := syncDir(staging); err != nil {
		return err
	}
	// A full disk can go unnoticed by the writer: only what can be read back counts.
	store, _, err := readCheckpoint(staging)
	if err != nil {
		return errors.WithMessage(err, "what was written cannot be read back")
	}
	if got, want := store.NumVariables(), m.store.NumVariables(); got != want {
		return errors.Errorf("only %d of %d variables were written; is the disk full?", got, want)
	}

	numbers, err := c.numbers()
	if err != nil {
		return err
	}
	next := 1
	if len(numbers) > 0 {
		next = numbers[len(numbers)-1] + 1
	}
	if err := os.Rename(staging, c.path(next)); err != nil {
		return err
	}
	if err := syncFile(c.dir); err != nil {
		return err
	}
	for _, old := range numbers[:max(0, len(numbers)-checkpointsKept+1)] {
		// Renamed first: a half-removed checkpoint must not have a number.
		removed := filepath.Join(c.dir, stagingPrefix+numbered(old))
		if err := os.Rename(c.path(old), removed); err != nil {
			return err
		}
		if err := os.RemoveAll(removed); err != nil {
			return err
		}
	}
	return nil
}

// save writes the model into the empty directory dir by GoMLX's package.
func (m *Model) save(dir string) error {
	blob, err := json.Marshal(metadata{m.config, m.vocabulary.Chars(), m.corpusHash, m.position})
	if err != nil {
		return err
	}
	m.store.SetParam(metadataParam, string(blob))
	defer m.store.SetLoader(m.store.Loader()) // the handler makes itself the store's loader
	handler, err := checkpoint.Build(m.store).Dir(dir).WithCompression(checkpoint.BinUncompressed).Done()
	if err != nil {
		return err
	}
	return handler.Save()
}

// readCheckpoint reads the checkpoint in dir into a store of its own.
func readCheckpoint(dir string) (*model.Store, *metadata, error) {
	if _, err := os.Stat(dir); err != nil { // or GoMLX would create it
		return nil, nil, err
	}
	store := model.NewStore()
	if _, err := checkpoint.Load(store).Dir(dir).Immediate().Done(); err != nil {
		return nil, nil, err
	}
	store.SetLoader(nil)
	blob, _ := store.GetParam(metadataParam)
	text, ok := blob.(string)
	if !ok {
		return nil, nil, errors.Errorf("%s was not written by charlm: it lacks the parameter %q", dir, metadataParam)
	}
	var meta metadata
	if err := json.Unmarshal([]byte(text), &meta); err != nil {
		return nil, nil, errors.Wrapf(err, "%s has broken metadata", dir)
	}
	return store, &meta, nil
}

// Load returns the model saved last, ready to go on training on the corpus, which must be the one that it was trained
// on. A checkpoint that cannot be read, because somebody changed it, is passed over for the one before it; damaged then
// tells which and why. Without any checkpoint the error is [ErrNoCheckpoint].
func (c *Checkpoints) Load(backend compute.Backend, corpus string) (m *Model, damaged []error, err error) {
	numbers, err := c.numbers()
	if err != nil {
		return nil, nil, errors.Wrapf(err, "charlm: the checkpoints in %s cannot be listed", c.dir)
	}
	if len(numbers) == 0 {
		return nil, nil, ErrNoCheckpoint
	}
	for _, number := range slices.Backward(numbers) {
		store, meta, err := readCheckpoint(c.path(number))
		if err != nil {
			damaged = append(damaged, errors.WithMessagef(err, "charlm: the checkpoint %s cannot be read", c.path(number)))
			continue
		}
		m, err := restore(backend, corpus, store, meta)
		return m, damaged, errors.WithMessagef(err, "charlm: the checkpoint %s does not fit", c.path(number))
	}
	return nil, damaged, errors.Errorf("charlm: none of the %d checkpoints in %s can be read; the newest: %v", len(numbers), c.dir, damaged[0])
}

func restore(backend compute.Backend, corpus string, store *model.Store, meta *metadata) (*Model, error) {
	m, err := New(backend, corpus, meta.Config)
	if err != nil {
		return nil, err
	}
	if m.corpusHash != meta.CorpusHash || m.vocabulary.Chars() != meta.Characters {
		return nil, errors.Errorf("it was trained on another text, with %d distinct characters where this one has %d; give the same corpus and number of characters, or another checkpoint directory",
			len([]rune(meta.Characters)), m.vocabulary.Size())
	}
	for v := range store.IterVariables() {
		value, err := v.Value()
		if err != nil {
			return nil, err
		}
		if _, err := m.store.CreateVariable(v.Path(), value); err != nil {
			return nil, err
		}
	}
	m.position = meta.Position
	return m, nil
}

// Difference tells in which settings two configurations differ, or "" if they are the same.
func (c Config) Difference(other Config) string {
	var differences []string
	add := func(name string, a, b any) {
		if as, bs := fmt.Sprint(a), fmt.Sprint(b); as != bs {
			differences = append(differences, fmt.Sprintf("%s %s instead of %s", name, as, bs))
		}
	}
	add("hidden sizes", sizesString(c.Hidden), sizesString(other.Hidden))
	add("activation", c.Activation, other.Activation)
	add("as posted", c.AsPosted, other.AsPosted)
	add("random sampling", c.Random, other.Random)
	add("steps", c.Steps, other.Steps)
	add("batch", c.Batch, other.Batch)
	add("learning rate", c.LearningRate, other.LearningRate)
	add("clipping norm", c.Clip, other.Clip)
	add("seed", c.Seed, other.Seed)
	return strings.Join(differences, ", ")
}

func sizesString(sizes []birnnlib.Sizes) string {
	var parts []string
	for _, s := range sizes {
		parts = append(parts, s.String())
	}
	return strings.Join(parts, ",")
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
