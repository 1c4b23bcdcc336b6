package main

import (
	"errors"
	"math/rand/v2"
	"path/filepath"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/charlm"
	"birnn/birnnlib/examples/text"
)

// postKind is the kind of a [postProblem].
const postKind = "post"

// postProblem is the training of the post that lesson 1 follows, by the formulas.
type postProblem struct {
	Kind         string  `json:"kind"`
	Vocabulary   int     `json:"vocabulary"`
	Chars        int     `json:"chars"`  // of the corpus
	Hidden       int     `json:"hidden"` // units of each direction
	Steps        int     `json:"steps"`  // time steps T of a window
	Batch        int     `json:"batch"`  // sequences n of a mini-batch
	LearningRate float64 `json:"learning_rate"`
	Clip         float64 `json:"clip"`
}

// post has the sizes of the post, 《MXNet双向循环神经网络----单个隐藏层的双向循环神经网络(程序)》, a published solution of the
// exercise of d2l-zh 6.10 (April 2020): its corpus is 10,000 characters with 1,027 distinct ones.
func post() postProblem {
	c := charlm.Post()
	return postProblem{
		Kind: postKind, Vocabulary: 1027, Chars: 10000, Hidden: c.Hidden[0].Forward,
		Steps: c.Steps, Batch: c.Batch, LearningRate: c.LearningRate, Clip: c.Clip,
	}
}

// config returns the problem as package charlm wants it.
func (p postProblem) config() charlm.Config {
	c := charlm.Post()
	c.Hidden = []birnnlib.Sizes{{Forward: p.Hidden, Backward: p.Hidden}}
	c.Steps, c.Batch, c.LearningRate, c.Clip = p.Steps, p.Batch, p.LearningRate, p.Clip
	return c
}

// epoch returns how many training steps an epoch has.
func (p postProblem) epoch() int { return text.ConsecutiveBatches(p.Chars, p.Batch, p.Steps) }

// corpus returns a text of exactly Vocabulary distinct characters: each of them once, the rest drawn with frequencies
// that fall with the rank as those of a language do (a look-up that meets the same row again and again is another thing
// than one that never does), all shuffled.
func (p postProblem) corpus() string {
	rng := rand.New(rand.NewPCG(1, 1))
	zipf := rand.NewZipf(rng, 1.1, 5, uint64(p.Vocabulary-1))
	chars := make([]rune, p.Chars)
	for i := range chars {
		rank := i
		if i >= p.Vocabulary {
			rank = int(zipf.Uint64())
		}
		chars[i] = '一' + rune(rank)
	}
	rng.Shuffle(len(chars), func(i, j int) { chars[i], chars[j] = chars[j], chars[i] })
	return string(chars)
}

// flops returns the floating-point operations of one step's matrix products, counting a product [a, b]·[b, c] as 2abc.
// Only products count, and the look-up of a character's row is none: at every time step each direction multiplies its
// state, [n, h]·[h, h], and the output layer both, [n, 2h]·[2h, q]. The backward pass needs two products of the same
// size for each of these: the gradient of the left factor and that of the right one.
func (p postProblem) flops() float64 {
	states := 2 * p.Batch * p.Hidden * p.Hidden * 2 // both directions
	outputs := 2 * p.Batch * (2 * p.Hidden) * p.Vocabulary
	return float64(3 * p.Steps * (states + outputs))
}

// outputs returns 0: the plan of package charlm's program is not known here.
func (p postProblem) outputs() int64 { return 0 }

// Files of the problem; see peers/problem.py.
const (
	indicesFile = "indices.i32" // the corpus, as indices into its vocabulary
	weightsFile = "weights.f32" // W_xh^f, W_hh^f, W_xh^b, W_hh^b, W_hq, one after the other; biases are zero
)

func (p postProblem) write(dir string) error {
	corpus := p.corpus()
	vocabulary, err := text.NewVocabulary(corpus)
	if err != nil {
		return err
	}
	indices, err := vocabulary.Encode(corpus)
	if err != nil {
		return err
	}
	initial := birnnlib.Normal(0.01).Seed(p.config().Seed) // what charlm draws
	var weights []float32
	for _, w := range []struct {
		path string
		dims []int
	}{
		{"/layer_1/W_xh^f", []int{p.Vocabulary, p.Hidden}},
		{"/layer_1/W_hh^f", []int{p.Hidden, p.Hidden}},
		{"/layer_1/W_xh^b", []int{p.Vocabulary, p.Hidden}},
		{"/layer_1/W_hh^b", []int{p.Hidden, p.Hidden}},
		{"/W_hq", []int{2 * p.Hidden, p.Vocabulary}},
	} {
		for _, v := range initial(birnnlib.Weight{Path: w.path, Dims: w.dims}) {
			weights = append(weights, float32(v))
		}
	}
	return errors.Join(
		writeJSON(filepath.Join(dir, problemFile), p),
		writeBinary(filepath.Join(dir, indicesFile), indices),
		writeBinary(filepath.Join(dir, weightsFile), weights),
	)
}
