// Package cmdtest runs commands as processes, so that tests can send them signals, without building them first: a test
// binary turns into the command that it tests.
package cmdtest

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"sync"
	"testing"
	"time"
)

const env = "BIRNN_TEST_RUNS_COMMAND"

// Main is the body of TestMain: it runs the tests, or, in a process of [Start], the command.
func Main(m *testing.M, main func()) {
	if os.Getenv(env) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// Process is a running command.
type Process struct {
	Stdout, Stderr *Output
	Stdin          io.WriteCloser
	t              *testing.T
	cmd            *exec.Cmd
	ended          chan struct{}
}

// Start starts the command with the test's environment and what environ adds to it. Tests that need signals are skipped on
// Windows.
func Start(t *testing.T, environ []string, args ...string) *Process {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent Ctrl-C on Windows")
	}
	p := &Process{Stdout: newOutput(), Stderr: newOutput(), t: t, cmd: exec.Command(os.Args[0], args...), ended: make(chan struct{})}
	p.cmd.Env = append(append(os.Environ(), env+"=1"), environ...)
	p.cmd.Stdout, p.cmd.Stderr = p.Stdout, p.Stderr
	var err error
	if p.Stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.ended)
		p.Stdout.end()
		p.Stderr.end()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.ended
	})
	return p
}

// Signal sends a signal. A process that has ended by itself is no error.
func (p *Process) Signal(s os.Signal) { _ = p.cmd.Process.Signal(s) }

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Wait waits for the end and returns the exit code.
func (p *Process) Wait() int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(hanging):
		p.t.Fatalf("the command does not end; it wrote %q and %q", p.Stdout, p.Stderr)
	}
	return p.cmd.ProcessState.ExitCode()
}

// hanging is how long something may take before it counts as hanging.
const hanging = 2 * time.Minute

// Await waits until f returns true.
func (p *Process) Await(what string, f func() bool) {
	p.t.Helper()
	for start := time.Now(); !f(); time.Sleep(time.Millisecond) {
		if !p.Running() || time.Since(start) > hanging {
			if f() {
				return
			}
			p.t.Fatalf("waited for %s; the command wrote %q and %q", what, p.Stdout, p.Stderr)
		}
	}
}

// Output is what a process has written.
type Output struct {
	mutex  sync.Mutex
	buffer bytes.Buffer
	more   *sync.Cond
	ended  bool
}

func newOutput() *Output {
	o := &Output{}
	o.more = sync.NewCond(&o.mutex)
	return o
}

func (o *Output) Write(p []byte) (int, error) {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.more.Broadcast()
	return o.buffer.Write(p)
}

func (o *Output) end() {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	o.ended = true
	o.more.Broadcast()
}

// String returns all that was written.
func (o *Output) String() string {
	o.mutex.Lock()
	defer o.mutex.Unlock()
	return o.buffer.String()
}

// Await waits until the output matches the pattern, and reports whether it did before the process ended.
func (o *Output) Await(pattern string) bool {
	re := regexp.MustCompile(pattern)
	o.mutex.Lock()
	defer o.mutex.Unlock()
	for !re.Match(o.buffer.Bytes()) {
		if o.ended {
			return false
		}
		o.more.Wait()
	}
	return true
}
