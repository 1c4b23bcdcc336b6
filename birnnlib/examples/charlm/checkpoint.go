package charlm

import (
	"encoding/json"
	"fmt"
	"strings"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/internal/checkpoints"

	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/pkg/errors"
)

// ErrNoCheckpoint is returned by [Checkpoints.Load] when there is none yet.
var ErrNoCheckpoint = checkpoints.ErrNone

// Checkpoints is a directory in which a training is saved, so that it can be resumed, even after the process was killed
// at any instant. The two latest checkpoints are kept.
type Checkpoints struct{ dir *checkpoints.Dir }

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
	d, err := checkpoints.Open(dir, "charlm")
	if err != nil {
		return nil, err
	}
	return &Checkpoints{d}, nil
}

// Close lets other processes use the directory.
func (c *Checkpoints) Close() error { return c.dir.Close() }

// Dir returns the directory.
func (c *Checkpoints) Dir() string { return c.dir.Path() }

// Save saves the model: its parameters, the state of its training and all that is needed to go on. If Save fails, or the
// process is killed meanwhile, the checkpoint before it is still there.
func (c *Checkpoints) Save(m *Model) error {
	return c.dir.Save(m.store, metadata{m.config, m.vocabulary.Chars(), m.corpusHash, m.position})
}

// Load returns the model saved last, ready to go on training on the corpus, which must be the one that it was trained
// on. A checkpoint that cannot be read, because somebody changed it, is passed over for the one before it; damaged then
// tells which and why. Without any checkpoint the error is [ErrNoCheckpoint].
func (c *Checkpoints) Load(backend compute.Backend, corpus string) (m *Model, damaged []error, err error) {
	damaged, err = c.dir.Load(func(store *model.Store, blob []byte) error {
		var meta metadata
		if err := json.Unmarshal(blob, &meta); err != nil {
			return err
		}
		loaded, err := New(backend, corpus, meta.Config)
		if err != nil {
			return err
		}
		if loaded.corpusHash != meta.CorpusHash || loaded.vocabulary.Chars() != meta.Characters {
			return errors.Errorf("it was trained on another text, with %d distinct characters where this one has %d; give the same corpus and number of characters, or another checkpoint directory",
				len([]rune(meta.Characters)), loaded.vocabulary.Size())
		}
		loaded.position = meta.Position
		m = loaded
		return checkpoints.Copy(m.store, store)
	})
	if err != nil {
		return nil, damaged, err
	}
	return m, damaged, nil
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
