// Package charlm trains the character-level language model of lesson 1: a bidirectional recurrent network that
// reads a text and, at every time step, predicts the next character.
//
// The rules are those of the post that the lesson follows,
// 《MXNet双向循环神经网络----单个隐藏层的双向循环神经网络(程序)》, a published solution of the exercise of d2l-zh 6.10
// (April 2020), and of the book Dive into Deep Learning: truncated back-propagation through time over windows of Steps
// characters; mean softmax cross-entropy; the gradient clipped to a global norm; plain stochastic gradient descent;
// perplexity as the measure.
//
// Under consecutive sampling the state is carried from batch to batch, detached, and zeroed at the start of each epoch;
// under random sampling every batch starts from zeros. By the formulas only the forward state is carried: the backward
// state starts at zero at the end of every window, since the text after it is not read yet. In the post's reading, in
// which both directions walk forward, both are carried.
package charlm

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"unicode/utf8"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/text"
	"birnn/birnnlib/examples/training"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// Config holds the settings of the network and its training. Checkpoints hold its JSON form.
type Config struct {
	Hidden       []birnnlib.Sizes // hidden units of each layer, forward and backward
	Activation   string           // φ: "sigmoid", "tanh" or "relu"
	AsPosted     bool             // the post's reading: both directions walk forward in time
	Random       bool             // random sampling instead of consecutive
	Steps        int              // time steps T of a window
	Batch        int              // sequences n of a mini-batch
	LearningRate float64
	Clip         float64 // θ: the largest global norm of the gradient
	Seed         uint64  // of the weights, and of random sampling
}

// Post returns the settings of the post that the package comment names, except that the reading is that of the formulas.
func Post() Config {
	return Config{
		Hidden:       []birnnlib.Sizes{{Forward: 256, Backward: 256}},
		Activation:   "sigmoid",
		Steps:        35,
		Batch:        32,
		LearningRate: 100,
		Clip:         0.1,
		Seed:         1,
	}
}

// Check returns an error that names the setting with a wrong value.
func (c *Config) Check() error {
	if len(c.Hidden) == 0 {
		return errors.New("charlm: Config.Hidden is empty; give the hidden sizes of at least one layer")
	}
	for l, s := range c.Hidden {
		if s.Forward < 0 || s.Backward < 0 || s.Forward+s.Backward == 0 {
			return fmt.Errorf("charlm: the hidden sizes of layer %d are %d and %d; one must be positive, and none negative", l+1, s.Forward, s.Backward)
		}
	}
	switch c.Activation {
	case "sigmoid", "tanh", "relu":
	default:
		return fmt.Errorf("charlm: unknown activation %q; it must be sigmoid, tanh or relu", c.Activation)
	}
	if c.Steps < 1 || c.Batch < 1 {
		return fmt.Errorf("charlm: the batch has %d sequences of %d time steps; both must be at least 1", c.Batch, c.Steps)
	}
	return cmp.Or(training.CheckPositive("charlm: the learning rate", c.LearningRate), training.CheckPositive("charlm: the clipping norm", c.Clip))
}

// CheckCorpus returns an error if the corpus is too short for these settings.
func (c *Config) CheckCorpus(corpus string) error {
	_, err := c.sample(make([]int32, utf8.RuneCountInString(corpus)), 1)
	return err
}

// Model is a language model with its parameters, which stay on the backend's device, and the state of its training.
// It must not be used from several goroutines at once.
type Model struct {
	config     Config
	vocabulary *text.Vocabulary
	indices    []int32 // of the corpus
	corpusHash string

	store *model.Store
	train *training.Training
	step  *model.Exec // one character further, by the post's reading
	read  *model.Exec // the next character after a whole text, by the formulas
}

// New returns an untrained model of the corpus: its vocabulary is the characters of the corpus.
func New(backend compute.Backend, corpus string, config Config) (*Model, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	vocabulary, err := text.NewVocabulary(corpus)
	if err != nil {
		return nil, err
	}
	indices, err := vocabulary.Encode(corpus)
	if err != nil {
		return nil, err
	}
	m := &Model{
		config: config, vocabulary: vocabulary, indices: indices, corpusHash: corpusHash(corpus),
		store: model.NewStore(),
	}
	if err := config.CheckCorpus(corpus); err != nil {
		return nil, err
	}
	options := training.Options{Name: "charlm", LearningRate: config.LearningRate, Clip: config.Clip}
	if m.train, err = training.New(backend, m.store, options, m.trainGraph); err != nil {
		return nil, err
	}
	if m.step, err = model.NewExec(backend, m.store, m.stepGraph); err != nil {
		return nil, err
	}
	if m.read, err = model.NewExec(backend, m.store, m.readGraph); err != nil {
		return nil, err
	}
	return m, nil
}

func corpusHash(corpus string) string {
	hash := sha256.Sum256([]byte(corpus))
	return hex.EncodeToString(hash[:])
}

// Config returns the settings.
func (m *Model) Config() Config { return m.config }

// Vocabulary returns the characters of the corpus.
func (m *Model) Vocabulary() *text.Vocabulary { return m.vocabulary }

// Position returns how far the training has come.
func (m *Model) Position() Position { return m.train.State().Position }

// Store returns the store that holds the parameters, by the names that package birnnlib documents. They are there after
// the first training step or prediction, or before, if set with CreateVariable.
func (m *Model) Store() *model.Store { return m.store }

// layers builds the hidden layers on x, the indices of characters.
func (m *Model) layers(scope *model.Scope, x *Node) *birnnlib.BiRNN {
	φ, err := activation.TypeString(m.config.Activation)
	if err != nil {
		panic(err) // checked by New
	}
	return birnnlib.New(scope, x, m.config.Hidden...).OneHot(m.vocabulary.Size()).
		Activation(φ).BothForward(m.config.AsPosted).Initializer(m.initializer())
}

// output builds the output layer on h.
func (m *Model) output(scope *model.Scope, h *Node) *Node {
	return birnnlib.Output(scope, h, m.vocabulary.Size(), m.initializer())
}

func (m *Model) initializer() birnnlib.Initializer { return birnnlib.Normal(0.01).Seed(m.config.Seed) }
