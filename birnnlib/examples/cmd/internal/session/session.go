// Package session is what the commands that train have in common: progress, saving from time to time and after an
// interruption, and resuming.
package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"birnn/birnnlib/examples/cmd/internal/progress"
	"birnn/birnnlib/examples/training"
	"birnn/internal/cli"
)

// Session is the training of a command.
type Session struct {
	// Train trains the model.
	Train  func(ctx context.Context, callbacks training.Callbacks) error
	Epochs int
	// Report writes what the command tells after an epoch.
	Report func(ctx context.Context, e training.Epoch) error

	// Save saves the model; nil: the training is not saved while it runs.
	Save      func() error
	Every     time.Duration // between two saves; 0: after every mini-batch
	EachEpoch bool          // save before every Report, too
	// Rescue saves what was learned until an interruption, and returns how to resume: "repeat the command".
	Rescue func() (resume string, err error)

	Stderr io.Writer

	abandoned bool
}

// patience is how long an interrupted session waits for a step that would have nothing to save: the compilation of one.
var patience = 2 * time.Second

// Abandoned reports whether Run returned while the backend was still computing, so that it must not be finalized.
func (s *Session) Abandoned() bool { return s.abandoned }

// Run trains until the end or an interruption. An interrupted training stops after the running mini-batch, and is saved
// if it has learned anything since the last save.
func (s *Session) Run(ctx context.Context) error {
	bar := progress.New(s.Stderr)
	bar.Start(s.Epochs)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var (
		unsaved  atomic.Bool // something was learned since the last save
		lastSave = time.Now()
		mutex    sync.Mutex
		position training.Position
	)
	save := func() error {
		err := s.Save()
		unsaved.Store(err != nil)
		lastSave = time.Now()
		return err
	}
	done := make(chan error, 1)
	go func() {
		done <- s.Train(ctx, training.Callbacks{
			Batch: func(p training.Position, batches int) {
				unsaved.Store(true)
				mutex.Lock()
				position = p
				mutex.Unlock()
				bar.Show(p.Epoch, p.Batch, batches)
				if s.Save != nil && ctx.Err() == nil && time.Since(lastSave) >= s.Every {
					if err := save(); err != nil {
						cancel(err)
					}
				}
			},
			Epoch: func(e training.Epoch) error {
				unsaved.Store(true)
				mutex.Lock()
				position = training.Position{Epoch: e.Number}
				mutex.Unlock()
				if s.EachEpoch {
					if err := save(); err != nil {
						return err
					}
				}
				bar.Clear()
				return s.Report(ctx, e)
			},
		})
	}()
	err, ended := s.wait(ctx, done, &unsaved)
	bar.Clear()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause // a save that failed
	}
	switch {
	case !ended:
		s.abandoned = true
		return err
	case errors.Is(err, context.Canceled):
		if !unsaved.Load() {
			return err
		}
		resume, failed := s.Rescue()
		if failed != nil {
			since := ""
			if s.Save != nil {
				since = " since the last save"
			}
			return errors.Join(err, fmt.Errorf("what was learned%s is lost: %w", since, failed))
		}
		mutex.Lock()
		defer mutex.Unlock()
		fmt.Fprintf(s.Stderr, "stopped after %d epochs and %d mini-batches; to go on, %s\n", position.Epoch, position.Batch, resume)
		return err
	case err == nil && s.Save != nil && unsaved.Load():
		return save()
	}
	return err
}

// wait waits for the end of the training, unless it is interrupted while it has nothing to save.
func (s *Session) wait(ctx context.Context, done <-chan error, unsaved *atomic.Bool) (err error, ended bool) {
	select {
	case err := <-done:
		return err, true
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err, true
	case <-time.After(patience):
	}
	if !unsaved.Load() {
		return ctx.Err(), false
	}
	return <-done, true
}

// Adopt returns an error of wrong use if the command line asks for other settings than those that were saved. Remedy says
// what to do.
func Adopt[C interface{ Difference(C) string }](wanted, saved C, where, remedy string) error {
	if d := wanted.Difference(saved); d != "" {
		return cli.Usage("the training in %s has other settings: the command line asks for %s; %s", where, d, remedy)
	}
	return nil
}

// Diverged adds to the error of a training that diverged what the user can do; other errors stay as they are.
func Diverged(err error, where, remedy string) error {
	switch {
	case !errors.Is(err, training.ErrDiverged):
		return err
	case where == "":
		return fmt.Errorf("%w: %s", err, remedy)
	}
	return fmt.Errorf("%w: %s; %s stays as it was before, so name another directory", err, remedy, where)
}
