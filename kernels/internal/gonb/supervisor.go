// Package gonb knows GoNB, which builds and runs the cells: how to run it, its commands, what it garbles, and how it writes
// places in its programs. It also connects the front and the shim, which wraps the programs that GoNB runs: by events, lines
// of JSON in a file, and by the state of the front, another file.
package gonb

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// Config is the configuration of a [Supervisor].
type Config struct {
	Bin   string   // directory of GoNB and the shims
	Go    string   // path of the go command
	Root  string   // root of the module that cells can import
	Run   string   // directory of temporary files
	Name  string   // name of the connection file, from which GoNB takes the kernel's identifier
	Proxy string   // $GOPROXY for fetching packages; "" for Go's default
	Env   []string // further changes of GoNB's environment
	Log   io.Writer
	Logf  func(string, ...any)

	Input, Orphan func(*wire.Message) // see [wire.Connect]
}

// Supervisor runs GoNB: it starts it in the background, and again after its end, with the commands that have a lasting
// effect and the modules that were fetched.
//
// Any goroutine may call [Supervisor.Process], [Supervisor.Events], [Supervisor.SetState], [Supervisor.Interrupt],
// [Supervisor.Kill] and [Supervisor.Dismiss]; only the one that executes cells calls the other methods.
type Supervisor struct {
	ctx    context.Context
	config Config // [Supervisor.Use] changes Bin and Go, which only the goroutine that executes cells reads

	// Used only by the goroutine that executes cells.
	lasting     []string // commands that another GoNB must execute again
	modules     []string // fetched, with their versions
	dropsModule bool     // whether the programs' module is to be dropped with the next program

	mu      sync.Mutex
	process *Process
	err     error
	ready   chan struct{} // closed when the process has started or failed to; nil before the first
	state   State
}

// NewSupervisor returns a Supervisor that ends with ctx. [Supervisor.Start] starts GoNB.
func NewSupervisor(ctx context.Context, config Config) *Supervisor {
	return &Supervisor{ctx: ctx, config: config}
}

// Start starts GoNB in the background.
func (s *Supervisor) Start() {
	ready := make(chan struct{})
	s.mu.Lock()
	s.process, s.ready = nil, ready
	s.mu.Unlock()
	config := s.config
	env := config.environment()
	commands := slices.Concat([]string{"%noautoget"}, s.lasting, s.fetchAgain())
	go func() {
		defer close(ready)
		p, err := launch(s.ctx, config, env, commands)
		s.mu.Lock()
		s.process, s.err = p, err
		s.mu.Unlock()
	}()
}

// launch starts GoNB, with the patch, and has it execute commands.
func launch(ctx context.Context, config Config, env, commands []string) (*Process, error) {
	if err := os.MkdirAll(config.temp(), 0o700); err != nil {
		return nil, err
	}
	var patch string
	var patchErr error
	var patching sync.WaitGroup
	patching.Go(func() { patch, patchErr = Patched(ctx, config.Go, config.Root) })
	for _, dir := range config.programs() { // of an earlier GoNB
		os.RemoveAll(dir)
	}
	p, err := start(ctx, config, env)
	for tries := 1; err != nil && tries < 3 && ctx.Err() == nil; tries++ {
		config.Logf("trying again: %v", err) // another process may have taken a port
		p, err = start(ctx, config, env)
	}
	if err != nil {
		return nil, err
	}
	patching.Wait()
	if patchErr == nil {
		patchErr = config.addToWork(patch)
	}
	if patchErr != nil {
		config.Logf("what is printed right after a display may come before it: %v", patchErr)
	}
	_, err = p.Execute(strings.Join(commands, "\n"), false, nil)
	return p, err
}

// environment returns the changes of GoNB's environment.
func (c *Config) environment() []string {
	path := []string{c.shims()}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Clean(dir) != filepath.Clean(c.Bin) { // so that GoNB starts no gopls: the front has one
			path = append(path, dir)
		}
	}
	return append([]string{
		"PATH=" + strings.Join(path, string(os.PathListSeparator)), "TMPDIR=" + c.temp(),
		RunEnv + "=" + c.Run, "BIRNN_GO=" + c.Go, "BIRNN_ROOT=" + c.Root, "BIRNN_GOMODCACHE=" + os.Getenv("GOMODCACHE"),
		// A build goes nowhere; the shim gives shell commands the user's proxy.
		"GOPROXY=off", "BIRNN_GOPROXY=" + c.Proxy,
	}, c.Env...)
}

