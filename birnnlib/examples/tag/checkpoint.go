package tag

import (
	"fmt"

	"birnn/birnnlib/examples/internal/checkpoints"
	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute"
)

// ErrNoCheckpoint is returned by [Checkpoints.Load] when the directory holds no checkpoint yet.
var ErrNoCheckpoint = checkpoints.ErrNone

// Checkpoints is a directory in which a model is saved, so that it can be used, and its training resumed, even after the
// process was killed. The two latest checkpoints are kept. Dir returns its path; Close lets other processes use it.
type Checkpoints struct{ *checkpoints.Directory }

// metadata is what a checkpoint holds in addition to the variables.
type metadata struct {
	Task   Task
	Config Config
	training.State
}

// OpenCheckpoints opens the directory of a model and creates it if necessary. Only one process can have it open; Close it
// when done.
func OpenCheckpoints(dir string) (*Checkpoints, error) {
	d, err := checkpoints.Open(dir, "tag")
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
	return c.Directory.Save(m.store, metadata{m.task, m.config, m.train.State()})
}

// Load returns the model saved last, ready to resume training on the same examples. A checkpoint that cannot be read,
// because something changed it, is passed over for the one before it; damaged then says which and why. Without any
// checkpoint the error is [ErrNoCheckpoint].
func (c *Checkpoints) Load(backend compute.Backend) (m *Model, damaged []error, err error) {
	saved, damaged, err := c.Read()
	if err != nil {
		return nil, damaged, err
	}
	m, err = saved.Model(backend)
	return m, damaged, err
}

// Saved is a checkpoint that was read; it needs no backend.
type Saved struct{ checkpoint *checkpoints.Saved[metadata] }

// Read is [Checkpoints.Load] without a backend, to look at the settings before opening one.
func (c *Checkpoints) Read() (s *Saved, damaged []error, err error) {
	read, damaged, err := checkpoints.Load[metadata](c.Directory)
	if err != nil {
		return nil, damaged, err
	}
	return &Saved{read}, damaged, nil
}

// Task returns the task of the model.
func (s *Saved) Task() Task { return s.checkpoint.Metadata.Task }

// Config returns the settings of the training.
func (s *Saved) Config() Config { return s.checkpoint.Metadata.Config }

// Path returns the path of the checkpoint.
func (s *Saved) Path() string { return s.checkpoint.Path }

// Model returns the model, ready to be used or to resume training.
func (s *Saved) Model(backend compute.Backend) (*Model, error) {
	m, err := New(backend, s.Task(), s.Config())
	if err == nil {
		err = checkpoints.Copy(m.store, s.checkpoint.Store)
	}
	if err != nil {
		return nil, fmt.Errorf("tag: cannot use the checkpoint %s: %w", s.checkpoint.Path, err)
	}
	m.train.Restore(s.checkpoint.Metadata.State)
	return m, nil
}

// Difference lists the settings in which two configurations differ; it is "" if they are the same.
func (c Config) Difference(other Config) string {
	var d training.Differences
	d.Add("hidden sizes", c.Hidden, other.Hidden)
	d.Add("dropout", c.Dropout, other.Dropout)
	d.Add("lengths", c.Lengths, other.Lengths)
	d.Add("batch", c.Batch, other.Batch)
	d.Add("epochs", c.Epochs, other.Epochs)
	d.Add("learning rate", c.LearningRate, other.LearningRate)
	d.Add("clipping norm", c.Clip, other.Clip)
	d.Add("seed", c.Seed, other.Seed)
	d.Add("random field", c.CRF, other.CRF)
	return d.String()
}
