// Command charlm trains the character-level language model of the first lesson and continues prefixes with it.
//
//	go run ./birnnlib/examples/cmd/charlm -as-posted -corpus jaychou_lyrics.txt.zip
//
// Standard output has one line that tells backend and device, and then exactly what the post prints: every -every epochs
// a line such as "epoch 40, perplexity 153.796754, time 1.32 sec", and each prefix with its continuation. Progress and
// notes go to standard error.
//
// Ctrl-C stops after the running mini-batch, saves what was learned and tells how to go on. The exit code is 0 for a
// complete run, 1 for a failed one, 2 for wrong use and 130 after Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"birnn/birnnlib"
	"birnn/birnnlib/backend"
	"birnn/birnnlib/examples/charlm"
	"birnn/birnnlib/examples/cmd/internal/progress"
	"birnn/birnnlib/examples/text"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	var usage usageError
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, "charlm:", err)
		fmt.Fprintln(os.Stderr, "charlm -h lists the flags")
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "charlm:", strings.TrimPrefix(err.Error(), "charlm: "))
		os.Exit(1)
	}
}

// usageError is a mistake in the flags.
type usageError struct{ error }

// options are the flags.
type options struct {
	config          charlm.Config
	corpus          string
	chars           int
	epochs          int
	every           int
	predict         int
	prefixes        []string // given with -prefix
	backend         string
	checkpoint      string
	checkpointEvery time.Duration
	given           map[string]bool // the flags on the command line
}

