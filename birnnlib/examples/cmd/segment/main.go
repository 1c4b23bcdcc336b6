// Command segment cuts Chinese text into words, and trains the network that it needs for that.
//
//	go run ./birnnlib/examples/cmd/segment -train
//	echo 他从马上下来 | go run ./birnnlib/examples/cmd/segment
//	go run ./birnnlib/examples/cmd/segment -test
//	go run ./birnnlib/examples/cmd/segment -serve :8080
//
// With -train it learns a segmented corpus, by default the People's Daily of January 1998, which it fetches. Standard
// output then has one line with backend and device, and a line for each epoch: the loss, and precision, recall and F1 of
// the words on every tenth line of the corpus, from which it does not learn. With -test it tests the model on these lines
// again. Otherwise it reads text from standard input and writes the same text with spaces between the words, line by line;
// white space stays as it is. Progress and notes go to standard error.
//
// With -serve it answers the HTTP requests that [segment.Shared.Handler] documents, until Ctrl-C or SIGTERM; then it finishes
// those that are running. As soon as the graphs are compiled, standard output has a line with backend and device, and one
// with the URL.
//
// The model is kept in the directory that -model names. Ctrl-C stops a training after the running mini-batch and saves
// what was learned; the same command goes on from there. A second Ctrl-C stops at once. The exit code is 0 for a complete
// run, 1 for a failed one, 2 for wrong use and 130 after Ctrl-C.
package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"birnn/birnnlib/backend"
	"birnn/birnnlib/examples/cmd/internal/session"
	"birnn/birnnlib/examples/segment"
	"birnn/birnnlib/examples/tag"
	"birnn/birnnlib/examples/text"
	"birnn/birnnlib/examples/training"
	"birnn/internal/cli"
)

func main() { cli.Main("segment", run) }

// options are the flags.
type options struct {
	config    segment.Config
	train     bool
	test      bool
	serve     string
	corpus    string
	model     string
	separator string
	backend   string
	saveEvery time.Duration
}

// forTraining are the flags that need -train.
var forTraining = []string{"hidden", "embedding", "bigrams", "min-bigram", "dropout", "batch", "epochs", "lr", "clip", "seed", "crf", "save-every"}

