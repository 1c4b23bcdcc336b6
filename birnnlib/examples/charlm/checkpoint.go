package charlm

import (
	"fmt"
	"unicode/utf8"

	"birnn/birnnlib/examples/internal/checkpoints"
	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute"
)

// ErrNoCheckpoint is returned by [Checkpoints.Load] when the directory holds no checkpoint yet.
var ErrNoCheckpoint = checkpoints.ErrNone

// Checkpoints is a directory in which a training is saved, so that it can be resumed, even after the process was killed.
// The two latest checkpoints are kept. Dir returns its path; Close lets other processes use it.
type Checkpoints struct{ *checkpoints.Directory }

// metadata is what a checkpoint holds in addition to the variables.
type metadata struct {
	Config     Config
	Characters string // of the vocabulary, in the order of their indices
	CorpusHash string
	training.State
}

// OpenCheckpoints opens the directory of a training and creates it if necessary. Only one process can have it open; Close
// it when done.
func OpenCheckpoints(dir string) (*Checkpoints, error) {
	d, err := checkpoints.Open(dir, "charlm")
	if err != nil {
		return nil, err
	}
	return &Checkpoints{d}, nil
}

// Save saves the model: its parameters, the state of its training and all that is needed to resume. If Save fails, or the
// process is killed meanwhile, the checkpoint before it is still there. A model that has diverged is not saved; the error
// is [training.ErrDiverged].
func (c *Checkpoints) Save(m *Model) error {
	if err := m.train.CheckFinite(); err != nil {
		return err
	}
	return c.Directory.Save(m.store, metadata{m.config, m.vocabulary.Chars(), m.corpusHash, m.train.State()})
}

// Load returns the model saved last, ready to resume training on the corpus, which must be the one that it was trained
// on. A checkpoint that cannot be read, because something changed it, is passed over for the one before it; damaged then
// says which and why. Without any checkpoint the error is [ErrNoCheckpoint].
func (c *Checkpoints) Load(backend compute.Backend, corpus string) (m *Model, damaged []error, err error) {
	saved, damaged, err := c.Read(corpus)
	if err != nil {
		return nil, damaged, err
	}
	m, err = saved.Model(backend)
	return m, damaged, err
}

// Saved is a checkpoint that was read; it needs no backend.
type Saved struct {
	checkpoint *checkpoints.Saved[metadata]
	corpus     string
}

// Read is [Checkpoints.Load] without a backend, to look at the settings before opening one.
func (c *Checkpoints) Read(corpus string) (s *Saved, damaged []error, err error) {
	read, damaged, err := checkpoints.Load[metadata](c.Directory)
	if err != nil {
		return nil, damaged, err
	}
	if read.Metadata.CorpusHash != corpusHash(corpus) {
		return nil, damaged, fmt.Errorf("charlm: the checkpoint %s was trained on another text, with %d distinct characters; give the same corpus and number of characters, or another checkpoint directory",
			read.Path, utf8.RuneCountInString(read.Metadata.Characters))
	}
	return &Saved{read, corpus}, damaged, nil
}

// Config returns the settings of the training.
func (s *Saved) Config() Config { return s.checkpoint.Metadata.Config }

// Model returns the model, ready to resume training.
func (s *Saved) Model(backend compute.Backend) (*Model, error) {
	m, err := New(backend, s.corpus, s.Config())
	if err == nil {
		err = checkpoints.Copy(m.store, s.checkpoint.Store)
	}
	if err != nil {
		return nil, fmt.Errorf("charlm: cannot use the checkpoint %s: %w", s.checkpoint.Path, err)
	}
	m.train.Restore(s.checkpoint.Metadata.State)
	return m, nil
}

// Difference lists the settings in which two configurations differ; it is "" if they are the same.
func (c Config) Difference(other Config) string {
	var d training.Differences
	d.Add("hidden sizes", c.Hidden, other.Hidden)
	d.Add("activation", c.Activation, other.Activation)
	d.Add("as posted", c.AsPosted, other.AsPosted)
	d.Add("random sampling", c.Random, other.Random)
	d.Add("steps", c.Steps, other.Steps)
	d.Add("batch", c.Batch, other.Batch)
	d.Add("learning rate", c.LearningRate, other.LearningRate)
	d.Add("clipping norm", c.Clip, other.Clip)
	d.Add("seed", c.Seed, other.Seed)
	return d.String()
}
