// Command charlm trains the character-level language model of lesson 1 and continues prefixes with it.
//
//	go run ./birnnlib/examples/cmd/charlm -as-posted -corpus jaychou_lyrics.txt.zip
//
// The lesson follows the post 《MXNet双向循环神经网络----单个隐藏层的双向循环神经网络(程序)》, a published solution of
// the exercise of d2l-zh 6.10 (April 2020). Standard output has one line with backend and device, and then exactly what
// the post prints: every -every epochs a line such as "epoch 40, perplexity 153.796754, time 1.32 sec", and each prefix
// with its continuation. Progress and notes go to standard error.
//
// Ctrl-C stops after the running mini-batch, saves what was learned and says how to go on; a second one stops at once. The
// exit code is 0 for a complete run, 1 for a failed one, 2 for wrong use and 130 after Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"birnn/birnnlib/backend"
	"birnn/birnnlib/examples/charlm"
	"birnn/birnnlib/examples/cmd/internal/session"
	"birnn/birnnlib/examples/text"
	"birnn/birnnlib/examples/training"
	"birnn/internal/cli"
)

func main() { cli.Main("charlm", run) }

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
}

// defaultPrefixes are those of the post.
var defaultPrefixes = []string{"分开", "不分开"}

// parse parses the command line. The settings that it leaves out are those of config.
func parse(args []string, config charlm.Config, stdout io.Writer) (*options, error) {
	o := &options{config: config}
	c := &o.config
	f := flag.NewFlagSet("charlm", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprint(f.Output(), "charlm trains a character-level language model with a bidirectional recurrent network and continues prefixes.\nThe defaults are those of the post that lesson 1 follows (d2l-zh 6.10, bidirectional recurrent networks),\nbut the backward direction reads the text backwards, as the formulas say; -as-posted does what the post does.\n\nFlags:\n")
		f.PrintDefaults()
	}
	f.StringVar(&o.corpus, "corpus", "", "the text to learn: a UTF-8 `file`, a .zip with one text file, or - for standard input (default: the text embedded in the library)")
	f.IntVar(&o.chars, "chars", 10000, "learn the first `N` characters; 0 for all")
	f.IntVar(&o.epochs, "epochs", 160, "train for `N` epochs")
	f.IntVar(&c.Steps, "steps", c.Steps, "time steps of a window")
	f.IntVar(&c.Batch, "batch", c.Batch, "sequences in a mini-batch")
	f.Func("hidden", "hidden `sizes`: 256 a direction, 256+128 for different ones forward and backward, 256,256 for two layers (default 256)", func(s string) (err error) {
		c.Hidden, err = training.ParseSizes(s)
		return err
	})
	f.StringVar(&c.Activation, "activation", c.Activation, "`φ`: sigmoid, tanh or relu")
	f.Float64Var(&c.LearningRate, "lr", c.LearningRate, "learning `rate`")
	f.Float64Var(&c.Clip, "clip", c.Clip, "clip the gradient to this global `norm`")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "`seed` of the initial weights and of random sampling")
	f.BoolVar(&c.AsPosted, "as-posted", false, "let both directions walk forward in time, as the post does")
	f.BoolVar(&c.Random, "random", false, "random sampling, each batch from a zero state, instead of consecutive")
	f.IntVar(&o.every, "every", 40, "print a line every `N` epochs")
	f.IntVar(&o.predict, "predict", 50, "continue each prefix by `N` characters")
	f.Func("prefix", "a `text` to continue; repeat it for several (default 分开 and 不分开)", func(s string) error {
		o.prefixes = append(o.prefixes, s)
		return nil
	})
	f.StringVar(&o.backend, "backend", "", "`backend`: go, xla:cpu or xla:cuda (default: GOMLX_BACKEND if set, else the fastest available)")
	f.StringVar(&o.checkpoint, "checkpoint", "", "save the training in this `directory`, and go on from what is saved there")
	f.DurationVar(&o.checkpointEvery, "checkpoint-every", 30*time.Second, "with -checkpoint: save after this `time`, and at the end; 0 after every mini-batch")
	if err := cli.Parse(f, args, stdout); err != nil {
		return nil, err
	}
	wrong := func(format string, args ...any) (*options, error) { return nil, cli.Usage(format, args...) }
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
	for _, err := range []error{c.Check(), backend.Check(o.backend)} {
		if err != nil {
			return wrong("%w", err)
		}
	}
	for _, prefix := range o.prefixes {
		if prefix == "" {
			return wrong("-prefix is empty; give at least one character to continue")
		}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, charlm.Post(), stdout)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }

	corpus, err := cli.Await(ctx, func() (string, error) { return o.readCorpus(stdin) }) // a FIFO blocks
	if err != nil {
		return err
	}
	prefixes, err := o.checkPrefixes(corpus, note)
	if err != nil {
		return err
	}
	t := &trainer{options: o, prefixes: prefixes, stdout: stdout}
	var saved *charlm.Saved
	if o.checkpoint != "" {
		if t.checkpoints, err = charlm.OpenCheckpoints(o.checkpoint); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, t.checkpoints.Close()) }()
		var damaged []error
		saved, damaged, err = t.checkpoints.Read(corpus)
		for _, d := range damaged {
			note("%v; using the one before", d)
		}
		if err != nil && !errors.Is(err, charlm.ErrNoCheckpoint) {
			return fmt.Errorf("%w (the corpus is %s)", err, o.corpusName())
		}
	}
	if saved != nil {
		again, err := parse(args, saved.Config(), io.Discard)
		if err != nil {
			return err
		}
		if err := session.Adopt(again.config, saved.Config(), o.checkpoint, "leave those flags out, or name another directory"); err != nil {
			return err
		}
		o.config = saved.Config()
	} else if err := o.config.CheckCorpus(corpus); err != nil {
		return fmt.Errorf("the corpus %s: %w", o.corpusName(), err)
	}

	b, err := backend.Open(ctx, backend.Options{Ask: o.backend, Install: true, Progress: stderr})
	if err != nil {
		return err
	}
	s := &session.Session{
		Train: func(ctx context.Context, callbacks training.Callbacks) error {
			return t.model.Train(ctx, o.epochs, callbacks)
		},
		Epochs: o.epochs, Report: t.report, Every: o.checkpointEvery, Rescue: t.rescue, Stderr: stderr,
	}
	if t.checkpoints != nil {
		s.Save = func() error { return t.checkpoints.Save(t.model) }
	}
	defer func() {
		if !s.Abandoned() {
			b.Backend.Finalize()
		}
	}()
	fmt.Fprintln(stdout, b)
	if saved != nil {
		t.model, err = saved.Model(b.Backend)
	} else {
		t.model, err = charlm.New(b.Backend, corpus, o.config)
	}
	if err != nil {
		return err
	}
	if saved != nil {
		p := t.model.Position()
		note("going on from %s: %d epochs and %d mini-batches are done", o.checkpoint, p.Epoch, p.Batch)
	}
	return session.Diverged(s.Run(ctx), o.checkpoint, "-lr and -clip set them")
}