// defaultPrefixes are the post's.
var defaultPrefixes = []string{"分开", "不分开"}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{config: charlm.Post(), given: map[string]bool{}}
	c := &o.config
	f := flag.NewFlagSet("charlm", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, "charlm trains a character-level language model with a bidirectional recurrent network and continues prefixes.\nThe defaults are those of the post that the first lesson follows, read by the formulas.\n\nFlags:\n")
		f.PrintDefaults()
	}
	f.StringVar(&o.corpus, "corpus", "", "the text to learn: a UTF-8 `file`, a .zip with one text file, or - for standard input (default: the text embedded in the library)")
	f.IntVar(&o.chars, "chars", 10000, "learn the first `N` characters; 0 for all")
	f.IntVar(&o.epochs, "epochs", 160, "train for `N` epochs")
	f.IntVar(&c.Steps, "steps", c.Steps, "time steps of a window")
	f.IntVar(&c.Batch, "batch", c.Batch, "sequences in a mini-batch")
	f.Func("hidden", "hidden `sizes`: 256 a direction, 256+128 for different ones forward and backward, 256,256 for two layers (default 256)", func(s string) (err error) {
		c.Hidden, err = birnnlib.ParseSizes(s)
		return err
	})
	f.StringVar(&c.Activation, "activation", c.Activation, "`φ`: sigmoid, tanh or relu")
	f.Float64Var(&c.LearningRate, "lr", c.LearningRate, "learning `rate`")
	f.Float64Var(&c.Clip, "clip", c.Clip, "clip the gradient to this global `norm`")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "`seed` of the initial weights and of random sampling")
	f.BoolVar(&c.AsPosted, "as-posted", false, "the post's reading: both directions walk forward in time")
	f.BoolVar(&c.Random, "random", false, "random sampling, each batch from a zero state, instead of consecutive")
	f.IntVar(&o.every, "every", 40, "print a line every `N` epochs")
	f.IntVar(&o.predict, "predict", 50, "continue each prefix by `N` characters")
	f.Func("prefix", "a `text` to continue; repeat it for several (default 分开 and 不分开)", func(s string) error {
		o.prefixes = append(o.prefixes, s)
		return nil
	})
	f.StringVar(&o.backend, "backend", "", "`backend`: go, xla:cpu or xla:cuda (default: what GOMLX_BACKEND says, else the best there is)")
	f.StringVar(&o.checkpoint, "checkpoint", "", "save the training in this `directory`, and go on from what is saved there")
	f.DurationVar(&o.checkpointEvery, "checkpoint-every", 30*time.Second, "with -checkpoint: save after this `time`, and at the end; 0 after every mini-batch")
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, usageError{err}
	}
	f.Visit(func(f *flag.Flag) { o.given[f.Name] = true })
	wrong := func(format string, args ...any) (*options, error) {
		return nil, usageError{fmt.Errorf(format, args...)}
	}
	switch {
	case f.NArg() > 0:
		return wrong("unexpected argument %q; every option starts with a dash", f.Arg(0))
	case o.chars < 0:
		return wrong("-chars is %d; it must be positive, or 0 for all", o.chars)
	case o.epochs < 0:
		return wrong("-epochs is %d; it must not be negative", o.epochs)
	case o.every < 1:
		return wrong("-every is %d; it must be at least 1", o.every)
	case o.predict < 0:
		return wrong("-predict is %d; it must not be negative", o.predict)
	case o.checkpointEvery < 0:
		return wrong("-checkpoint-every is %v; it must not be negative", o.checkpointEvery)
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }

	corpus, err := o.readCorpus(stdin)
	if err != nil {
		return err
	}
	prefixes, err := o.checkPrefixes(corpus, note)
	if err != nil {
		return err
	}
	b, err := backend.Open(ctx, backend.Options{Ask: o.backend, Install: true, Progress: stderr})
	if err != nil {
		return err
	}
	defer b.Backend.Finalize()
	fmt.Fprintln(stdout, b)

	t := &training{options: o, note: note, stdout: stdout, progress: progress.New(stderr), prefixes: prefixes}
	if o.checkpoint != "" {
		if t.checkpoints, err = charlm.OpenCheckpoints(o.checkpoint); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.checkpoints.Close()) }()
		var damaged []error
		t.model, damaged, err = t.checkpoints.Load(b.Backend, corpus)
		for _, d := range damaged {
			note("%v; going on from the one before", d)
		}
		switch {
		case errors.Is(err, charlm.ErrNoCheckpoint):
		case err != nil:
			return err
		default:
			if err := o.adopt(t.model.Config()); err != nil {
				return err
			}
			p := t.model.Position()
			note("going on from %s: %d epochs and %d mini-batches are done", o.checkpoint, p.Epoch, p.Batch)
		}
	}
	if t.model == nil {
		if t.model, err = charlm.New(b.Backend, corpus, o.config); err != nil {
			return err
		}
	}
	return t.run(ctx)
}

// readCorpus reads what -corpus and -chars ask for.
func (o *options) readCorpus(stdin io.Reader) (string, error) {
	switch o.corpus {
	case "":
		return text.Corpus(o.chars), nil
	case "-":
		return text.ReadFrom(stdin, "standard input", o.chars)
	}
	return text.Read(o.corpus, o.chars)
}

// checkPrefixes returns the prefixes to continue. One given that the corpus cannot spell is an error, a default one is
// skipped with a note.
func (o *options) checkPrefixes(corpus string, note func(string, ...any)) ([]string, error) {
	vocabulary, err := text.NewVocabulary(corpus)
	if err != nil {
		return nil, err
	}
	for _, prefix := range o.prefixes {
		if prefix == "" {
			return nil, usageError{errors.New("-prefix is empty; give at least one character to continue")}
		}
		if _, err := vocabulary.Encode(prefix); err != nil {
			return nil, usageError{fmt.Errorf("-prefix %s: %w", prefix, err)}
		}
	}
	if len(o.prefixes) > 0 {
		return o.prefixes, nil
	}
	var prefixes []string
	for _, prefix := range defaultPrefixes {
		if _, err := vocabulary.Encode(prefix); err != nil {
			note("the prefix %s is left out: %v", prefix, err)
			continue
		}
		prefixes = append(prefixes, prefix)
	}
	return prefixes, nil
}

