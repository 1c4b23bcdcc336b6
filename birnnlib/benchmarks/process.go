package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// process is a running contender.
type process struct {
	name   string
	ready  string // what it said of itself
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stdout *bufio.Reader
	stderr tail
	ctx    context.Context
}

// start starts the program with so many CPUs to run on and changes to its environment, and waits until it is ready. The
// process is killed when the context is cancelled.
func start(ctx context.Context, threads int, name string, env []string, program string, args ...string) (*process, error) {
	p := &process{name: name, cmd: exec.CommandContext(ctx, program, args...), ctx: ctx}
	p.cmd.WaitDelay = time.Second
	p.cmd.Stderr = &p.stderr
	// Whatever counts the CPUs that it may use, as Go and XLA do, finds so many; OpenMP, which PyTorch uses, is told.
	p.cmd.Env = append(append(os.Environ(), env...), "OMP_NUM_THREADS="+strconv.Itoa(threads))
	var err error
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdout = bufio.NewReader(stdout)
	if err := onCPUs(threads, p.cmd.Start); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	var h hello
	err = p.read(&h)
	if err == nil && h.Error != "" {
		err = unavailable{fmt.Errorf("%s: %s", name, h.Error)}
	}
	if err != nil {
		p.stop()
		return nil, err
	}
	p.ready = h.Ready
	return p, nil
}

// ask sends a request and waits for the answer.
func (p *process) ask(r request) (answer, error) {
	line, err := json.Marshal(r)
	if err != nil {
		return answer{}, err
	}
	if _, err := p.stdin.Write(append(line, '\n')); err != nil {
		return answer{}, p.died(err)
	}
	var a answer
	if err := p.read(&a); err != nil {
		return answer{}, err
	}
	if a.Error != "" {
		return answer{}, fmt.Errorf("%s: %s", p.name, a.Error)
	}
	if !(a.Seconds > 0) {
		return answer{}, fmt.Errorf("%s: it reported %g seconds for %s; expected a positive time", p.name, a.Seconds, line)
	}
	return a, nil
}

// read reads a line of JSON into v.
func (p *process) read(v any) error {
	line, err := p.stdout.ReadBytes('\n')
	if err != nil {
		return p.died(err)
	}
	if err := json.Unmarshal(line, v); err != nil {
		return fmt.Errorf("%s: it wrote %q instead of a line of JSON: %w", p.name, line, err)
	}
	return nil
}

// died returns the error for a process that does not answer any more.
func (p *process) died(err error) error {
	if p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	p.stop() // what it wrote last is complete only then
	if why := p.stderr.why(); why != "" {
		return fmt.Errorf("%s: the process ended: %s", p.name, why)
	}
	return fmt.Errorf("%s: the process ended: %w", p.name, err)
}

// stop ends the process and waits for its end.
func (p *process) stop() {
	p.stdin.Close()
	done := time.AfterFunc(time.Second, func() { _ = p.cmd.Process.Kill() })
	_ = p.cmd.Wait() // how it ends does not matter any more
	done.Stop()
}

// tail keeps the end of what is written to it.
type tail struct{ kept []byte }

func (t *tail) Write(b []byte) (int, error) {
	const most = 64 << 10
	t.kept = append(t.kept, b...)
	if extra := len(t.kept) - most; extra > 0 {
		t.kept = t.kept[extra:]
	}
	return len(b), nil
}

// why returns the line that says what went wrong: the last one, as in Python, unless Go put a trace below it.
func (t *tail) why() string {
	var last string
	for line := range strings.Lines(string(t.kept)) {
		if line = strings.TrimSpace(line); line != "" {
			last = line
		}
		if strings.HasPrefix(line, "panic:") || strings.HasPrefix(line, "fatal error:") {
			return line
		}
	}
	return last
}
