// Package infill guesses characters that are hidden in a line of text, from those before them, those after them or both.
//
// While the network trains, [Gap] replaces some characters of each line, different ones in each epoch, and the network
// learns the originals. It is tested with one gap at a time. The input lacks the hidden characters, so that the network
// cannot copy them.
package infill

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/tag"
	"birnn/birnnlib/examples/text"

	"github.com/gomlx/compute"
)

// Gap stands for a hidden character.
const Gap = '□'

// Lines returns the different lines, of at least two characters, of a corpus of package birnn/birnnlib/examples/text,
// which separates lines by spaces.
func Lines(corpus string) (lines []string) {
	seen := map[string]bool{}
	for line := range strings.FieldsSeq(corpus) {
		if !seen[line] && len([]rune(line)) > 1 {
			seen[line] = true
			lines = append(lines, line)
		}
	}
	return lines
}

// Split keeps every fifth line, the fifth, the tenth and so on, for the test, and returns the others to learn from.
func Split(lines []string) (train, test []string) {
	for i, line := range lines {
		if i%5 == 4 {
			test = append(test, line)
		} else {
			train = append(train, line)
		}
	}
	return train, test
}

// Config holds the settings of the network and its training.
type Config struct {
	tag.Config
	Embedding int     // entries of X_t
	Part      float64 // of the characters that are hidden while training
}

// Difference lists the settings in which two configurations differ; it is "" if they are the same.
func (c Config) Difference(other Config) string {
	d := c.Config.Difference(other.Config)
	if c.Embedding != other.Embedding || c.Part != other.Part {
		d += fmt.Sprintf(" embedding %d and hidden part %g instead of %d and %g", c.Embedding, c.Part, other.Embedding, other.Part)
	}
	return d
}

// Lesson returns the settings of the lesson.
func Lesson() Config {
	return Config{
		Config: tag.Config{
			Hidden:       []birnnlib.Sizes{{Forward: 64, Backward: 64}},
			Dropout:      0.3,
			Lengths:      []int{8, 16},
			Batch:        256,
			Epochs:       40,
			LearningRate: 0.01,
			Clip:         1,
			Seed:         1,
		},
		Embedding: 64,
		Part:      0.2,
	}
}

// Model guesses hidden characters. It must not be used from several goroutines at once.
type Model struct {
	tagger     *tag.Model
	about      about
	vocabulary *text.Vocabulary
}

// about is what a checkpoint holds of the model in addition to the network.
type about struct {
	Characters string  // in the order of their indices; the first are Gap and the stand-in for all that are not there
	Part       float64 // of the Config
}

const other = '\uFFFD'

// checkLines returns an error that names the first line that cannot be learned from or tested on.
func checkLines(lines []string) error {
	if len(lines) == 0 {
		return errors.New("infill: no lines; give at least one")
	}
	for i, line := range lines {
		if line == "" {
			return fmt.Errorf("infill: line %d is empty; leave it out, as Lines does", i+1)
		}
		if err := text.CheckUTF8(line); err != nil {
			return fmt.Errorf("infill: line %d is %w", i+1, err)
		}
		for _, c := range []rune{Gap, other} {
			if strings.ContainsRune(line, c) {
				return fmt.Errorf("infill: line %d contains %c (%U), which stands for a hidden or unknown character; give lines of text without it", i+1, c, c)
			}
		}
	}
	return nil
}

// New returns an untrained model that will learn from the lines, in which there must be no gaps.
func New(backend compute.Backend, lines []string, config Config) (*Model, error) {
	if !(config.Part > 0 && config.Part < 1) {
		return nil, fmt.Errorf("infill: the part of hidden characters is %g; it must be between 0 and 1", config.Part)
	}
	if err := checkLines(lines); err != nil {
		return nil, err
	}
	vocabulary, err := text.NewVocabulary(string([]rune{Gap, other}) + strings.Join(lines, ""))
	if err != nil {
		return nil, err
	}
	m := &Model{about: about{vocabulary.Chars(), config.Part}, vocabulary: vocabulary}
	blob, err := json.Marshal(m.about)
	if err != nil {
		return nil, err
	}
	feature := tag.Feature{Size: vocabulary.Size(), Embedding: config.Embedding}
	task := tag.Task{Features: []tag.Feature{feature}, Classes: vocabulary.Size(), About: blob}
	m.tagger, err = tag.New(backend, task, config.Config)
	return m, err
}

// Load returns the model saved last. A checkpoint that cannot be read is passed over; damaged says which and why. Without
// any the error is [tag.ErrNoCheckpoint].
func Load(checkpoints *tag.Checkpoints, backend compute.Backend) (m *Model, damaged []error, err error) {
	tagger, damaged, err := checkpoints.Load(backend)
	if err != nil {
		return nil, damaged, err
	}
	m = &Model{tagger: tagger}
	if err := json.Unmarshal(tagger.Task().About, &m.about); err != nil || m.about.Part == 0 {
		return nil, damaged, fmt.Errorf("infill: the model in %s does not fill in characters (%v); name another directory", checkpoints.Dir(), err)
	}
	m.vocabulary, err = text.NewVocabulary(m.about.Characters)
	return m, damaged, err
}

