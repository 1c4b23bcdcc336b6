package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"

	"birnn/birnnlib"
)

// layersKind is the kind of a [layersProblem].
const layersKind = "layers"

// layersProblem is bidirectional layers on dense inputs, the same ones in every step: to train them with plain SGD to put
// out a fixed vector y [2h] whatever they read, by the loss mean((H - y)²); or only to compute H and the loss.
type layersProblem struct {
	Kind         string  `json:"kind"`
	Cell         string  `json:"cell"` // a key of cells
	Layers       int     `json:"layers"`
	Features     int     `json:"features"` // of the inputs
	Hidden       int     `json:"hidden"`   // units of each direction
	Steps        int     `json:"steps"`    // time steps T
	Batch        int     `json:"batch"`    // sequences n
	LearningRate float64 `json:"learning_rate"`
	Inference    bool    `json:"inference"`
}

// layers has the sizes of all of the benchmark's layers but those of one unit.
func layers(cell string, T int) layersProblem {
	// The gradient of a mean over 2h outputs is small; at this rate the second step's loss shows it.
	return layersProblem{Kind: layersKind, Cell: cell, Layers: 2, Features: 256, Hidden: 256, Steps: T, Batch: 32, LearningRate: 10}
}

// flops returns 0: the matmul peak is measured with the post's training alone.
func (p layersProblem) flops() float64 { return 0 }

func (p layersProblem) outputs() int64 {
	if p.Inference { // they are handed out, and not part of the plan
		return 0
	}
	return int64(2 * p.Steps * p.Batch * 2 * p.Hidden * 4)
}

// cells are the cells of the benchmark, by name.
var cells = map[string]struct {
	title  string
	gates  int  // candidates among them
	linear bool // its recurrence is linear: it has no weights W_h
}{
	"lstm":    {title: "LSTM", gates: 4},
	"gru":     {title: "GRU", gates: 3},
	"ugrnn":   {title: "UGRNN, a user's cell", gates: 2},
	"mingru":  {title: "minGRU", gates: 2, linear: true},
	"minlstm": {title: "minLSTM", gates: 3, linear: true},
}

// columns returns k·h for the cell's k gates.
func (p layersProblem) columns() int { return cells[p.Cell].gates * p.Hidden }

// recurrent returns the number of rows of W_h, 0 for a linear cell, which has no W_h.
func (p layersProblem) recurrent() int {
	if cells[p.Cell].linear {
		return 0
	}
	return p.Hidden
}

// inputsOf returns how many inputs layer l has, counted from 0.
func (p layersProblem) inputsOf(l int) int {
	if l == 0 {
		return p.Features
	}
	return 2 * p.Hidden
}

// Files of the problem, in addition to those of the post.
const (
	inputsFile = "inputs.f32" // [T, n, d]
	targetFile = "target.f32" // y [2h]
)

// direction is the parameters of one direction of one layer, for k gates in PyTorch's order: input, forget, cell, output;
// reset, update, new. Those of the UGRNN are update and candidate; those of minGRU and minLSTM are in birnnlib's order. The
// GRU's bias b_hh [h] is not among them; it starts at zero.
type direction struct {
	wx []float32 // [d, k·h]
	wh []float32 // [h, k·h]; empty if the cell has none
	b  []float32 // [k·h]
}

func (p layersProblem) write(dir string) error {
	draw, columns := birnnlib.TorchUniform().Seed(1), p.columns()
	var weights []float32
	for l := range p.Layers {
		for _, way := range []string{"f", "b"} {
			for _, w := range []birnnlib.Weight{
				{Path: "W_x", Dims: []int{p.inputsOf(l), columns}},
				{Path: "W_h", Dims: []int{p.recurrent(), columns}},
				{Path: "b", Dims: []int{columns}},
			} {
				w.Path, w.Hidden = fmt.Sprintf("/layer_%d/%s^%s", l+1, w.Path, way), p.Hidden
				for _, v := range draw(w) {
					weights = append(weights, float32(v))
				}
			}
		}
	}
	rng := rand.New(rand.NewPCG(2, 2))
	inputs := make([]float32, p.Steps*p.Batch*p.Features)
	for i := range inputs {
		inputs[i] = float32(rng.NormFloat64())
	}
	target := make([]float32, 2*p.Hidden)
	for i := range target {
		target[i] = rng.Float32() - 0.5
	}
	return errors.Join(
		writeJSON(filepath.Join(dir, problemFile), p),
		writeBinary(filepath.Join(dir, weightsFile), weights), // of each layer, of both directions, W_x, W_h and b
		writeBinary(filepath.Join(dir, inputsFile), inputs),
		writeBinary(filepath.Join(dir, targetFile), target),
	)
}

// readWeights returns the parameters of each layer's directions, forward first.
func (p layersProblem) readWeights(dir string) ([][2]direction, error) {
	columns, count := p.columns(), 0
	for l := range p.Layers {
		count += 2 * (p.inputsOf(l) + p.recurrent() + 1) * columns
	}
	all, err := readFloats(filepath.Join(dir, weightsFile), count)
	if err != nil {
		return nil, err
	}
	take := func(n int) (taken []float32) {
		taken, all = all[:n:n], all[n:]
		return taken
	}
	weights := make([][2]direction, p.Layers)
	for l := range weights {
		for d := range weights[l] {
			weights[l][d] = direction{take(p.inputsOf(l) * columns), take(p.recurrent() * columns), take(columns)}
		}
	}
	return weights, nil
}
