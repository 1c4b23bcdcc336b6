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
	Cell         string  `json:"cell"` // "lstm" or "gru"
	Layers       int     `json:"layers"`
	Features     int     `json:"features"` // of the inputs
	Hidden       int     `json:"hidden"`   // units of each direction
	Steps        int     `json:"steps"`    // time steps T
	Batch        int     `json:"batch"`    // sequences n
	LearningRate float64 `json:"learning_rate"`
	Inference    bool    `json:"inference"`
}

// layers has the sizes of all of the benchmark's LSTMs and GRUs.
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

// gates returns how many gates the cell has.
func (p layersProblem) gates() int { return map[string]int{"lstm": 4, "gru": 3}[p.Cell] }

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
// reset, update, new. The GRU's bias b_hh [h] is not among them; it starts at zero.
type direction struct {
	wx []float32 // [d, k·h]
	wh []float32 // [h, k·h]
	b  []float32 // [k·h]
}

func (p layersProblem) write(dir string) error {
	draw, k := birnnlib.TorchUniform().Seed(1), p.gates()
	var weights []float32
	for l := range p.Layers {
		for _, way := range []string{"f", "b"} {
			for _, w := range []birnnlib.Weight{
				{Path: "W_x", Dims: []int{p.inputsOf(l), k * p.Hidden}},
				{Path: "W_h", Dims: []int{p.Hidden, k * p.Hidden}},
				{Path: "b", Dims: []int{k * p.Hidden}},
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
	k, count := p.gates(), 0
	for l := range p.Layers {
		count += 2 * (p.inputsOf(l) + p.Hidden + 1) * k * p.Hidden
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
			weights[l][d] = direction{take(p.inputsOf(l) * k * p.Hidden), take(p.Hidden * k * p.Hidden), take(k * p.Hidden)}
		}
	}
	return weights, nil
}
