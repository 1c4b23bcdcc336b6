package main

import (
	"fmt"
	"slices"
	"strings"

	"birnn/internal/cli"
)

// workload is something to compute, and who computes it side by side.
type workload struct {
	key     string // as -workloads names it
	title   string // as the report heads it
	problem problem
	steps   int // of a contender's turn
	field   []contender
	// apart is set if contenders can compile apart from the first step.
	apart bool
}

// problem is what every contender of a workload computes.
type problem interface {
	// write writes the problem into dir, for contenders in whatever language: same inputs, same initial weights.
	write(dir string) error
	// flops returns the floating-point operations of a step's matrix products; 0 where the report does not relate them to
	// the machine's peak.
	flops() float64
	// outputs returns the bytes of the outputs and of their gradient, which a step has in memory in any case; 0 where the
	// report does not relate them to the memory that XLA plans.
	outputs() int64
}

// problemFile has a problem's sizes, with its kind, in its directory.
const problemFile = "problem.json"

func allWorkloads() []workload {
	p := post()
	all := []workload{{
		key: "post", problem: p, steps: p.epoch(), field: postField(),
		title: fmt.Sprintf("The post's training step: vocabulary %d, %d + %d sigmoid units, T = %d, batch %d",
			p.Vocabulary, p.Hidden, p.Hidden, p.Steps, p.Batch),
	}}
	for _, cell := range []string{"lstm", "gru", "ugrnn", "mingru", "minlstm"} {
		for _, T := range []int{short, 280, long} {
			steps := 1
			if T == short {
				steps = 4
			}
			all = append(all, layersWorkload(fmt.Sprintf("%s-%d", cell, T), "Training step", layers(cell, T), steps))
		}
	}
	for _, cell := range []string{"lstm", "gru"} {
		p := layers(cell, 280)
		p.Inference, p.Batch = true, 1
		all = append(all, layersWorkload(cell+"-infer", "Inference", p, 10))
	}
	for _, T := range flatSteps {
		p := layers("gru", T)
		p.Layers, p.Features, p.Hidden, p.Batch = 1, 1, 1, 1
		w := layersWorkload(flatKey(T), "Training step", p, 10_000/T)
		w.field = flatField()
		all = append(all, w)
	}
	return all
}

// flatSteps are the sequence lengths of the workloads with one unit, which show whether a time step takes as long in a
// long sequence as in a short one. XLA plugins are known that copy a whole array at each time step when a step writes
// less than some 500 bytes into it.
var flatSteps = []int{100, 1_000, 10_000}

func flatKey(T int) string { return fmt.Sprintf("flat-%d", T) }

func layersWorkload(key, what string, p layersProblem, steps int) workload {
	return workload{
		key: key, problem: p, steps: steps, field: layersField(p), apart: true,
		title: fmt.Sprintf("%s, %s: %d bidirectional layers, %d + %d units, %d inputs, T = %d, batch %d",
			what, cells[p.Cell].title, p.Layers, p.Hidden, p.Hidden, p.Features, p.Steps, p.Batch),
	}
}

// chooseWorkloads returns the workloads with the given keys, separated by commas, or all, each with the contenders with
// the given keys, or those that take part by default. What none of those contenders can do is left out.
func chooseWorkloads(keys, contenders string) ([]workload, error) {
	all := allWorkloads()
	names := make([]string, len(all))
	for i, w := range all {
		names[i] = w.key
	}
	list, err := split("-workloads", keys, names)
	if err != nil {
		return nil, err
	}
	who, err := split("-contenders", contenders, allKeys())
	if err != nil {
		return nil, err
	}
	var chosen []workload
	for _, w := range all {
		if keys != "" && !slices.Contains(list, w.key) {
			continue
		}
		if w.field = choose(w.field, who); len(w.field) > 0 {
			chosen = append(chosen, w)
		}
	}
	if len(chosen) == 0 {
		return nil, cli.Usage("none of -contenders %s takes part in -workloads %s", contenders, keys)
	}
	return chosen, nil
}

// split cuts what a flag names at its commas, and checks that it is there.
func split(flag, keys string, there []string) ([]string, error) {
	if keys == "" {
		return nil, nil
	}
	list := strings.Split(keys, ",")
	for i, key := range list {
		if !slices.Contains(there, key) {
			return nil, cli.Usage("%s names %q; choose from %s", flag, key, strings.Join(there, ", "))
		}
		if slices.Contains(list[:i], key) {
			return nil, cli.Usage("%s names %q twice", flag, key)
		}
	}
	return list, nil
}
