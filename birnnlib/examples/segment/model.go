package segment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/crf"
	"birnn/birnnlib/examples/tag"
	"birnn/birnnlib/examples/text"

	"github.com/gomlx/compute"
)

// Config holds the settings of the network and its training.
type Config struct {
	tag.Config
	Embedding int // entries of X_t for the character
	// Bigrams is the number of entries of X_t for each of two bigrams, the character with the one before it and with the
	// one after it; 0 for none. The second shows a forward network one character of the future.
	Bigrams   int
	MinBigram int // how often a bigram must occur to get an embedding
}

// Lesson returns the settings of the lesson: characters alone, one layer, one epoch.
func Lesson() Config {
	return Config{
		Config: tag.Config{
			Hidden:       []birnnlib.Sizes{{Forward: 128, Backward: 128}},
			Lengths:      []int{16, 32, 64},
			Batch:        1024,
			Epochs:       1,
			LearningRate: 6e-3,
			Clip:         5,
			Seed:         1,
		},
		Embedding: 64,
	}
}

// Full returns the settings of the command segment: with bigrams, and so many parameters that dropout is needed.
func Full() Config {
	c := Lesson()
	c.Bigrams, c.MinBigram = 32, 2
	c.Dropout = 0.2
	c.Batch, c.Epochs, c.LearningRate = 2048, 2, 4e-3
	return c
}

// Check returns an error that names the setting with a wrong value.
func (c *Config) Check() error {
	if c.Embedding < 1 || c.Bigrams < 0 || c.MinBigram < 0 {
		return fmt.Errorf("segment: Embedding is %d, Bigrams %d, MinBigram %d; Embedding must be at least 1, the others at least 0", c.Embedding, c.Bigrams, c.MinBigram)
	}
	return c.Config.Check()
}

// Difference lists the settings in which two configurations differ; it is "" if they are the same.
func (c Config) Difference(other Config) string {
	var differences []string
	if d := c.Config.Difference(other.Config); d != "" {
		differences = append(differences, d)
	}
	add := func(name string, a, b int) {
		if a != b {
			differences = append(differences, fmt.Sprintf("%s %d instead of %d", name, a, b))
		}
	}
	add("embedding", c.Embedding, other.Embedding)
	add("bigrams", c.Bigrams, other.Bigrams)
	add("least count of a bigram", c.MinBigram, other.MinBigram)
	return strings.Join(differences, ", ")
}

// vocabulary numbers the characters and bigrams that the network knows; 0 is everything else.
type vocabulary struct {
	Characters string // those with an embedding, in the order of their indices, from 1
	Bigrams    string // likewise, two characters each
	MinBigram  int    // of the Config
	LinesHash  string // of the lines that the model is trained on

	characters *text.Vocabulary
	bigrams    map[[2]rune]int32
}

// edge stands in a bigram for the position before the first character and after the last.
const edge = '\n'

// newVocabulary returns the characters that occur at least twice, and the bigrams that occur often enough: the network
// must meet unknown ones while it trains, to learn how to treat them.
func newVocabulary(lines []Line, config Config) *vocabulary {
	v := &vocabulary{MinBigram: config.MinBigram, LinesHash: linesHash(lines)}
	count, pairs := map[rune]int{}, map[[2]rune]int{}
	var order []rune
	var pairOrder [][2]rune
	for _, line := range lines {
		characters := folded(line.Text())
		for i, c := range characters {
			if count[c]++; count[c] == 2 {
				order = append(order, c)
			}
			if config.Bigrams > 0 {
				pair := [2]rune{before(characters, i), c}
				if pairs[pair]++; pairs[pair] == max(1, config.MinBigram) {
					pairOrder = append(pairOrder, pair)
				}
			}
		}
	}
	v.Characters = string(order)
	var b strings.Builder
	for _, pair := range pairOrder {
		b.WriteString(string(pair[:]))
	}
	v.Bigrams = b.String()
	return v
}

// index makes the vocabulary ready for use.
func (v *vocabulary) index() (err error) {
	if v.characters, err = text.NewVocabulary(v.Characters); err != nil {
		return errors.New("segment: no character occurs twice in the lines, so that the network would know none; give more text")
	}
	v.bigrams = map[[2]rune]int32{}
	pairs := []rune(v.Bigrams)
	for i := 0; i+1 < len(pairs); i += 2 {
		v.bigrams[[2]rune(pairs[i:i+2])] = int32(i/2 + 1)
	}
	return nil
}

// features returns the features of the characters.
func (v *vocabulary) features(characters []rune, bigrams bool) [][]int32 {
	n := 1
	if bigrams {
		n = 3
	}
	features := make([][]int32, n)
	for i := range characters {
		index, known := v.characters.Index(characters[i])
		if known {
			index++
		}
		features[0] = append(features[0], index)
		if bigrams {
			features[1] = append(features[1], v.bigrams[[2]rune{before(characters, i), characters[i]}])
			features[2] = append(features[2], v.bigrams[[2]rune{characters[i], after(characters, i)}])
		}
	}
	return features
}

