package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"birnn/birnnlib/examples/training"
	"birnn/internal/cli"
)

// trainer is a training of two epochs of two mini-batches, which calls at before each of them: 0 to 3, then 4.
func trainer(at func(ctx context.Context, i int)) func(context.Context, training.Callbacks) error {
	return func(ctx context.Context, callbacks training.Callbacks) error {
		for i := range 4 {
			at(ctx, i)
			if err := ctx.Err(); err != nil {
				return err
			}
			callbacks.Batch(training.Position{Epoch: i / 2, Batch: i%2 + 1}, 2)
			if i%2 == 1 {
				if err := callbacks.Epoch(training.Epoch{Number: i/2 + 1}); err != nil {
					return err
				}
			}
		}
		at(ctx, 4)
		return ctx.Err()
	}
}

// TestRun interrupts a training at each of its mini-batches, with several settings of saving, and lets it go on to its end.
func TestRun(t *testing.T) {
	full := errors.New("disk full")
	for _, test := range []struct {
		name      string
		interrupt int // before this mini-batch; -1: never
		every     time.Duration
		failing   bool // saves
		noSave    bool
		want      string // what was called
		code      int
		stderr    string
	}{
		{"to the end", -1, time.Hour, false, false, "report 1, report 2, save", 0, ""},
		{"saved after each mini-batch", -1, 0, false, false, "save, save, report 1, save, save, report 2, save", 0, ""},
		{"not saved", -1, 0, false, true, "report 1, report 2", 0, ""},
		{"before anything", 0, time.Hour, false, false, "", cli.Interrupted, ""},
		{"in the first epoch", 1, time.Hour, false, false, "rescue", cli.Interrupted, "stopped after 0 epochs and 1 mini-batches; to go on, repeat"},
		{"in the second epoch", 3, time.Hour, false, false, "report 1, rescue", cli.Interrupted, "stopped after 1 epochs and 1 mini-batches"},
		{"nothing new since a save", 1, 0, false, false, "save", cli.Interrupted, ""},
		{"at the end, not saved", 4, 0, false, true, "report 1, report 2, rescue", cli.Interrupted, "stopped after 2 epochs and 0 mini-batches"},
		{"a save that fails", -1, 0, true, false, "save", cli.Failed, "cmd: disk full\n"},
		{"a save that fails at the end", -1, time.Hour, true, false, "report 1, report 2, save", cli.Failed, "cmd: disk full\n"},
		{"a rescue that fails", 1, time.Hour, true, false, "rescue", cli.Failed, "cmd: what was learned since the last save is lost: disk full\n"},
	} {
		var called []string
		result := func(what string) error {
			called = append(called, what)
			if test.failing {
				return full
			}
			return nil
		}
		ctx, cancel := context.WithCancel(t.Context())
		var stderr bytes.Buffer
		s := &Session{
			Train: trainer(func(_ context.Context, i int) {
				if i == test.interrupt {
					cancel()
				}
			}),
			Epochs: 2, Every: test.every, Stderr: &stderr,
			Report: func(_ context.Context, e training.Epoch) error {
				called = append(called, fmt.Sprint("report ", e.Number))
				return nil
			},
			Save:   func() error { return result("save") },
			Rescue: func() (string, error) { return "repeat", result("rescue") },
		}
		if test.noSave {
			s.Save = nil
		}
		code := cli.Report(&stderr, "cmd", s.Run(ctx))
		if got := strings.Join(called, ", "); got != test.want || code != test.code || !strings.Contains(stderr.String(), test.stderr) || test.stderr == "" && stderr.Len() > 0 || s.Abandoned() {
			t.Errorf("%s: called %q, exit code %d, %q; want %q, %d, %q", test.name, got, code, stderr.String(), test.want, test.code, test.stderr)
		}
		cancel()
	}
}

// TestAbandoned: an interruption does not wait for the end of a step that has nothing to save, such as a compilation.
func TestAbandoned(t *testing.T) {
	defer func(d time.Duration) { patience = d }(patience)
	patience = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	end := make(chan struct{})
	defer close(end)
	s := &Session{
		Train:  trainer(func(context.Context, int) { cancel(); <-end }),
		Stderr: &bytes.Buffer{},
	}
	if err := s.Run(ctx); !errors.Is(err, context.Canceled) || !s.Abandoned() {
		t.Errorf("error %v, abandoned %t", err, s.Abandoned())
	}
}

type settings struct{ difference string }

func (s settings) Difference(settings) string { return s.difference }

func TestAdopt(t *testing.T) {
	if err := Adopt(settings{}, settings{}, "dir", "name another"); err != nil {
		t.Error(err)
	}
	err := Adopt(settings{"seed 2 instead of 1"}, settings{}, "dir", "name another")
	if !cli.IsUsage(err) || !strings.Contains(err.Error(), "dir has other settings") || !strings.Contains(err.Error(), "seed 2 instead of 1; name another") {
		t.Errorf("error %v", err)
	}
}

func TestDiverged(t *testing.T) {
	other, diverged := errors.New("other"), fmt.Errorf("step 3: %w", training.ErrDiverged)
	if err := Diverged(other, "dir", "-lr sets it"); err != other {
		t.Errorf("another error becomes %v", err)
	}
	for where, want := range map[string]string{"": "step 3: the training diverged: -lr sets it", "dir": "dir stays as it was before"} {
		if err := Diverged(diverged, where, "-lr sets it"); !errors.Is(err, training.ErrDiverged) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v", err)
		}
	}
}
