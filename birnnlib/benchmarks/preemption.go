package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"birnn/internal/simd"
)

// preemption is what package preempt measures: the nanoseconds of a call of math.Exp in a program with SIMD
// instructions, before and after the runtime has preempted it asynchronously.
type preemption struct {
	Before float64 `json:"before_ns"`
	After  float64 `json:"after_ns"`
	Off    float64 `json:"after_without_ns"` // with asyncpreemptoff=1, which the contender on pure Go runs with
}

// measurePreemption runs package preempt with and without asynchronous preemption. Programs are built in programs.
func measurePreemption(ctx context.Context, programs string) (*preemption, error) {
	env, err := simdEnv(ctx)
	if err != nil {
		return nil, err
	}
	env = append(env, "CGO_ENABLED=0")
	program, err := build(ctx, "preempt", "birnn/birnnlib/benchmarks/preempt", filepath.Join(programs, "preempt"), env)
	if err != nil {
		return nil, err
	}
	p, before := &preemption{}, 0.0
	for debug, after := range map[string]*float64{"asyncpreemptoff=0": &p.After, simd.NoPreemption: &p.Off} {
		cmd := exec.CommandContext(ctx, program)
		cmd.Env = append(os.Environ(), "GODEBUG="+debug)
		out, err := cmd.Output()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			return nil, fmt.Errorf("preempt: %w", err)
		}
		if _, err := fmt.Sscan(string(out), &before, after); err != nil {
			return nil, fmt.Errorf("preempt: it wrote %q instead of two numbers: %w", out, err)
		}
		if after == &p.After {
			p.Before = before
		}
	}
	return p, nil
}

// String describes what was measured, and what follows for users.
func (p *preemption) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Asynchronous preemption of a program with GOEXPERIMENT=simd (golang/go#80835): math.Exp takes %.1f ns before "+
		"and %.1f ns after it, %.1f ×; with GODEBUG=%s %.1f ns. ", p.Before, p.After, p.After/p.Before, simd.NoPreemption, p.Off)
	if p.After > slowdown*p.Before {
		fmt.Fprintf(&b, "Run such programs with GODEBUG=%s here.", simd.NoPreemption)
	} else {
		b.WriteString("There was no slowdown in this run.")
	}
	return b.String()
}

// slowdown is the ratio that tells the slow math.Exp, 5 to 150 on Intel, from noise: both are the fastest of many batches.
const slowdown = 2.5
