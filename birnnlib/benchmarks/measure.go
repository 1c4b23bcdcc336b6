package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// result is what was measured of one contender.
type result struct {
	Key       string     `json:"key"`
	Name      string     `json:"name"`
	Ready     string     `json:"ready"` // what it said of itself
	Note      string     `json:"note,omitempty"`
	Ours      bool       `json:"ours,omitempty"`     // this library
	Differs   bool       `json:"differs,omitempty"`  // it computes something different, as the note says
	FirstCall float64    `json:"first_call_seconds"` // the first step, with whatever is compiled for it
	Compile   float64    `json:"compile_seconds,omitempty"`
	Plan      int64      `json:"plan_bytes,omitempty"` // that XLA plans to take for a step, beyond what goes in and comes out
	Losses    [2]float64 `json:"first_losses"`         // of the first two steps
	Steps     []float64  `json:"step_seconds"`         // of one step: for each round that it takes part in, the mean over its steps
	Memory    int64      `json:"peak_memory_bytes,omitempty"`
	Matmul    []float64  `json:"matmul_seconds,omitempty"`
}

// measured is what was measured of a workload.
type measured struct {
	Key     string    `json:"key"`
	Title   string    `json:"title"`
	Turn    int       `json:"steps_a_round"`
	Flops   float64   `json:"flops_a_step,omitempty"`
	Outputs int64     `json:"outputs_bytes,omitempty"`    // of the outputs and their gradient
	Others  *float64  `json:"others_cpu_share,omitempty"` // of all CPUs, used by other processes during the rounds; nil if not known
	Results []*result `json:"results"`
	LeftOut []string  `json:"left_out,omitempty"`
}

const (
	matmulSize = 2048
	// pause lets the threads of the one before fall asleep: thread pools spin for a while when they are out of work.
	pause = 100 * time.Millisecond
)

// Where -rounds does not say it, a workload has as many rounds as fit into this time, by the first one, but not fewer or
// more than this.
const (
	budget                = 20 * time.Second
	fewRounds, manyRounds = 5, 11
)

// running is a contender whose process is ready, with what was measured so far.
type running struct {
	contender
	*process
	*result
	resident int64 // its memory before the first step
}

// measure runs the benchmark.
func measure(ctx context.Context, o *options, note func(string, ...any)) (*report, error) {
	workloads, err := chooseWorkloads(o.workloads, o.contenders)
	if err != nil {
		return nil, err
	}
	r := &report{Machine: thisMachine(), Threads: o.threads, MatmulSize: matmulSize}
	python, err := findPeers(o.python)
	if without, peers := withoutPeers(workloads); peers && err != nil {
		// This library's backends can still be compared; unless a peer was asked for by name.
		if !errors.Is(err, errNoPeers) || o.contenders != "" {
			return nil, err
		}
		left := fmt.Sprintf("PyTorch, JAX and Flax are left out: %v", err)
		note("%s", left)
		workloads, r.LeftOut = without, append(r.LeftOut, left)
	}
	dir, err := os.MkdirTemp("", "birnn-benchmarks-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := writePeers(dir); err != nil {
		return nil, err
	}
	for _, w := range workloads {
		note("%s — %s", w.key, w.title)
		m, err := w.measure(ctx, o, python, dir, note)
		if err != nil {
			return nil, err
		}
		r.Workloads = append(r.Workloads, m)
	}
	if amd64 && slices.ContainsFunc(workloads, func(w workload) bool {
		return slices.ContainsFunc(w.field, func(c contender) bool { return c.simd })
	}) {
		var cannot unavailable
		if r.Preemption, err = measurePreemption(ctx, dir); err != nil && !errors.As(err, &cannot) {
			return nil, err
		}
	}
	return r, nil
}

// withoutPeers returns the workloads with those contenders alone that are written in Go, and whether there are others.
func withoutPeers(workloads []workload) (without []workload, peers bool) {
	for _, w := range workloads {
		var field []contender
		for _, c := range w.field {
			if c.peer {
				peers = true
			} else {
				field = append(field, c)
			}
		}
		w.field = field
		without = append(without, w)
	}
	return without, peers
}

