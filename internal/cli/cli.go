// Package cli runs commands: exit codes, usage errors in one line, and a prompt exit on Ctrl-C or SIGTERM.
package cli

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// Exit codes of a command.
const (
	Failed      = 1
	WrongUse    = 2
	Interrupted = 130
)

// A Run is the body of a command. It returns nil for a complete run, an error made by [Usage] for wrong use, and ctx's
// error after an interruption.
type Run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error

// patience is how long an interrupted command may take before the user reads how to end it at once.
const patience = 2 * time.Second

// Main runs a command and exits.
//
// SIGINT and SIGTERM cancel the context; a second one ends the process at once. Standard input and standard output are
// those of [Reader] and [Writer], so that neither keeps the command from ending.
func Main(name string, run Run) {
	ctx, cancel := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		cancel()
		select {
		case <-time.After(patience):
			fmt.Fprintf(os.Stderr, "%s: stopping after the running step; a second Ctrl-C stops at once and loses what is not saved\n", name)
			<-signals
		case <-signals:
		}
		os.Exit(Interrupted)
	}()
	err := run(ctx, os.Args[1:], Reader(ctx, os.Stdin), Writer(ctx, os.Stdout), os.Stderr)
	os.Exit(Report(os.Stderr, name, err))
}

// Report prints a command's error and returns the exit code. It omits a plain interruption; an error during the shutdown is
// printed and gives exit code 1.
func Report(stderr io.Writer, name string, err error) int {
	err, interrupted := withoutInterruption(err)
	var usage usageError
	switch {
	case err == nil && interrupted:
		return Interrupted
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	}
	message := strings.TrimPrefix(err.Error(), name+": ") // a package of the command's name begins its errors so
	if errors.As(err, &usage) {
		fmt.Fprintf(stderr, "%s: %s (%s -h lists the flags)\n", name, message, name)
		return WrongUse
	}
	fmt.Fprintf(stderr, "%s: %s\n", name, message)
	return Failed
}

// withoutInterruption returns err without context.Canceled, which errors.Join may have put among others, and whether it
// was there.
func withoutInterruption(err error) (rest error, interrupted bool) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var others []error
		for _, e := range joined.Unwrap() {
			other, was := withoutInterruption(e)
			others, interrupted = append(others, other), interrupted || was
		}
		if interrupted {
			return errors.Join(others...), true
		}
		return err, false
	}
	if errors.Is(err, context.Canceled) {
		return nil, true
	}
	return err, false
}

// usageError is a mistake in the flags.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// Usage returns an error that says which flag has a wrong value, or which argument is wrong.
func Usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// IsUsage reports whether err was made by [Usage] or [Parse].
func IsUsage(err error) bool {
	var usage usageError
	return errors.As(err, &usage)
}

// Parse parses the flags. It writes the help to stdout if -h asks for it, and then returns flag.ErrHelp; any other error
// is wrong use, without the help. The flag set must have been made with flag.ContinueOnError.
func Parse(f *flag.FlagSet, args []string, stdout io.Writer) error {
	usage := f.Usage
	f.Usage = func() {} // flag calls it on every error
	f.SetOutput(io.Discard)
	err := f.Parse(args)
	f.SetOutput(stdout)
	f.Usage = usage
	switch {
	case errors.Is(err, flag.ErrHelp):
		if f.Usage == nil {
			f.PrintDefaults()
		} else {
			f.Usage()
		}
		return err
	case err != nil:
		return usageError{err}
	}
	return nil
}

// Await returns what f returns, or ctx's error as soon as ctx is cancelled. The call of f goes on: use it for what
// cannot be cancelled, such as opening a FIFO, in a program that is about to end.
func Await[T any](ctx context.Context, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var zero T
		return zero, ctx.Err()
	}
}

// Reader returns a reader of r whose Read returns ctx's error as soon as ctx is cancelled.
func Reader(ctx context.Context, r io.Reader) io.Reader { return &reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	data, err := Await(r.ctx, func() ([]byte, error) {
		own := make([]byte, len(p)) // a call that goes on must not write into p
		n, err := r.r.Read(own)
		return own[:n], err
	})
	return copy(p, data), err
}

// Writer returns a writer to w whose Write returns ctx's error when ctx is cancelled and w, such as a pipe that nobody
// reads, takes nothing for a while.
func Writer(ctx context.Context, w io.Writer) io.Writer { return &writer{ctx, w} }

type writer struct {
	ctx context.Context
	w   io.Writer
}

// grace is how long a write may take after an interruption: a line that can be written is.
const grace = 200 * time.Millisecond

func (w *writer) Write(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	own := append([]byte(nil), p...) // p is the caller's again after the return
	go func() {
		n, err := w.w.Write(own)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		return r.n, r.err
	case <-w.ctx.Done():
	}
	select {
	case r := <-done:
		return r.n, r.err
	case <-time.After(grace):
		return 0, w.ctx.Err()
	}
}