// temp returns the directory of GoNB's and the cells' temporary files.
func (c *Config) temp() string { return filepath.Join(c.Run, "tmp") }

// shims returns the directory of the programs that stand between GoNB and what it runs.
func (c *Config) shims() string { return filepath.Join(c.Bin, "shims") }

var errNone = errors.New("GoNB has not been started")

// Process waits for GoNB to start and returns it.
func (s *Supervisor) Process() (*Process, error) {
	s.mu.Lock()
	ready := s.ready
	s.mu.Unlock()
	if ready == nil {
		return nil, errNone
	}
	<-ready
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.process, s.err
}

// Stop ends GoNB and waits for it.
func (s *Supervisor) Stop() {
	if p, _ := s.Process(); p != nil {
		p.stop()
	}
}

// Dismiss has GoNB end, without waiting for it.
func (s *Supervisor) Dismiss() {
	if p, _ := s.Process(); p != nil {
		p.dismiss()
	}
}

// Kill kills what GoNB has started.
func (s *Supervisor) Kill() {
	if p, _ := s.Process(); p != nil {
		p.killWork()
	}
}

// Use stops GoNB and starts the one in bin, with another go command.
func (s *Supervisor) Use(bin, goCommand string) {
	s.Stop()
	s.config.Bin, s.config.Go = bin, goCommand
	s.Start()
}

// Remember notes commands that another GoNB must execute again.
func (s *Supervisor) Remember(commands ...string) { s.lasting = append(s.lasting, commands...) }

// Tell has GoNB execute commands without showing their output.
func (s *Supervisor) Tell(commands ...string) {
	if p, err := s.Process(); err == nil && p != nil {
		p.Execute(strings.Join(commands, "\n"), false, nil)
	}
}

// ClearEvents discards the events.
func (s *Supervisor) ClearEvents() { clearEvents(s.config.Run) }

// Events returns the events since ClearEvents.
func (s *Supervisor) Events() []Event { return readEvents(s.config.Run) }

// SetState changes the state for the shim.
func (s *Supervisor) SetState(change func(*State)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.state)
	if err := s.state.store(s.config.Run); err != nil {
		s.config.Logf("%v", err)
	}
}

// An interrupted program has grace to end; after patience the hint says how to kill it. GoNB hangs if it has not ended the
// cell after hang, although nothing runs.
const (
	grace    = time.Minute
	patience = 2 * time.Second
	hang     = 3 * time.Second
	look     = 20 * time.Millisecond
)

// Interrupt ends what GoNB runs for a cell, until the cell has ended, which done tells. A program, shell command or script
// gets the signal, as from a terminal, and time to handle it; if it takes long, Interrupt calls hint. Everything else, such
// as a build, is killed at once.
func (s *Supervisor) Interrupt(done <-chan struct{}, hint func()) {
	p, _ := s.Process()
	if p == nil {
		return
	}
	told := 0 // the process that got the signal
	var since time.Time
	hinted := false
	for idle := time.Now(); ; {
		select {
		case <-done:
			return
		default:
		}
		pid := s.worker()
		switch {
		case pid == 0:
			p.killWork()
			if time.Since(idle) > hang {
				p.stop() // it is started again
				return
			}
		case pid != told:
			process.Interrupt(pid)
			told, since = pid, time.Now()
		case time.Since(since) > grace:
			p.killWork()
		case !hinted && time.Since(since) > patience:
			hinted = true
			hint()
		}
		if pid != 0 {
			idle = time.Now()
		}
		select {
		case <-done:
		case <-time.After(look):
		}
	}
}

// worker returns the process that takes interrupts for the running program, shell command or script, or 0 if none runs.
func (s *Supervisor) worker() (pid int) {
	for _, e := range s.Events() {
		switch e.Kind {
		case ProgramStarted, CommandStarted:
			pid = e.PID
		case ProgramEnded, CommandEnded:
			pid = 0
		}
	}
	if pid != 0 && !process.Alive(pid) {
		return 0
	}
	return pid
}