// measure measures the workload; programs is the directory of all contenders' programs.
func (w workload) measure(ctx context.Context, o *options, python, programs string, note func(string, ...any)) (*measured, error) {
	dir := filepath.Join(programs, w.key)
	defer os.RemoveAll(dir)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	if err := w.problem.write(dir); err != nil {
		return nil, err
	}
	m := &measured{Key: w.key, Title: w.title, Turn: w.steps, Flops: w.problem.flops(), Outputs: w.problem.outputs()}
	var field []*running
	defer func() {
		for _, c := range field {
			c.stop()
		}
	}()
	for _, c := range w.field {
		note("starting %s", c.name)
		process, err := c.start(ctx, o.threads, python, programs, dir)
		if err != nil {
			// Without XLA, say, the others can still be compared; unless it was asked for by name.
			var cannot unavailable
			if !errors.As(err, &cannot) || o.contenders != "" || c.peer && o.python != "" {
				return nil, err
			}
			why := strings.TrimPrefix(err.Error(), c.name+": ")
			note("  left out: %s", why)
			m.LeftOut = append(m.LeftOut, fmt.Sprintf("%s is left out: %s", c.name, why))
			continue
		}
		this := &running{contender: c, process: process, result: &result{
			Key: c.key, Name: c.name, Ready: process.ready, Note: c.note, Ours: c.ours(), Differs: c.differs,
		}}
		field = append(field, this)
		m.Results = append(m.Results, this.result)
		if err := this.first(w.apart); err != nil {
			return nil, err
		}
		note("  %s; the first step took %.2f s", this.Ready, this.FirstCall)
	}
	if len(field) == 0 {
		return nil, fmt.Errorf("no contender for %s; the reasons are above", w.key)
	}
	if err := sameLosses(m.Results); err != nil {
		return nil, fmt.Errorf("%s: %w", w.key, err)
	}
	pids := []int{os.Getpid()}
	for _, c := range field {
		pids = append(pids, c.cmd.Process.Pid)
	}
	before := readTicks(pids...)
	if err := rounds(w.steps, o.rounds, field, note); err != nil {
		return nil, err
	}
	if share, ok := readTicks(pids...).others(before); ok {
		m.Others = &share
	}
	return m, nil
}

// first times the first step, and what is compiled for it, and one more, and keeps their losses.
func (c *running) first(apart bool) error {
	c.resident = beginPeak(c.cmd.Process.Pid)
	if apart {
		a, err := c.ask(request{Compile: true})
		if err != nil {
			return err
		}
		c.Compile, c.Plan = a.Seconds, a.Plan
	}
	one, err := c.ask(request{Steps: 1})
	if err != nil {
		return err
	}
	two, err := c.ask(request{Steps: 1})
	if err != nil {
		return err
	}
	c.FirstCall, c.Losses = c.Compile+one.Seconds, [2]float64{one.Loss, two.Loss}
	return nil
}

// rounds lets every contender do so many steps in turn, n times, or for n = 0 as often as the time allows. Two steps are
// done; if a turn has more, the rest of them are a round that does not count.
func rounds(steps, n int, field []*running, note func(string, ...any)) error {
	if steps > 2 {
		line, err := turns(steps-2, false, field)
		if err != nil {
			return err
		}
		note("a round to warm up, ms a step:%s", line)
	}
	left := n
	for round := 1; round == 1 || left > 0; round++ {
		started := time.Now()
		line, err := turns(steps, true, field)
		if err != nil {
			return err
		}
		if n == 0 {
			n = min(max(int(budget/time.Since(started)), fewRounds), manyRounds)
			left = n
		}
		left--
		note("round %d of %d, ms a step:%s", round, n, line)
	}
	return nil
}

// turns lets every contender do so many steps in turn. It returns a line that says how long each took.
func turns(steps int, counts bool, field []*running) (line string, err error) {
	for _, c := range field {
		if c.once && len(c.Steps) > 0 {
			continue
		}
		time.Sleep(pause)
		a, err := c.ask(request{Steps: steps})
		if err != nil {
			return "", err
		}
		perStep := a.Seconds / float64(steps)
		line += fmt.Sprintf(" %s %.1f", c.key, 1000*perStep)
		if counts {
			c.Steps = append(c.Steps, perStep)
		}
		if peak := readPeak(c.cmd.Process.Pid); peak > c.resident && len(c.Matmul) == 0 { // products are no part of it
			c.Memory = peak - c.resident
		}
		if c.matmul {
			if a, err = c.ask(request{Matmul: matmulSize}); err != nil {
				return "", err
			}
			c.Matmul = append(c.Matmul, a.Seconds)
		}
	}
	return line, nil
}

// sameLosses fails unless all contenders that are to compute the same thing do. They start from the same weights, and
// the second step's loss depends on every gradient of the first one, on the clipping, if any, and on the learning rate.
// (Later losses are no test of the post's training, since at its learning rate rounding alone moves them.)
func sameLosses(results []*result) error {
	const tolerance = 1e-3
	var first *result
	for _, r := range results {
		if r.Differs {
			continue
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
