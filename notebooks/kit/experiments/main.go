// Command experiments trains the networks that lessons 1, 3, 8 and 10 compare and do not have the time to train, and writes
// what came of them to the file that the lesson reads:
//
//	go run ./notebooks/kit/experiments -lesson 1 -o notebooks/01-experiments.json
//	go run ./notebooks/kit/experiments -lesson 3 -o notebooks/03-experiments.json
//	go run ./notebooks/kit/experiments -lesson 8 -o notebooks/08-experiments.json
//	go run ./notebooks/kit/experiments -lesson 10 -o notebooks/10-experiments.json
//
// Each takes some minutes on XLA, and lesson 8 half an hour. The file is replaced at the end: Ctrl-C leaves it as it was.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strconv"
	"time"

	"birnn/birnnlib/backend"
	"birnn/internal/atomicfile"
	"birnn/internal/cli"
	"birnn/internal/processor"
	"birnn/internal/progress"

	"github.com/gomlx/compute"
)

// An experiment is a training: its settings, and what came of it.
type experiment struct {
	settings
	result
}

// settings determine a training, except for rounding.
type settings struct {
	Name             string  `json:"name"` // the same for all that are compared
	Layer            string  `json:"layer,omitempty"`
	Hidden           string  `json:"hidden"`               // sizes, as training.FormatSizes writes them
	Activation       string  `json:"activation,omitempty"` // φ
	Initial          string  `json:"initial"`              // the distribution of the initial weights
	Delay            int     `json:"delay,omitempty"`
	AsPosted         bool    `json:"as_posted,omitempty"`
	Residual         bool    `json:"residual,omitempty"`
	Dropout          float64 `json:"dropout,omitempty"`
	RecurrentDropout float64 `json:"recurrent_dropout,omitempty"`
	Rows             int     `json:"rows,omitempty"` // to train on; 0: new ones at every step
	LearningRate     float64 `json:"learning_rate"`
	Clip             float64 `json:"clip"`
	Epochs           int     `json:"epochs,omitempty"`
	Steps            int     `json:"steps,omitempty"`
	Seed             uint64  `json:"seed"`
}

func (s settings) String() string {
	title := fmt.Sprintf("%s: %s, %s, %s", s.Name, s.Hidden, cmp.Or(s.Layer, s.Activation), s.Initial)
	if s.Layer != "" {
		title += fmt.Sprintf(", delay %d", s.Delay)
	}
	if s.Residual {
		title += ", residual"
	}
	if s.Dropout+s.RecurrentDropout > 0 {
		title += fmt.Sprintf(", dropout %g / %g", s.Dropout, s.RecurrentDropout)
	}
	if s.Rows > 0 {
		title += fmt.Sprintf(", %d rows", s.Rows)
	}
	return title + fmt.Sprintf(", seed %d", s.Seed)
}

// A result is what the lessons quote. Lesson 1 measures perplexities, lessons 3 and 10 losses, and lesson 8 on lines that
// the network has not seen: the part of the hidden characters that it guesses, and the F1 of the words that it finds.
type result struct {
	Parameters int       `json:"parameters"`
	First      float64   `json:"first,omitempty"`      // perplexity of epoch 1
	Perplexity []float64 `json:"perplexity,omitempty"` // of epochs 10, 20, …
	Training   float64   `json:"training,omitempty"`   // the loss on what was trained on
	Test       float64   `json:"test,omitempty"`       // the loss on new rows
	F1         float64   `json:"f1,omitempty"`         // of the words
	Accuracy   float64   `json:"accuracy,omitempty"`

	Development []float64 `json:"development,omitempty"` // F1 on the lines for development after each epoch
	Alone       float64   `json:"alone,omitempty"`       // F1 on the lines for the test, every character by itself
	Together    float64   `json:"together,omitempty"`    // the same, all together
}

func (r result) String() string {
	s := fmt.Sprintf("%d parameters", r.Parameters)
	for _, of := range []struct {
		name   string
		values []float64
	}{{"perplexity", r.Perplexity}, {"training", []float64{r.Training}}, {"test", []float64{r.Test}},
		{"F1", []float64{r.F1}}, {"accuracy", []float64{r.Accuracy}}, {"development", r.Development}, {"alone", []float64{r.Alone}}, {"together", []float64{r.Together}}} {
		if len(of.values) > 0 && of.values[0] != 0 {
			s += fmt.Sprintf(", %s %.4g", of.name, of.values)
		}
	}
	return s
}

// A lesson lists its experiments, without results, and makes one.
type lesson struct {
	plan func() ([]settings, error)
	make func(ctx context.Context, b compute.Backend, s settings) (result, error)
}

var lessons = map[int]lesson{1: {plan1, make1}, 3: {plan3, make3}, 8: {plan8, make8}, 10: {plan10, make10}}

// A record is the file of a lesson.
type record struct {
	Command     string       `json:"command"`
	Date        string       `json:"date"`
	Backend     string       `json:"backend"`
	CPU         string       `json:"cpu"`
	Experiments []experiment `json:"experiments"`
}

// command is what makes the file of a lesson.
func command(number int, path string) string {
	return fmt.Sprintf("go run ./notebooks/kit/experiments -lesson %d -o %s", number, path)
}

// encode returns the record as JSON with a line for each experiment.
func (r record) encode() ([]byte, error) {
	var lines [][]byte
	for _, e := range r.Experiments {
		line, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		lines = append(lines, line)
	}
	r.Experiments = nil
	head, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return nil, err
	}
	head = bytes.TrimSuffix(head, []byte("null\n}"))
	return fmt.Appendf(head, "[\n  %s\n ]\n}\n", bytes.Join(lines, []byte(",\n  "))), nil
}

func main() {
	cli.Main("experiments", func(ctx context.Context, args []string, _ io.Reader, _, stderr io.Writer) error {
		return run(ctx, args, stderr)
	})
}

func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("experiments", flag.ContinueOnError)
	flags.SetOutput(log)
	number := flags.Int("lesson", 0, "the `lesson`: 1, 3, 8 or 10")
	path := flags.String("o", "", "the `file` to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	l, ok := lessons[*number]
	switch {
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case !ok:
		return fmt.Errorf("lesson %d has no experiments; give -lesson 1, 3, 8 or 10", *number)
	case *path == "":
		return errors.New("no file to write; give -o")
	}
	plan, err := l.plan()
	if err != nil {
		return err
	}
	b, err := backend.Open(ctx, backend.Options{})
	if err != nil {
		return err
	}
	r := record{Command: command(*number, *path), Date: time.Now().Format(time.DateOnly), Backend: b.Config, CPU: cpu()}
	console := progress.NewConsole(log)
	for i, s := range plan {
		step := console.Step(fmt.Sprintf("%d/%d %s", i+1, len(plan), s))
		made, err := cli.Await(ctx, func() (result, error) { return l.make(ctx, b.Backend, s) })
		if err != nil {
			step.Fail()
			return fmt.Errorf("%s: %w", s, err)
		}
		step.Done()
		console.Printf("  %s", made)
		r.Experiments = append(r.Experiments, experiment{s, made})
	}
	data, err := r.encode()
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(*path, data, 0o644)
}

// cpu returns how many CPUs of which make there are.
func cpu() string {
	return fmt.Sprintf("%d × %s", runtime.NumCPU(), cmp.Or(processor.Model(), runtime.GOARCH))
}

// short rounds to six digits.
func short(x float64) float64 { return digits(x, 6) }

// digits rounds to n digits.
func digits(x float64, n int) float64 {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', n, 64), 64)
	return x
}
