// Package tag trains recurrent networks that classify every time step of a sequence: the classes are the tags of a
// character in package birnn/birnnlib/examples/segment, and the hidden character in package birnn/birnnlib/examples/infill.
//
// A time step has one or more features, each an index. X_t holds a row of a table for each of them, the embeddings;
// LSTM layers read X_t in one direction or in both; the output layer gives the scores of the classes:
//
//	X_t = [E_1[x_t1], E_2[x_t2], …]
//	H_t = [H_t^f, H_t^b]                         (birnn/birnnlib, the cell LSTM)
//	O_t = H_t W_hq + b_q
//
// The loss is the mean softmax cross-entropy over the time steps whose class is known; padding does not count. With
// [Config.CRF] it is the negative log-likelihood of the classes of a sequence, predicted together by a conditional random
// field on O_t (package birnn/birnnlib/examples/crf), divided by the number of time steps. Adam minimises it, with the
// gradient clipped to a global norm and a learning rate that falls to zero along a straight line. While training, some
// entries of X_t and of H_t are dropped.
package tag

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/crf"
	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
)

// Task describes inputs and outputs.
type Task struct {
	Features []Feature // of a time step
	Classes  int       // q
	// About is kept in the checkpoints for the user of the model: what the indices mean, for example.
	About json.RawMessage
}

// Feature is an index below Size, for which X_t has Embedding entries.
type Feature struct{ Size, Embedding int }

// Config holds the settings of the network and its training.
type Config struct {
	Hidden       []birnnlib.Sizes // hidden units of each layer, forward and backward
	Dropout      float64          // part of the entries of X_t, and of every layer's outputs, dropped while training
	Lengths      []int            // increasing numbers of time steps, to the next of which a mini-batch is padded; each is compiled separately
	Batch        int              // time steps in a mini-batch, padding included
	Epochs       int              // of the whole training
	LearningRate float64          // of Adam, at first; it falls to zero by the last epoch's end
	Clip         float64          // the largest global norm of the gradient
	Seed         uint64           // of the weights, of dropout and of the order of the examples
	CRF          bool             // predict the classes of a sequence together, by a conditional random field; all must be known
}

// Check returns an error that names the setting with a wrong value.
func (c *Config) Check() error {
	if len(c.Hidden) == 0 {
		return errors.New("tag: Config.Hidden is empty; give the hidden sizes of at least one layer")
	}
	for l, s := range c.Hidden {
		if s.Forward < 0 || s.Backward < 0 || s.Forward+s.Backward == 0 {
			return fmt.Errorf("tag: the hidden sizes of layer %d are %d and %d; one must be positive, and none negative", l+1, s.Forward, s.Backward)
		}
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return fmt.Errorf("tag: the dropout is %g; it must be from 0 to less than 1", c.Dropout)
	}
	last := 0
	for _, length := range c.Lengths {
		if length <= last {
			return fmt.Errorf("tag: Config.Lengths is %v; the lengths must be positive and increasing", c.Lengths)
		}
		last = length
	}
	if last == 0 || c.Batch < last {
		return fmt.Errorf("tag: a mini-batch of %d time steps cannot hold a sequence of each of the lengths %v; make it larger, and give at least one length", c.Batch, c.Lengths)
	}
	if c.Epochs < 1 {
		return fmt.Errorf("tag: the training has %d epochs; it must have at least 1", c.Epochs)
	}
	return cmp.Or(training.CheckPositive("tag: the learning rate", c.LearningRate), training.CheckPositive("tag: the clipping norm", c.Clip))
}

func (t *Task) check() error {
	if len(t.Features) == 0 || t.Classes < 2 {
		return fmt.Errorf("tag: the task has %d features and %d classes; it needs at least 1 feature and 2 classes", len(t.Features), t.Classes)
	}
	for i, f := range t.Features {
		if f.Size < 1 || f.Embedding < 1 {
			return fmt.Errorf("tag: feature %d has %d values and an embedding of %d; both must be positive", i+1, f.Size, f.Embedding)
		}
	}
	return nil
}