// Tagger returns the network, to save it and to inspect its training.
func (m *Model) Tagger() *tag.Model { return m.tagger }

// Config returns the settings.
func (m *Model) Config() Config {
	return Config{Config: m.tagger.Config(), Embedding: m.tagger.Task().Features[0].Embedding, Part: m.about.Part}
}

// Train trains on the lines until all epochs are complete, as [tag.Model.Train] does. In each epoch other characters are
// hidden.
func (m *Model) Train(ctx context.Context, lines []string, callbacks tag.Callbacks) error {
	if err := checkLines(lines); err != nil {
		return err
	}
	return m.tagger.Train(ctx, func(epoch int) []tag.Example { return m.hide(lines, epoch) }, callbacks)
}

// hide returns the lines with some characters hidden, at least one in each.
func (m *Model) hide(lines []string, epoch int) []tag.Example {
	rng := rand.New(rand.NewPCG(m.tagger.Config().Seed, uint64(epoch)))
	examples := make([]tag.Example, len(lines))
	for i := range lines {
		line := []rune(lines[i])
		hidden := slices.Clone(line)
		one := rng.IntN(len(line))
		for t := range hidden {
			if t == one || rng.Float64() < m.about.Part {
				hidden[t] = Gap
			}
		}
		examples[i] = m.example(hidden, line)
	}
	return examples
}

// example returns a line with gaps, and as classes what stands in the gaps.
func (m *Model) example(hidden, line []rune) tag.Example {
	e := tag.Example{Features: make([][]int32, 1)}
	for t, c := range hidden {
		class := int32(tag.Unknown)
		if c == Gap {
			class = m.index(line[t])
		}
		e.Features[0], e.Classes = append(e.Features[0], m.index(c)), append(e.Classes, class)
	}
	return e
}

func (m *Model) index(c rune) int32 {
	index, known := m.vocabulary.Index(c)
	if !known {
		index, _ = m.vocabulary.Index(other)
	}
	return index
}

// Guess is a character and its probability.
type Guess struct {
	Character   rune
	Probability float64
}

// Fill returns for each text and each of its gaps the likeliest characters, at most so many, the likeliest first.
func (m *Model) Fill(ctx context.Context, most int, texts ...string) ([][][]Guess, error) {
	if most < 1 {
		return nil, fmt.Errorf("infill: Fill was asked for at most %d guesses for a gap; ask for at least 1", most)
	}
	examples := make([]tag.Example, len(texts))
	for i, s := range texts {
		if s == "" {
			return nil, fmt.Errorf("infill: text %d is empty; write %c for each character to guess", i+1, Gap)
		}
		if err := text.CheckUTF8(s); err != nil {
			return nil, fmt.Errorf("infill: text %d is %w", i+1, err)
		}
		characters := []rune(s)
		examples[i] = m.example(characters, characters)
	}
	scores, err := m.tagger.Scores(ctx, examples)
	if err != nil {
		return nil, err
	}
	guesses := make([][][]Guess, len(texts))
	for i, s := range texts {
		for t, c := range []rune(s) {
			if c == Gap {
				guesses[i] = append(guesses[i], m.likeliest(scores[i][t], most))
			}
		}
	}
	return guesses, nil
}

// likeliest returns the characters with the largest scores; Gap and the stand-in for others are none.
func (m *Model) likeliest(scores []float32, most int) []Guess {
	var guesses []Guess
	for index, score := range scores {
		if c := m.vocabulary.Char(int32(index)); c != Gap && c != other {
			guesses = append(guesses, Guess{c, math.Exp(float64(score))})
		}
	}
	slices.SortStableFunc(guesses, func(a, b Guess) int { return cmp.Compare(b.Probability, a.Probability) })
	return guesses[:min(most, len(guesses))]
}

// Test hides each character of each line, one at a time, and returns how many the model guesses, of how many.
func (m *Model) Test(ctx context.Context, lines []string) (right, of int, err error) {
	if err := checkLines(lines); err != nil {
		return 0, 0, err
	}
	var gapped []string
	var want []rune
	for _, line := range lines {
		for t, c := range []rune(line) {
			hidden := []rune(line)
			hidden[t] = Gap
			gapped, want = append(gapped, string(hidden)), append(want, c)
		}
	}
	guesses, err := m.Fill(ctx, 1, gapped...)
	if err != nil {
		return 0, 0, err
	}
	for i, c := range want {
		if guesses[i][0][0].Character == c {
			right++
		}
	}
	return right, len(want), nil
}