// adopt takes over the settings of a checkpoint, unless the command line asks for others.
func (o *options) adopt(saved charlm.Config) error {
	wanted := saved
	for name, set := range map[string]func(){
		"steps":      func() { wanted.Steps = o.config.Steps },
		"batch":      func() { wanted.Batch = o.config.Batch },
		"hidden":     func() { wanted.Hidden = o.config.Hidden },
		"activation": func() { wanted.Activation = o.config.Activation },
		"lr":         func() { wanted.LearningRate = o.config.LearningRate },
		"clip":       func() { wanted.Clip = o.config.Clip },
		"seed":       func() { wanted.Seed = o.config.Seed },
		"as-posted":  func() { wanted.AsPosted = o.config.AsPosted },
		"random":     func() { wanted.Random = o.config.Random },
	} {
		if o.given[name] {
			set()
		}
	}
	if d := wanted.Difference(saved); d != "" {
		return usageError{fmt.Errorf("the training in %s has other settings: the command line asks for %s; leave those flags out, or name another directory", o.checkpoint, d)}
	}
	o.config = saved
	return nil
}

// training is a running command.
type training struct {
	*options
	model       *charlm.Model
	checkpoints *charlm.Checkpoints // nil without -checkpoint
	lastSave    time.Time
	prefixes    []string
	note        func(format string, args ...any)
	stdout      io.Writer
	progress    *progress.Bar
}

func (t *training) run(ctx context.Context) error {
	t.lastSave = time.Now()
	var saveErr error
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.progress.Start(t.epochs)
	err := t.model.Train(ctx, t.epochs, charlm.Callbacks{
		Batch: func(p charlm.Position, batches int) {
			t.progress.Show(p.Epoch, p.Batch, batches)
			if t.checkpoints != nil && time.Since(t.lastSave) >= t.checkpointEvery {
				if saveErr = t.save(); saveErr != nil {
					cancel(saveErr)
				}
			}
		},
		Epoch: func(e charlm.Epoch) error { return t.report(ctx, e) },
	})
	t.progress.Clear()
	switch {
	case saveErr != nil:
		return saveErr
	case errors.Is(err, context.Canceled):
		return errors.Join(err, t.stopped())
	case err != nil:
		return err
	case t.checkpoints != nil:
		return t.save()
	}
	return nil
}

// report prints the lines of the post, at the epochs at which it does.
func (t *training) report(ctx context.Context, e charlm.Epoch) error {
	if e.Number%t.every != 0 {
		return nil
	}
	t.progress.Clear()
	fmt.Fprintf(t.stdout, "epoch %d, perplexity %f, time %.2f sec\n", e.Number, e.Perplexity, e.Time.Seconds())
	for _, prefix := range t.prefixes {
		continued, err := t.model.Continue(ctx, prefix, t.predict)
		if err != nil {
			return err
		}
		fmt.Fprintf(t.stdout, " - %s\n", continued)
	}
	return nil
}

func (t *training) save() error {
	err := t.checkpoints.Save(t.model)
	t.lastSave = time.Now()
	return err
}

// stopped saves what was learned before Ctrl-C, and tells how to go on.
func (t *training) stopped() (err error) {
	if t.checkpoints == nil {
		dir, err := rescueDir()
		if err != nil {
			return err
		}
		if t.checkpoints, err = charlm.OpenCheckpoints(dir); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.checkpoints.Close()) }()
	}
	if err := t.save(); err != nil {
		return err
	}
	p := t.model.Position()
	t.note("stopped after %d epochs and %d mini-batches; to go on, repeat the command with -checkpoint %s", p.Epoch, p.Batch, t.checkpoints.Dir())
	return nil
}

// rescueDir names a new directory for a training that was to leave nothing.
func rescueDir() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(cache, "birnn", "charlm", time.Now().Format("2006-01-02T15-04-05")), nil
}
