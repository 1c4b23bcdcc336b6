// Package process runs child processes that end with their context: each has a separate process group, which is killed
// as a whole.
package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Dismissed is what the owner of a [Guard] writes to it before it ends it in order.
const Dismissed = "."

// Options are the options of a command. The zero value runs it in the current directory with this process's
// environment.
type Options struct {
	Dir    string
	Env    []string      // changes of the environment: "KEY=value" sets, "KEY" removes
	Log    io.Writer     // gets the output of the command as it comes
	Grace  time.Duration // between SIGTERM and SIGKILL; default 5 s
	Stdin  io.Reader
	Stdout io.Writer // gets standard output instead of Log
}

// Command prepares a command with a new process group, which gets SIGTERM when ctx ends and SIGKILL after the grace
// period.
func Command(ctx context.Context, opts Options, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = opts.Dir
	cmd.Env = Environ(os.Environ(), opts.Env)
	cmd.Stdin = opts.Stdin
	cmd.WaitDelay = opts.Grace
	if cmd.WaitDelay == 0 {
		cmd.WaitDelay = 5 * time.Second
	}
	group(cmd)
	return cmd
}

// Run runs a command and returns its standard output and standard error together. An error contains their last lines.
func Run(ctx context.Context, opts Options, name string, args ...string) (string, error) {
	cmd := Command(ctx, opts, name, args...)
	var out bytes.Buffer
	var w io.Writer = &out
	if opts.Log != nil {
		fmt.Fprintf(opts.Log, "$ %s %s\n", name, strings.Join(args, " "))
		w = io.MultiWriter(&out, opts.Log)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if opts.Stdout != nil {
		cmd.Stdout = opts.Stdout
	}
	err := cmd.Run()
	End(cmd) // kills processes that the command left behind
	if ctx.Err() != nil {
		return out.String(), ctx.Err()
	}
	if err != nil {
		return out.String(), &Error{Name: name, Err: err, Output: out.String()}
	}
	return out.String(), nil
}

// Error is the error of a command, with its output.
type Error struct {
	Name   string
	Err    error
	Output string
}

func (e *Error) Unwrap() error { return e.Err }

func (e *Error) Error() string {
	lines := strings.Split(strings.TrimSpace(e.Output), "\n")
	if len(lines) > 12 {
		lines = append([]string{"…"}, lines[len(lines)-12:]...)
	}
	return fmt.Sprintf("%s: %v\n%s", e.Name, e.Err, strings.Join(lines, "\n"))
}

// Environ returns base with changes applied: "KEY=value" sets, "KEY" removes.
func Environ(base, changes []string) []string {
	env := append([]string(nil), base...)
	for _, change := range changes {
		key, _, set := strings.Cut(change, "=")
		kept := env[:0]
		for _, entry := range env {
			if !strings.HasPrefix(entry, key+"=") {
				kept = append(kept, entry)
			}
		}
		env = kept
		if set {
			env = append(env, change)
		}
	}
	return env
}

// networkSigns are parts of the messages of Go, pip and the resolver without a network.
var networkSigns = []string{
	"dial tcp", "no such host", "name resolution", "network is unreachable", "connection refused",
	"newconnectionerror", "max retries exceeded", "i/o timeout", "tls handshake timeout", "proxyerror",
	"no route to host", "could not find a version that satisfies", "connection reset", "connection broken",
}

// IsNetwork reports whether a command seems to have failed for lack of a network.
func IsNetwork(err error) bool {
	if e, ok := errors.AsType[*Error](err); ok {
		text := strings.ToLower(e.Output)
		for _, sign := range networkSigns {
			if strings.Contains(text, sign) {
				return true
			}
		}
	}
	return false
}