func before(characters []rune, i int) rune {
	if i == 0 {
		return edge
	}
	return characters[i-1]
}

func after(characters []rune, i int) rune {
	if i == len(characters)-1 {
		return edge
	}
	return characters[i+1]
}

// folded returns the characters with Latin letters, digits and punctuation marks of ASCII in the full width that they have
// in Chinese print, and in the corpus.
func folded(s string) []rune {
	characters := []rune(s)
	for i, c := range characters {
		if '!' <= c && c <= '~' {
			characters[i] = c - '!' + '！'
		}
	}
	return characters
}

func (v *vocabulary) learnedFrom(lines []Line) error {
	if linesHash(lines) != v.LinesHash {
		return errors.New("segment: the model was trained on other lines; give the same corpus, or start another model")
	}
	return nil
}

func linesHash(lines []Line) string {
	h := sha256.New()
	for _, line := range lines {
		h.Write([]byte(strings.Join(line, " ") + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Model cuts text into words. It must not be used from several goroutines at once.
type Model struct {
	tagger     *tag.Model
	vocabulary *vocabulary
	scorer     scorer
}

// scorer is what of the tagger computes: itself, or a [tag.Batcher] of it.
type scorer interface {
	Scores(ctx context.Context, examples []tag.Example) ([][][]float32, error)
	Transitions() (crf.Transitions, error)
}

// New returns an untrained model that will learn from the lines.
func New(backend compute.Backend, lines []Line, config Config) (*Model, error) {
	if err := config.Check(); err != nil {
		return nil, err
	}
	for i, line := range lines {
		for _, word := range line {
			if err := text.CheckUTF8(word); err != nil {
				return nil, fmt.Errorf("segment: line %d: %.30q is %w", i+1, word, err)
			}
		}
	}
	v := newVocabulary(lines, config)
	if err := v.index(); err != nil {
		return nil, err
	}
	about, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	task := tag.Task{Features: []tag.Feature{{Size: v.characters.Size() + 1, Embedding: config.Embedding}}, Classes: Tags, About: about}
	if config.Bigrams > 0 {
		bigram := tag.Feature{Size: len(v.bigrams) + 1, Embedding: config.Bigrams}
		task.Features = append(task.Features, bigram, bigram)
	}
	tagger, err := tag.New(backend, task, config.Config)
	if err != nil {
		return nil, err
	}
	return &Model{tagger, v, tagger}, nil
}

// Saved is a model that was read from a checkpoint; it needs no backend.
type Saved struct {
	tagger     *tag.Saved
	vocabulary *vocabulary
}

// ReadSaved reads the model saved last. A checkpoint that cannot be read is passed over; damaged says which and why.
// Without any the error is [tag.ErrNoCheckpoint].
func ReadSaved(checkpoints *tag.Checkpoints) (s *Saved, damaged []error, err error) {
	tagger, damaged, err := checkpoints.Read()
	if err != nil {
		return nil, damaged, err
	}
	v := &vocabulary{}
	if err := json.Unmarshal(tagger.Task().About, v); err != nil || tagger.Task().Classes != Tags {
		return nil, damaged, fmt.Errorf("segment: the model in %s does not segment text; name another directory", checkpoints.Dir())
	}
	if err := v.index(); err != nil {
		return nil, damaged, err
	}
	return &Saved{tagger, v}, damaged, nil
}

// Config returns the settings of the model.
func (s *Saved) Config() Config { return configOf(s.tagger.Task(), s.tagger.Config(), s.vocabulary) }

// LearnedFrom returns an error unless the lines are those that the model was made for.
func (s *Saved) LearnedFrom(lines []Line) error { return s.vocabulary.learnedFrom(lines) }

// Model returns the model.
func (s *Saved) Model(backend compute.Backend) (*Model, error) {
	tagger, err := s.tagger.Model(backend)
	if err != nil {
		return nil, err
	}
	return &Model{tagger, s.vocabulary, tagger}, nil
}

// Load returns the model saved last. A checkpoint that cannot be read is passed over; damaged says which and why. Without
// any the error is [tag.ErrNoCheckpoint].
func Load(checkpoints *tag.Checkpoints, backend compute.Backend) (m *Model, damaged []error, err error) {
	saved, damaged, err := ReadSaved(checkpoints)
	if err != nil {
		return nil, damaged, err
	}
	m, err = saved.Model(backend)
	return m, damaged, err
}

// Tagger returns the network, to save it and to inspect its training.
func (m *Model) Tagger() *tag.Model { return m.tagger }

// Config returns the settings.
func (m *Model) Config() Config { return configOf(m.tagger.Task(), m.tagger.Config(), m.vocabulary) }

func configOf(task tag.Task, config tag.Config, v *vocabulary) Config {
	c := Config{Config: config, Embedding: task.Features[0].Embedding, MinBigram: v.MinBigram}
	if len(task.Features) > 1 {
		c.Bigrams = task.Features[1].Embedding
	}
	return c
}

// Train trains until all epochs are complete, as [tag.Model.Train] does, on the lines that New was given.
func (m *Model) Train(ctx context.Context, lines []Line, callbacks tag.Callbacks) error {
	if err := m.vocabulary.learnedFrom(lines); err != nil {
		return err
	}
	var examples []tag.Example
	for _, line := range lines {
		tags := TagsOf(line)
		for _, e := range m.examples(line.Text()) {
			for range e.Features[0] {
				e.Classes = append(e.Classes, int32(tags[0]))
				tags = tags[1:]
			}
			examples = append(examples, e)
		}
	}
	return m.tagger.Train(ctx, func(int) []tag.Example { return examples }, callbacks)
}

// examples returns the text in pieces that are no longer than the network's largest length.
func (m *Model) examples(s string) (examples []tag.Example) {
	characters := folded(s)
	features := m.vocabulary.features(characters, len(m.tagger.Task().Features) > 1)
	lengths := m.tagger.Config().Lengths
	from := 0
	for _, to := range pieces(characters, lengths[len(lengths)-1]) {
		var e tag.Example
		for _, f := range features {
			e.Features = append(e.Features, f[from:to])
		}
		examples = append(examples, e)
		from = to
	}
	return examples
}

// pieces returns where to cut so that no piece is longer than longest: after the last sentence that fits, else after the
// last comma, else at the limit.
func pieces(characters []rune, longest int) (ends []int) {
	start := 0
	for len(characters)-start > longest {
		end := start + longest
		for _, marks := range []string{"。！？；", "，：、"} {
			last := slices.IndexFunc(reversed(characters[start:end]), func(c rune) bool { return strings.ContainsRune(marks, c) })
			if last >= 0 {
				end -= last
				break
			}
		}
		ends = append(ends, end)
		start = end
	}
	if start < len(characters) {
		ends = append(ends, len(characters))
	}
	return ends
}

func reversed(characters []rune) []rune {
	r := slices.Clone(characters)
	slices.Reverse(r)
	return r
}

// Scores returns for each text and each of its characters the logarithms of the probabilities of the tags, [T, 4], or, with
// a conditional random field, the scores O_t, which make probabilities only together with its transitions.
func (m *Model) Scores(ctx context.Context, texts ...string) ([][][]float32, error) {
	var all []tag.Example
	var counts []int
	for _, s := range texts {
		if err := text.CheckUTF8(s); err != nil {
			return nil, fmt.Errorf("segment: %.30q is %w", s, err)
		}
		examples := m.examples(s)
		all, counts = append(all, examples...), append(counts, len(examples))
	}
	parts, err := m.scorer.Scores(ctx, all)
	if err != nil {
		return nil, err
	}
	scores := make([][][]float32, len(texts))
	for i, count := range counts {
		scores[i] = slices.Concat(parts[:count]...)
		parts = parts[count:]
	}
	return scores, nil
}

// Segment returns the words of each text. White space ends a word and is part of none.
func (m *Model) Segment(ctx context.Context, texts ...string) ([][]string, error) {
	var parts []string
	var counts []int
	for _, s := range texts {
		fields := strings.FieldsFunc(s, isSpace)
		parts, counts = append(parts, fields...), append(counts, len(fields))
	}
	scores, err := m.Scores(ctx, parts...)
	if err != nil {
		return nil, err
	}
	transitions, err := m.scorer.Transitions()
	if err != nil {
		return nil, err
	}
	forbid(transitions)
	words := make([][]string, len(texts))
	for i, count := range counts {
		for k := range count {
			words[i] = append(words[i], Words([]rune(parts[k]), decode(transitions, scores[k]))...)
		}
		parts, scores = parts[count:], scores[count:]
	}
	return words, nil
}

// isSpace reports whether c ends a word: white space, or a byte order mark.
func isSpace(c rune) bool { return unicode.IsSpace(c) || c == '\ufeff' }

// Separate returns the texts with the separator between two words. White space stays as it is, instead of a separator.
func (m *Model) Separate(ctx context.Context, separator string, texts ...string) ([]string, error) {
	words, err := m.Segment(ctx, texts...)
	if err != nil {
		return nil, err
	}
	separated := make([]string, len(texts))
	for i, rest := range texts {
		var b strings.Builder
		for k, word := range words[i] {
			at := strings.IndexFunc(rest, func(c rune) bool { return !isSpace(c) }) // where the word begins
			if at == 0 && k > 0 {
				b.WriteString(separator)
			}
			b.WriteString(rest[:at+len(word)])
			rest = rest[at+len(word):]
		}
		separated[i] = b.String() + rest
	}
	return separated, nil
}

// Test segments the text of the lines and counts how many words it finds.
func (m *Model) Test(ctx context.Context, lines []Line) (Score, error) {
	if len(lines) == 0 {
		return Score{}, errors.New("segment: no lines to test on; give at least one (of ten lines, Split keeps one)")
	}
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = line.Text()
	}
	found, err := m.Segment(ctx, texts...)
	var score Score
	if err != nil {
		return score, err
	}
	for i, line := range lines {
		if err := score.Count(line, found[i]); err != nil {
			return score, err
		}
	}
	return score, nil
}