// parse parses the command line. The settings that it leaves out are those of config.
func parse(args []string, config segment.Config, stdout io.Writer) (*options, error) {
	o := &options{config: config}
	c := &o.config
	f := flag.NewFlagSet("segment", flag.ContinueOnError)
	f.Usage = func() {
		fmt.Fprint(f.Output(), `segment cuts Chinese text into words with a bidirectional recurrent network.

  segment -train          trains the network, in some ten minutes on two cores with XLA
  segment -test           tests it
  segment < text          writes the text with spaces between the words
  segment -serve :8080    does so over HTTP: curl --data-binary @text http://127.0.0.1:8080

Flags:
`)
		f.PrintDefaults()
	}
	f.BoolVar(&o.train, "train", false, "train the network instead of using it; goes on from what is in the directory of the model")
	f.BoolVar(&o.test, "test", false, "test the network on the lines of the corpus from which it did not learn")
	f.StringVar(&o.serve, "serve", "", "answer HTTP requests at this `address`: :8080 for this machine only, 0.0.0.0:8080 for the network; port 0: any that is free")
	f.StringVar(&o.model, "model", "", "the `directory` in which the model is kept (default: birnn/segment in the user's cache directory)")
	f.StringVar(&o.separator, "separator", " ", "what to write between two words, a `text`")
	f.StringVar(&o.backend, "backend", "", "`backend`: go, xla:cpu or xla:cuda (default: GOMLX_BACKEND if set, else the fastest available)")
	f.StringVar(&o.corpus, "corpus", "", "with -train or -test: a UTF-8 `file`, or - for standard input, with a paragraph a line and spaces between the words, as in 新年 讲话 or 新年/t 讲话/n (default: the People's Daily of January 1998, for research use, which pip fetches)")
	f.Func("hidden", "with -train: hidden `sizes`: 128 a direction, 256+0 forward only, 128,64 for two layers (default "+training.FormatSizes(c.Hidden)+")", func(s string) (err error) {
		c.Hidden, err = training.ParseSizes(s)
		return err
	})
	f.IntVar(&c.Embedding, "embedding", c.Embedding, "with -train: `entries` of the embedding of a character")
	f.IntVar(&c.Bigrams, "bigrams", c.Bigrams, "with -train: `entries` of the embedding of a pair of characters; 0: no pairs")
	f.IntVar(&c.MinBigram, "min-bigram", c.MinBigram, "with -train: learn pairs that occur at least `N` times")
	f.Float64Var(&c.Dropout, "dropout", c.Dropout, "with -train: `part` of the inputs and outputs that is dropped")
	f.IntVar(&c.Batch, "batch", c.Batch, "with -train: `characters` in a mini-batch")
	f.IntVar(&c.Epochs, "epochs", c.Epochs, "with -train: train for `N` epochs, along which the learning rate falls to zero")
	f.Float64Var(&c.LearningRate, "lr", c.LearningRate, "with -train: the learning `rate` at first")
	f.Float64Var(&c.Clip, "clip", c.Clip, "with -train: clip the gradient to this global `norm`")
	f.Uint64Var(&c.Seed, "seed", c.Seed, "with -train: `seed` of the weights, of the order and of what is dropped")
	f.BoolVar(&c.CRF, "crf", c.CRF, "with -train: predict the tags of a sentence together, by a conditional random field")
	f.DurationVar(&o.saveEvery, "save-every", 2*time.Minute, "with -train: save after this `time`, and at the end of each epoch; 0 after every mini-batch")
	if err := cli.Parse(f, args, stdout); err != nil {
		return nil, err
	}
	wrong := func(format string, args ...any) (*options, error) { return nil, cli.Usage(format, args...) }
	var without []string // flags that need -train or -test
	f.Visit(func(f *flag.Flag) {
		switch {
		case slices.Contains(forTraining, f.Name) && !o.train:
			without = append(without, fmt.Sprintf("-%s needs -train", f.Name))
		case f.Name == "corpus" && !o.train && !o.test:
			without = append(without, "-corpus needs -train or -test")
		}
	})
	switch {
	case f.NArg() > 0:
		return wrong("unexpected argument %q; the text comes from standard input, and every option starts with a dash", f.Arg(0))
	case o.train && o.test:
		return wrong("both -train and -test are given; choose one")
	case o.serve != "" && (o.train || o.test):
		return wrong("-serve is given with -train or -test; choose one")
	case len(without) > 0:
		return wrong("%s", without[0])
	}
	if o.serve != "" {
		host, port, err := net.SplitHostPort(o.serve)
		if err != nil {
			return wrong("-serve: %w; give a port, as in :8080, or a host and a port", err)
		}
		o.serve = net.JoinHostPort(cmp.Or(host, "127.0.0.1"), port)
	}
	for _, err := range []error{c.Check(), backend.Check(o.backend)} {
		if err != nil {
			return wrong("%s", strings.TrimPrefix(err.Error(), "tag: "))
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

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (err error) {
	o, err := parse(args, segment.Full(), stdout)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	noModel := fmt.Errorf("no model in %s; train one with segment -train -model %s", o.model, o.model)
	if _, err := os.Stat(o.model); err != nil && !o.train {
		return noModel
	}
	var listener net.Listener
	if o.serve != "" {
		if listener, err = net.Listen("tcp", o.serve); err != nil {
			return err
		}
		defer listener.Close()
	}
	var learn, test []segment.Line
	if o.train || o.test {
		lines, err := cli.Await(ctx, func() ([]segment.Line, error) { return o.readCorpus(ctx, stdin, stderr) }) // a FIFO blocks
		if err != nil {
			return err
		}
		if learn, test = segment.Split(lines); len(test) == 0 && o.test {
			return fmt.Errorf("the corpus %s has %d lines; every tenth is for the test, so give at least 10", o.corpusName(), len(lines))
		}
	}
	checkpoints, err := tag.OpenCheckpoints(o.model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, checkpoints.Close()) }()
	saved, damaged, err := segment.ReadSaved(checkpoints)
	for _, d := range damaged {
		note("%v; using the one before", d)
	}
	switch {
	case errors.Is(err, tag.ErrNoCheckpoint) && !o.train:
		return noModel
	case err != nil && !errors.Is(err, tag.ErrNoCheckpoint):
		return err
	case saved != nil && o.train:
		again, err := parse(args, saved.Config(), io.Discard)
		if err != nil {
			return err
		}
		if err := session.Adopt(again.config, saved.Config(), o.model, "leave those flags out, or name another directory with -model"); err != nil {
			return err
		}
		if err := saved.LearnedFrom(learn); err != nil {
			return fmt.Errorf("the corpus %s: %w", o.corpusName(), err)
		}
		o.config = saved.Config()
	}

	b, err := backend.Open(ctx, backend.Options{Ask: o.backend, Install: true, Progress: stderr})
	if err != nil {
		return err
	}
	s := &session.Session{Epochs: o.config.Epochs, Every: o.saveEvery, EachEpoch: true, Stderr: stderr}
	defer func() {
		if !s.Abandoned() && (o.train || ctx.Err() == nil) { // else it may still be computing
			b.Backend.Finalize()
		}
	}()
	var m *segment.Model
	if saved != nil {
		m, err = saved.Model(b.Backend)
	} else if m, err = segment.New(b.Backend, learn, o.config); err != nil {
		err = fmt.Errorf("with the corpus %s: %w", o.corpusName(), err)
	}
	if err != nil {
		return err
	}
	if !o.train {
		if err := checkpoints.Close(); err != nil { // others may use the model meanwhile
			return err
		}
		if listener != nil {
			return o.answer(ctx, m, b, listener, stdout, stderr)
		}
		use := func() (any, error) { return nil, filter(ctx, m, stdin, stdout, o.separator) }
		if o.test {
			use = func() (any, error) { return nil, o.score(ctx, m, b, test, stdout) }
		}
		_, err := cli.Await(ctx, use) // nothing can be lost, so that an interruption need not wait for a compilation
		return err
	}
	fmt.Fprintln(stdout, b)
	if saved != nil {
		p := m.Tagger().Position()
		note("going on from %s: %d epochs and %d mini-batches are done", o.model, p.Epoch, p.Batch)
	}
	s.Train = func(ctx context.Context, callbacks training.Callbacks) error { return m.Train(ctx, learn, callbacks) }
	s.Save = func() error { return checkpoints.Save(m.Tagger()) }
	s.Rescue = func() (string, error) { return "repeat the command", s.Save() }
	s.Report = func(ctx context.Context, e training.Epoch) error {
		score, err := m.Test(ctx, test)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(stdout, "epoch %d, loss %f, %s, time %.2f sec\n", e.Number, e.Loss, score, e.Time.Seconds())
		return err
	}
	if err := s.Run(ctx); err != nil {
		return session.Diverged(err, o.model, "-lr and -clip set them")
	}
	note("the model is in %s; to use it: segment -model %s < text; to test it: segment -test -model %s", o.model, o.model, o.model)
	return nil
}

// score writes how many words of the test the model finds.
func (o *options) score(ctx context.Context, m *segment.Model, b *backend.Opened, test []segment.Line, stdout io.Writer) error {
	score, err := m.Test(ctx, test)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%v\n%v\n", b, score)
	return err
}

// answer serves HTTP until ctx is cancelled, and finishes the requests that are running then.
func (o *options) answer(ctx context.Context, m *segment.Model, b *backend.Opened, listener net.Listener, stdout, stderr io.Writer) error {
	shared, err := cli.Await(ctx, func() (*segment.Shared, error) { return m.Share(ctx) }) // a compilation cannot be cancelled
	if err != nil {
		return err
	}
	defer shared.Close()
	server := &http.Server{
		Handler:           shared.Handler(o.separator),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		WriteTimeout:      5 * time.Minute, // from the header of the request on
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          log.New(stderr, "segment: ", 0),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	if _, err := fmt.Fprintf(stdout, "%v\nhttp://%s/\n", b, listener.Addr()); err != nil {
		return errors.Join(err, server.Close())
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	finish, cancel := context.WithTimeout(context.WithoutCancel(ctx), finishing)
	defer cancel()
	if err := server.Shutdown(finish); err != nil {
		return errors.Join(ctx.Err(), fmt.Errorf("requests that took more than %v were cut off: %w", finishing, err), server.Close())
	}
	return ctx.Err()
}

// finishing is how long the running requests may take after an interruption.
const finishing = 30 * time.Second

// corpusName names the corpus in errors.
func (o *options) corpusName() string {
	switch o.corpus {
	case "":
		return "People's Daily"
	case "-":
		return "standard input"
	}
	return o.corpus
}

// readCorpus reads what -corpus names, or fetches the People's Daily.
func (o *options) readCorpus(ctx context.Context, stdin io.Reader, progress io.Writer) ([]segment.Line, error) {
	path := o.corpus
	switch path {
	case "-":
		return segment.ReadFrom(stdin, o.corpusName())
	case "":
		if _, err := segment.DefaultPeoplesDailyPath(); err != nil {
			return nil, cli.Usage("%w, or name another corpus with -corpus", err)
		}
		var err error
		if path, err = segment.FetchPeoplesDaily(ctx, "", segment.FetchOptions{Progress: progress}); err != nil {
			return nil, err
		}
	}
	return segment.Read(path)
}

// filter writes what it reads with the separator between the words, line by line, as soon as no more lines are waiting.
func filter(ctx context.Context, m *segment.Model, r io.Reader, w io.Writer, separator string) error {
	const most = 64 // lines that are segmented together
	in, out := bufio.NewReader(r), bufio.NewWriter(w)
	var waiting []string
	flush := func() error {
		separated, err := m.Separate(ctx, separator, waiting...)
		if err != nil {
			return err
		}
		for _, line := range separated {
			if _, err := out.WriteString(line); err != nil {
				return err
			}
		}
		waiting = waiting[:0]
		return out.Flush()
	}
	for number := 1; ; number++ {
		line, err := in.ReadString('\n')
		if err != nil && err != io.EOF {
			return err
		}
		if invalid := text.CheckUTF8(line); invalid != nil {
			return errors.Join(flush(), fmt.Errorf("line %d of standard input is %w", number, invalid))
		}
		if line != "" {
			waiting = append(waiting, line)
		}
		if err == io.EOF || len(waiting) == most || in.Buffered() == 0 {
			if err := flush(); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
	}
}
