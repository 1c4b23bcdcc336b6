//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/process"
)

// job is a program, shell command or script that GoNB runs.
type job struct {
	name        string
	args        []string
	state       gonb.State
	start, exit string // kinds of events
	passes      bool   // whether it reads what GoNB writes, which is not the reader's input

	cmd            *exec.Cmd
	stdout, stderr *stream
	displays       *displays // nil if it cannot display anything
	keyboard       *keyboard // nil if it passes
	interrupted    atomic.Bool
	overflowed     atomic.Bool // the program's stack is too large
}

const interruptedCode = 130 // exit code of what an interrupt keeps from starting, as a shell has it

// run runs the job and ends this process with its exit code or signal. It does not wait for processes that the job
// leaves behind; after an interrupt it ends them.
func (j *job) run() {
	if j.state.Interrupted {
		gonb.Tell(gonb.Event{Kind: j.exit, Message: "interrupted"})
		os.Exit(interruptedCode)
	}
	process.Adopt() // so that all that the job starts are descendants
	interrupts := make(chan os.Signal, 4)
	signal.Notify(interrupts, syscall.SIGINT, syscall.SIGTERM)
	begin := time.Now()
	if err := j.begin(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		gonb.Tell(gonb.Event{Kind: j.exit, Message: err.Error()})
		os.Exit(1)
	}
	go func() {
		for s := range interrupts {
			j.interrupted.Store(true)
			for _, pid := range process.Descendants(os.Getpid()) { // like a terminal
				syscall.Kill(pid, s.(syscall.Signal))
			}
		}
	}()
	if j.keyboard != nil {
		go j.keyboard.watch(j.cmd.Process.Pid, j.state)
	}
	err := j.cmd.Wait()
	if j.interrupted.Load() {
		process.KillDescendants(os.Getpid())
	}
	if j.displays != nil {
		j.displays.finish()
	}
	j.stdout.finish()
	j.stderr.finish()
	if j.displays != nil {
		j.displays.sync()
	}
	drainLater(j.stdout, j.stderr)
	done := gonb.Event{Kind: j.exit, Length: time.Since(begin)}
	exit, failed := errors.AsType[*exec.ExitError](err)
	if failed {
		done.Message = exit.Error()
	}
	gonb.Tell(done)
	if !failed {
		return
	}
	if j.overflowed.Load() && exit.ExitCode() < 0 {
		os.Exit(2) // as Go does
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
		signal.Reset()
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // the program has left a core dump already
		unix.Kill(os.Getpid(), status.Signal())
		time.Sleep(time.Second) // until the signal arrives
	}
	os.Exit(exit.ExitCode())
}

// begin starts the job, with pipes for what it reads and writes.
func (j *job) begin() error {
	j.cmd = exec.Command(j.name, j.args...)
	if j.start == gonb.ProgramStarted {
		j.cmd.Args[0] = os.Args[0] // the name that GoNB has given the program
	}
	if proxy, ok := os.LookupEnv("BIRNN_GOPROXY"); ok && os.Getenv("GOPROXY") == "off" { // the kernel's, for builds
		os.Setenv("GOPROXY", proxy)
	}
	j.cmd.Env = os.Environ()
	if os.Getenv("BIRNN_TRACE_INIT") != "" {
		j.cmd.Env = append(j.cmd.Env, "GODEBUG="+strings.Trim(os.Getenv("GODEBUG")+",inittrace=1", ","))
	}
	var err1, err2, err3, err4 error
	j.stdout, err1 = newStream("stdout", os.Stdout)
	j.stderr, err2 = newStream("stderr", os.Stderr)
	j.cmd.Stdin = os.Stdin
	if !j.passes {
		if j.keyboard, err3 = newKeyboard(); err3 == nil {
			j.cmd.Stdin = j.keyboard.r
		}
	}
	if j.start == gonb.ProgramStarted && os.Getenv(pipeEnv) != "" {
		var paths []string
		if j.displays, paths, err4 = newDisplays(j); err4 == nil {
			j.cmd.Env = append(j.cmd.Env, paths...)
		}
	}
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return err
	}
	j.stderr.pump.before = func() {
		quiet(j.stdout)
		j.displays.sync()
	}
	j.stderr.pump.edit, j.stderr.pump.rest = j.edit, gonb.IncompletePlace
	j.stdout.pump.before = j.displays.sync
	j.cmd.Stdout, j.cmd.Stderr = j.stdout.w, j.stderr.w
	gonb.Tell(gonb.Event{Kind: j.start, PID: os.Getpid()})
	if err := j.cmd.Start(); err != nil {
		return err
	}
	j.stdout.begin()
	j.stderr.begin()
	if j.keyboard != nil {
		j.keyboard.r.Close()
	}
	return nil
}