// corpusName names the corpus in errors.
func (o *options) corpusName() string {
	switch o.corpus {
	case "":
		return "embedded in the library"
	case "-":
		return "standard input"
	}
	return o.corpus
}

// readCorpus reads what -corpus and -chars ask for.
func (o *options) readCorpus(stdin io.Reader) (string, error) {
	switch o.corpus {
	case "":
		return text.Corpus(o.chars), nil
	case "-":
		return text.ReadFrom(stdin, o.corpusName(), o.chars)
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
		if _, err := vocabulary.Encode(prefix); err != nil {
			return nil, cli.Usage("-prefix %s: %w", prefix, err)
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

// trainer trains, reports and saves a model.
type trainer struct {
	*options
	model       *charlm.Model
	checkpoints *charlm.Checkpoints // nil without -checkpoint
	prefixes    []string
	stdout      io.Writer
}

// report prints the lines of the post every -every epochs.
func (t *trainer) report(ctx context.Context, e training.Epoch) error {
	if e.Number%t.every != 0 {
		return nil
	}
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

// rescue saves what was learned before Ctrl-C, and returns how to go on.
func (t *trainer) rescue() (resume string, err error) {
	c := t.checkpoints
	if c == nil {
		if c, err = openRescue(); err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	return "repeat the command with -checkpoint " + c.Dir(), c.Save(t.model)
}

// openRescue opens a new directory for a training that was not to be saved.
func openRescue() (*charlm.Checkpoints, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("this user has no cache directory (%w); give -checkpoint DIR", err)
	}
	return charlm.OpenCheckpoints(filepath.Join(cache, "birnn", "charlm", time.Now().Format("2006-01-02T15-04-05")))
}