// Model is a network with its parameters, which stay on the backend's device, and the state of its training. It must not
// be used from several goroutines at once.
type Model struct {
	task   Task
	config Config

	store *model.Store
	train *training.Training
	score *model.Exec // the scores of the classes
}

// New returns an untrained model.
func New(backend compute.Backend, task Task, config Config) (*Model, error) {
	if err := task.check(); err != nil {
		return nil, err
	}
	if err := config.Check(); err != nil {
		return nil, err
	}
	m := &Model{task: task, config: config, store: model.NewStore()}
	if err := m.store.SetRNGStateFromSeed(int64(config.Seed)); err != nil { // for dropout
		return nil, err
	}
	var err error
	options := training.Options{Name: "tag", LearningRate: config.LearningRate, Clip: config.Clip}
	if m.train, err = training.New(backend, m.store, options, m.trainGraph); err != nil {
		return nil, err
	}
	if m.score, err = model.NewExec(backend, m.store, m.scoreGraph); err != nil {
		return nil, err
	}
	return m, nil
}

// Task returns the task of the model.
func (m *Model) Task() Task { return m.task }

// Config returns the settings.
func (m *Model) Config() Config { return m.config }

// Position returns how far the training has come.
func (m *Model) Position() Position { return m.train.State().Position }

// History returns the finished epochs.
func (m *Model) History() []Epoch { return m.train.State().History }

// Store returns the store that holds the parameters: the embeddings under embedding_1/E and so on, the others by the names
// that package birnnlib documents. They are there after the first training step or prediction.
func (m *Model) Store() *model.Store { return m.store }

// Transitions returns the parameters of the conditional random field of [Config.CRF]. Without one, or before the first
// training step, they are zero.
func (m *Model) Transitions() (crf.Transitions, error) {
	scope := m.store.RootScope().In(crfScope)
	if scope.GetVariable("A") == nil { // without a random field, or untrained
		return crf.Zero(m.task.Classes), nil
	}
	return crf.Read(scope)
}

// crfScope is the scope of the parameters of the conditional random field.
const crfScope = "crf"

// outputs returns O_t for the features x [F, T, n] and the lengths [n] of the sequences: [T, n, q].
func (m *Model) outputs(scope *model.Scope, x, lengths *Node) *Node {
	var embedded []*Node
	for i, f := range m.task.Features {
		index := InsertAxes(Reshape(Slice(x, AxisElem(i)), x.Shape().Dimensions[1:]...), -1) // [T, n, 1]
		embedded = append(embedded, Gather(m.embedding(scope.In("embedding_%d", i+1), f).NodeValue(x.Graph()), index))
	}
	X := layers.DropoutStatic(scope, Concatenate(embedded, -1), m.config.Dropout)
	h, _ := birnnlib.New(scope, X, m.config.Hidden...).Cell(birnnlib.LSTM{ForgetBias: 1}).Lengths(lengths).
		Dropout(m.config.Dropout).Initializer(birnnlib.Glorot().Seed(m.config.Seed)).Done()
	h = layers.DropoutStatic(scope, h, m.config.Dropout)
	return birnnlib.Output(scope, h, m.task.Classes, birnnlib.Glorot().Seed(m.config.Seed))
}

// embedding returns the table of a feature, [Size, Embedding], drawn from N(0, 0.1²) if it does not exist yet.
func (m *Model) embedding(scope *model.Scope, f Feature) *model.Variable {
	if v := scope.GetVariable("E"); v != nil {
		return v
	}
	dims := []int{f.Size, f.Embedding}
	drawn := birnnlib.Normal(0.1).Seed(m.config.Seed)(birnnlib.Weight{Path: model.JoinPath(scope.Scope(), "E"), Dims: dims})
	values := make([]float32, len(drawn))
	for i, v := range drawn {
		values[i] = float32(v)
	}
	return scope.VariableWithValue("E", tensors.FromFlatDataAndDimensions(values, dims...))
}