// edit changes what GoNB reads of standard error. A program whose stack has become too large shows its first frames and
// then counts the others, which takes seconds: edit has it killed meanwhile.
func (j *job) edit(text []byte) []byte {
	if j.start == gonb.ProgramStarted && bytes.Contains(text, []byte("runtime: goroutine stack exceeds ")) && !j.overflowed.Swap(true) {
		go func() {
			for shown := int64(-1); shown != j.stderr.pump.count(); time.Sleep(300 * time.Millisecond) {
				shown = j.stderr.pump.count()
			}
			j.cmd.Process.Kill()
		}()
	}
	return gonb.Disguise(text)
}

// stream is one of the job's output streams.
type stream struct {
	name string
	r, w *os.File // of the job
	to   *os.File // of GoNB
	pump *pump
	done chan struct{} // closed when the pump has ended
	open bool          // other processes write to it after the end of the job
	calm atomic.Int64  // the pump's count when GoNB had read everything
}

func newStream(name string, to *os.File) (*stream, error) {
	r, w, err := os.Pipe()
	return &stream{name: name, r: r, w: w, to: to, pump: newPump(name, to), done: make(chan struct{})}, err
}

// begin copies the stream, after the start of the job.
func (s *stream) begin() {
	s.w.Close()
	go func() {
		defer close(s.done)
		s.pump.copy(s.to, s.r)
	}()
}

// finish copies the rest of the stream. If the job has left processes behind that hold it, it copies what there is and
// does not wait for them.
func (s *stream) finish() {
	const pause, longest = 2 * time.Millisecond, time.Second
	quietFor := 0
	for begin := time.Now(); quietFor < 5 && time.Since(begin) < longest; {
		if s.closed() {
			<-s.done
			return
		}
		select {
		case <-s.done:
			return
		case <-time.After(pause):
		}
		if quietFor++; !empty(s.r) || !s.pump.idle() {
			quietFor = 0
		}
	}
	s.open = true
	s.r.SetReadDeadline(time.Unix(1, 0))
	<-s.done
}

// closed reports whether no process can write to the stream.
func (s *stream) closed() bool {
	var event int16
	if raw, err := s.r.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			unix.Poll(poll, 0)
			event = poll[0].Revents
		})
	}
	return event&unix.POLLHUP != 0
}

const drainName = "drain"

// drainLater starts a process that reads and discards what others still write to the streams, which would end them
// otherwise.
func drainLater(streams ...*stream) {
	cmd := exec.Command("/proc/self/exe")
	if self, err := os.Executable(); err == nil {
		cmd.Path = self
	}
	cmd.Args = []string{drainName}
	for _, s := range streams {
		if s.open {
			cmd.Args = append(cmd.Args, s.name)
			cmd.ExtraFiles = append(cmd.ExtraFiles, s.r)
		}
	}
	if len(cmd.ExtraFiles) > 0 {
		cmd.Start() // without it they get SIGPIPE
	}
}

// drain reads and discards the files of drainLater, of which there are as many as arguments.
func drain(args []string) {
	signal.Ignore(syscall.SIGINT)
	var reading sync.WaitGroup
	const first = 3
	for i := range args {
		reading.Go(func() { io.Copy(io.Discard, os.NewFile(uintptr(first+i), args[i])) })
	}
	reading.Wait()
}

// newPump returns the pump of a stream, with the limits in the environment.
func newPump(stream string, w *os.File) *pump {
	p := &pump{drained: func() { drained(w) }}
	if limit, err := strconv.Atoi(os.Getenv("BIRNN_OUTPUT_LIMIT")); err == nil && os.Getenv(gonb.RunEnv) != "" {
		p.limit = limit
		p.most = 1_000_000_000
		p.path = filepath.Join(os.Getenv("BIRNN_OUTPUT"), fmt.Sprintf("%s-%s.txt", time.Now().Format("20060102-150405.000"), stream))
	}
	return p
}

// drained waits until the pipe is empty, so that GoNB reads each piece separately.
func drained(w *os.File) {
	for wait := 20 * time.Microsecond; !empty(w); wait = min(2*wait, 5*time.Millisecond) {
		time.Sleep(wait)
	}
}

// quiet waits until GoNB has read what the job has printed, so that what it does next comes after that: GoNB reads the
// streams and the displays concurrently. If the job keeps printing, quiet gives up soon.
func quiet(s *stream) {
	const looks, pause, longest = 3, time.Millisecond, 200 * time.Millisecond
	count := s.pump.count()
	found := 0
	if s.calm.Load() == count && empty(s.r) {
		time.Sleep(pause) // the pump may be about to count what it has just read
		if s.pump.count() == count {
			found = looks - 1
		}
	}
	for begin := time.Now(); found < looks && time.Since(begin) < longest; time.Sleep(pause) {
		if found++; !empty(s.r) || !s.pump.idle() {
			found = 0
		}
	}
	if found == looks {
		s.calm.Store(count)
	}
}

// empty reports whether a pipe is empty; anything else counts as empty.
func empty(f any) bool {
	n := 0
	if c, ok := f.(syscall.Conn); ok {
		if raw, err := c.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), fionread) })
		}
	}
	return n == 0
}
