package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// result is what was measured of one contender.
type result struct {
	Key       string     `json:"key"`
	Name      string     `json:"name"`
	Ready     string     `json:"ready"` // what it said of itself
	Note      string     `json:"note,omitempty"`
	FirstCall float64    `json:"first_call_seconds"` // the first training step, with whatever is compiled for it
	Losses    [2]float64 `json:"first_losses"`       // of the first two steps
	Steps     []float64  `json:"step_seconds"`       // of one step: for each round, the mean over its steps
	Matmul    []float64  `json:"matmul_seconds,omitempty"`
}

const (
	matmulSize = 2048
	// pause lets the threads of the one before fall asleep: thread pools spin for a while when they are out of work.
	pause = 100 * time.Millisecond
)

// running is a contender whose process is ready, with what was measured so far.
type running struct {
	contender
	*process
	*result
}

// measure runs the benchmark.
func measure(ctx context.Context, o *options, note func(string, ...any)) (*report, error) {
	contenders, err := choose(o.contenders)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "birnn-benchmarks-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	p := post()
	if err := errors.Join(p.write(dir), os.WriteFile(filepath.Join(dir, peersFile), peersSource, 0o644)); err != nil {
		return nil, err
	}
	python, noPeers := findPeers(o.python)
	if noPeers != nil && !errors.Is(noPeers, errNoPeers) {
		return nil, noPeers
	}

	r := &report{Problem: p, Machine: thisMachine(), Threads: o.threads, MatmulSize: matmulSize}
	var field []running
	defer func() {
		for _, c := range field {
			c.stop()
		}
	}()
	for _, c := range contenders {
		note("starting %s", c.name)
		var process *process
		err := noPeers
		if c.peer == "" || noPeers == nil {
			process, err = c.start(ctx, o.threads, python, dir)
		}
		if err != nil {
			// Without XLA or JAX, say, the others can still be compared; unless it was asked for by name.
			var cannot unavailable
			if !errors.As(err, &cannot) || o.contenders != "" || c.peer != "" && o.python != "" {
				return nil, err
			}
			why := strings.TrimPrefix(err.Error(), c.name+": ")
			note("  left out: %s", why)
			r.LeftOut = append(r.LeftOut, fmt.Sprintf("%s is left out: %s", c.name, why))
			continue
		}
		this := running{c, process, &result{Key: c.key, Name: c.name, Ready: process.ready, Note: c.note}}
		field = append(field, this)
		r.Results = append(r.Results, this.result)
		if err := this.first(); err != nil {
			return nil, err
		}
		note("  %s; the first step took %.2f s", this.Ready, this.FirstCall)
	}
	if len(field) == 0 {
		return nil, errors.New("there is nothing to measure; the reasons are above")
	}
	if err := sameLosses(r.Results); err != nil {
		return nil, err
	}
	pids := []int{os.Getpid()}
	for _, c := range field {
		pids = append(pids, c.cmd.Process.Pid)
	}
	before := readTicks(pids...)
	if err := rounds(p.epoch(), o.rounds, field, note); err != nil {
		return nil, err
	}
	if share, ok := readTicks(pids...).others(before); ok {
		r.Others = &share
	}
	return r, nil
}

// first times the first step and one more, and keeps their losses.
func (c running) first() error {
	one, err := c.ask(request{Steps: 1})
	if err != nil {
		return err
	}
	two, err := c.ask(request{Steps: 1})
	if err != nil {
		return err
	}
	c.FirstCall, c.Losses = one.Seconds, [2]float64{one.Loss, two.Loss - one.Loss}
	return nil
}

// rounds lets every contender train for an epoch in turn, and again. Two steps of the first epoch are done; its others
// are the round that does not count.
func rounds(epoch, n int, field []running, note func(string, ...any)) error {
	for round := range n + 1 {
		steps, line := epoch, fmt.Sprintf("round %d of %d, ms a step:", round, n)
		if round == 0 {
			steps, line = epoch-2, "a round to warm up, ms a step:"
		}
		for _, c := range field {
			time.Sleep(pause)
			a, err := c.ask(request{Steps: steps})
			if err != nil {
				return err
			}
			perStep := a.Seconds / float64(steps)
			line += fmt.Sprintf(" %s %.1f", c.key, 1000*perStep)
			if round > 0 {
				c.Steps = append(c.Steps, perStep)
			}
			if c.matmul {
				if a, err = c.ask(request{Matmul: matmulSize}); err != nil {
					return err
				}
				c.Matmul = append(c.Matmul, a.Seconds)
			}
		}
		note("%s", line)
	}
	return nil
}

// sameLosses fails unless all contenders that are to compute the same thing do. They start from the same weights, and
// the second step's loss depends on every gradient of the first one, on the clipping and on the learning rate; later
// losses are no test, since at this learning rate rounding alone moves them.
func sameLosses(results []*result) error {
	const tolerance = 1e-3
	var first *result
	for _, r := range results {
		if r.Note != "" {
			continue // the note says what it computes instead
		}
		if first == nil {
			first = r
		}
		for i, loss := range r.Losses {
			if !(math.Abs(loss-first.Losses[i]) <= tolerance*math.Abs(first.Losses[i])) {
				return fmt.Errorf("%s does not compute what %s does: the losses of the first two steps are %.5g and %.5g", r.Name, first.Name, r.Losses, first.Losses)
			}
		}
	}
	return nil
}
