package gonb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// Process is a GoNB process. Its supervisor is its only client.
type Process struct {
	*wire.Client
	guard   *exec.Cmd
	hold    io.WriteCloser // closing it ends the guard, GoNB and its descendants
	pidFile string
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the process has ended
}

// start starts GoNB with changes of its environment and waits until it answers.
func start(ctx context.Context, config Config, env []string) (*Process, error) {
	connection, err := wire.Loopback()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(config.Run, "gonb-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, config.Name)
	self, err := os.Executable()
	if err := errors.Join(err, connection.Write(file)); err != nil {
		return nil, err
	}
	p := &Process{ended: make(chan struct{}), pidFile: filepath.Join(dir, "pid")}
	ctx, p.cancel = context.WithCancel(ctx)
	p.guard = exec.Command(self, "guard", config.Run, p.pidFile, filepath.Join(config.Bin, "gonb"), "-kernel", file, "-raw_error=true", "-go_work="+config.Root,
		"-logtostderr=false", "-stderrthreshold=FATAL", "-log_file="+filepath.Join(dir, "gonb.log"))
	p.guard.Env = process.Environ(os.Environ(), env)
	p.guard.Stdout, p.guard.Stderr = config.Log, config.Log
	p.guard.WaitDelay = 100 * time.Millisecond // GoNB has the same pipes and may outlive a killed guard
	if p.hold, err = p.guard.StdinPipe(); err != nil {
		return nil, err
	}
	if err := p.guard.Start(); err != nil {
		return nil, fmt.Errorf("cannot start GoNB: %w", err)
	}
	go func() {
		p.guard.Wait()
		p.kill() // in case the guard was killed
		close(p.ended)
		p.cancel()
	}()
	if p.Client, err = wire.Connect(ctx, connection, p.ended, config.Input, config.Orphan, config.Logf); err != nil {
		p.stop()
		return nil, fmt.Errorf("GoNB: %w", err)
	}
	return p, nil
}

// PID returns the process ID of GoNB, or 0.
func (p *Process) PID() int {
	data, _ := os.ReadFile(p.pidFile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// killWork kills the descendants of GoNB.
func (p *Process) killWork() {
	if pid := p.PID(); pid > 0 {
		process.KillDescendants(pid)
	}
}

// Guard returns the process ID of the guard.
func (p *Process) Guard() int { return p.guard.Process.Pid }

// kill kills GoNB and its descendants, in case its guard has not. Its process ID cannot have been reused yet: the guard
// has just ended.
func (p *Process) kill() {
	if pid := p.PID(); pid > 0 {
		process.KillTree(pid)
	}
}

// dismiss has the guard end GoNB and its descendants.
func (p *Process) dismiss() {
	io.WriteString(p.hold, process.Dismissed)
	p.hold.Close()
}

// stop ends GoNB and its descendants and waits for them.
func (p *Process) stop() {
	p.dismiss()
	select {
	case <-p.ended:
	case <-time.After(5 * time.Second): // the guard hangs
		p.guard.Process.Kill()
		<-p.ended
	}
	p.cancel()
	if p.Client != nil {
		p.Close()
	}
}
