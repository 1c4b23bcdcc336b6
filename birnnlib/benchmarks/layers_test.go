package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// smallLayers is a problem that takes a moment on the pure-Go backend.
func smallLayers(cell string) layersProblem {
	return layersProblem{Kind: layersKind, Cell: cell, Layers: 2, Features: 3, Hidden: 4, Steps: 5, Batch: 2, LearningRate: 1}
}

// TestWriteLayers reads back what was written.
func TestWriteLayers(t *testing.T) {
	for cell, sizes := range cells {
		dir, p := t.TempDir(), smallLayers(cell)
		if err := p.write(dir); err != nil {
			t.Fatal(err)
		}
		var back layersProblem
		if err := readJSON(filepath.Join(dir, problemFile), &back); err != nil || back != p {
			t.Errorf("the problem read back is %+v, error %v", back, err)
		}
		weights, err := p.readWeights(dir)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, weightsFile))
		if err != nil {
			t.Fatal(err)
		}
		all, err := readFloats(filepath.Join(dir, weightsFile), int(info.Size()/4))
		if err != nil {
			t.Fatal(err)
		}
		var flat []float32
		for l, layer := range weights {
			for _, w := range layer {
				columns, rows := sizes.gates*4, 4
				if sizes.linear {
					rows = 0
				}
				if len(w.wx) != []int{3, 8}[l]*columns || len(w.wh) != rows*columns || len(w.b) != columns {
					t.Errorf("%s, layer %d: %d, %d and %d numbers", cell, l+1, len(w.wx), len(w.wh), len(w.b))
				}
				flat = slices.Concat(flat, w.wx, w.wh, w.b)
			}
		}
		if !slices.Equal(flat, all) {
			t.Errorf("%s: the weights are not those of the file, in order", cell)
		}
		if most := slices.Max(all); most < 0.45 || most > 0.5 { // 1/√h
			t.Errorf("%s: the largest weight is %g; they should fill [-0.5, 0.5]", cell, most)
		}
	}
}

func TestReadFloats(t *testing.T) {
	path := filepath.Join(t.TempDir(), "floats")
	if err := writeBinary(path, []float32{1, -2.5}); err != nil {
		t.Fatal(err)
	}
	if got, err := readFloats(path, 2); err != nil || !slices.Equal(got, []float32{1, -2.5}) {
		t.Errorf("read back: %v, error %v", got, err)
	}
	if _, err := readFloats(path, 3); err == nil || !strings.Contains(err.Error(), "has 8 bytes") {
		t.Errorf("three numbers from eight bytes: error %v", err)
	}
}
