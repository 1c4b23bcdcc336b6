package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"birnn/birnnlib/examples/text"
)

// small is a problem that takes a moment on the pure-Go backend.
func small() postProblem {
	return postProblem{Kind: postKind, Vocabulary: 20, Chars: 400, Hidden: 6, Steps: 5, Batch: 4, LearningRate: 1, Clip: 0.1}
}

func TestCorpus(t *testing.T) {
	for _, p := range []postProblem{post(), small()} {
		corpus := p.corpus()
		v, err := text.NewVocabulary(corpus)
		if err != nil {
			t.Fatal(err)
		}
		if v.Size() != p.Vocabulary || len([]rune(corpus)) != p.Chars {
			t.Errorf("%d characters, %d distinct; want %d and %d", len([]rune(corpus)), v.Size(), p.Chars, p.Vocabulary)
		}
		if corpus != p.corpus() {
			t.Error("the corpus is another one the second time")
		}
	}
	if got := post().epoch(); got != 8 {
		t.Errorf("an epoch of the post has %d steps, want 8", got)
	}
}

// TestFlops counts the products one by one.
func TestFlops(t *testing.T) {
	p := post()
	product := func(a, b, c int) int { return 2 * a * b * c }
	n, h, q, sum := p.Batch, p.Hidden, p.Vocabulary, 0
	for range p.Steps {
		for range 2 {
			sum += product(n, h, h) // H W_hh
			sum += product(n, h, h) // the gradient of H
			sum += product(h, n, h) // the gradient of W_hh
		}
		sum += product(n, 2*h, q) // H W_hq
		sum += product(n, q, 2*h) // the gradient of H
		sum += product(2*h, n, q) // the gradient of W_hq
	}
	if got := p.flops(); got != float64(sum) || math.Round(got/1e7) != 441 {
		t.Errorf("%v FLOP, want %v, 4.41 GFLOP", got, sum)
	}
}

// TestWrite reads the files as the peers do.
func TestWrite(t *testing.T) {
	dir, p := t.TempDir(), small()
	if err := p.write(dir); err != nil {
		t.Fatal(err)
	}
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var back postProblem
	if err := json.Unmarshal(read("problem.json"), &back); err != nil || back != p {
		t.Errorf("the problem read back is %+v, error %v", back, err)
	}

	indices := make([]int32, p.Chars)
	if b := read("indices.i32"); len(b) != 4*p.Chars {
		t.Fatalf("%d bytes of indices, want %d", len(b), 4*p.Chars)
	} else if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, indices); err != nil {
		t.Fatal(err)
	}
	v, err := text.NewVocabulary(p.corpus())
	if err != nil {
		t.Fatal(err)
	}
	if v.Decode(indices) != p.corpus() {
		t.Error("the indices do not spell the corpus")
	}

	weights := make([]float32, 2*p.Vocabulary*p.Hidden+2*p.Hidden*p.Hidden+2*p.Hidden*p.Vocabulary)
	if b := read("weights.f32"); len(b) != 4*len(weights) {
		t.Fatalf("%d bytes of weights, want %d", len(b), 4*len(weights))
	} else if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, weights); err != nil {
		t.Fatal(err)
	}
	// That they are charlm's own is shown by every run: sameLosses compares the losses they lead to.
	var squares float64
	for _, w := range weights {
		squares += float64(w) * float64(w)
	}
	if σ := math.Sqrt(squares / float64(len(weights))); σ < 0.009 || σ > 0.011 {
		t.Errorf("the weights' standard deviation is %v, want 0.01", σ)
	}
}
