//go:build unix

// Command shim wraps the programs that GoNB runs. Run as "go", it runs the go command, but replaces the program that is
// built by itself; run as that program or as "shell", it runs the program or shell and copies its output.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/events"
	"birnn/kernels/internal/pump"
)

// program is the suffix of the built program.
const program = ".cell"

func main() {
	switch filepath.Base(os.Args[0]) {
	case "go":
		os.Exit(goCommand(os.Args[1:]))
	case "shell": // for lines that begin with "!"
		run("/bin/bash", append([]string{"-c"}, os.Args[1:]...), func(events.Event) {})
	default:
		run(os.Args[0]+program, os.Args[1:], events.Tell)
	}
}

// goCommand runs the go command that $BIRNN_GO names.
func goCommand(args []string) int {
	command := os.Getenv("BIRNN_GO")
	i := slices.Index(args, "-o")
	if i < 0 || i+1 >= len(args) || args[0] != "build" && args[0] != "test" || !strings.HasPrefix(filepath.Base(args[i+1]), "gonb_") {
		err := syscall.Exec(command, append([]string{command}, args...), os.Environ())
		fmt.Fprintf(os.Stderr, "%s: %v\n", command, err)
		return 1
	}
	place := args[i+1]
	args = slices.Clone(args)
	args[i+1] = place + program
	events.Tell(events.Event{Kind: events.Build})
	begin := time.Now()
	restoreNames()
	dir, err := os.Getwd()
	b := builder{command: command, args: args, dir: dir, output: args[i+1]}
	can, done := false, false
	if err == nil && args[0] == "build" {
		if can, done = b.quick(); !can {
			done = b.record()
		}
	}
	if !done {
		cmd := exec.Command(command, args...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		err = cmd.Run()
	}
	if err == nil {
		err = putSelf(place)
	}
	kind := events.Built
	if err != nil {
		kind = events.BuildFail
	}
	events.Tell(events.Event{Kind: kind, Length: time.Since(begin)})
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return max(1, exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// restoreNames gives the methods in the program their names again.
func restoreNames() {
	for _, name := range []string{"main.go", "main_test.go"} {
		if source, err := os.ReadFile(name); err == nil {
			if restored := cell.Restore(source); !bytes.Equal(restored, source) {
				os.WriteFile(name, restored, 0o600)
			}
		}
	}
}

// putSelf makes place a link to this executable.
func putSelf(place string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if now, err := os.Readlink(place); err == nil && now == self {
		return nil
	}
	link := place + ".link"
	os.Remove(link)
	return errors.Join(os.Symlink(self, link), os.Rename(link, place))
}

// run runs a program and ends with its exit code or signal.
func run(name string, args []string, tell func(events.Event)) {
	cmd := exec.Command(name, args...)
	cmd.Stdin = os.Stdin
	stdout, err1 := cmd.StdoutPipe()
	stderr, err2 := cmd.StderrPipe()
	interrupts := make(chan os.Signal, 4)
	signal.Notify(interrupts, syscall.SIGINT, syscall.SIGTERM)
	trace := os.Getenv("BIRNN_TRACE_INIT") != ""
	if trace {
		cmd.Env = append(os.Environ(), "GODEBUG="+strings.Trim(os.Getenv("GODEBUG")+",inittrace=1", ","))
	}
	tell(events.Event{Kind: events.Start})
	begin := time.Now()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go func() {
		for s := range interrupts {
			cmd.Process.Signal(s)
		}
	}()
	var streams sync.WaitGroup
	printed, failed := newPump("stdout", os.Stdout), newPump("stderr", os.Stderr)
	failed.Before = func() { quiet(printed, stdout) }
	streams.Go(func() { printed.Copy(os.Stdout, stdout) })
	streams.Go(func() { failed.Copy(os.Stderr, stderr) })
	streams.Wait()
	err := cmd.Wait()
	tell(events.Event{Kind: events.Exit, Length: time.Since(begin)})
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return
	}
	if status := exit.Sys().(syscall.WaitStatus); status.Signaled() {
		signal.Reset()
		unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}) // the program has left a core dump already
		unix.Kill(os.Getpid(), status.Signal())
		time.Sleep(time.Second) // until the signal arrives
	}
	os.Exit(exit.ExitCode())
}

// newPump returns the pump of a stream, with the limits in the environment.
func newPump(stream string, w *os.File) *pump.Pump {
	p := &pump.Pump{Drained: func() { drained(w) }}
	if limit, err := strconv.Atoi(os.Getenv("BIRNN_OUTPUT_LIMIT")); err == nil && os.Getenv(events.Env) != "" {
		p.Limit = limit
		p.Most = 1_000_000_000
		p.File = filepath.Join(os.Getenv("BIRNN_OUTPUT"), fmt.Sprintf("%s-%s.txt", time.Now().Format("20060102-150405.000"), stream))
		p.Told = func(file string) { events.Tell(events.Event{Kind: events.Overflow, Message: file}) }
	}
	return p
}

// drained waits until the pipe is empty, so that GoNB reads each piece separately.
func drained(w *os.File) {
	for wait := 20 * time.Microsecond; !empty(w); wait = min(2*wait, 5*time.Millisecond) {
		time.Sleep(wait)
	}
}

// quiet waits until GoNB has read what the program has printed, so that errors come after what was printed before them:
// GoNB reads standard output and standard error concurrently. If the program keeps printing, quiet gives up soon.
func quiet(p *pump.Pump, r any) {
	const looks, pause, longest = 2, time.Millisecond, 200 * time.Millisecond
	found := 0
	for begin := time.Now(); found < looks && time.Since(begin) < longest; time.Sleep(pause) {
		if found++; !empty(r) || !p.Idle() {
			found = 0
		}
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
