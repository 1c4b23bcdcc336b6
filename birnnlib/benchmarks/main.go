// Command benchmarks times this library's backends, PyTorch, JAX, Flax NNX and GoMLX's own LSTM on the same work, in one
// run: the training step of lesson 1's network, that of bidirectional LSTMs, GRUs and other cells, and inference.
//
//	go run ./birnnlib/benchmarks -install
//	go run ./birnnlib/benchmarks
//
// Every contender is a separate process that computes when it is told to. They take turns, one at a time, round after
// round, so that a machine that grows slower for a while does so for all. Standard output has the tables and what to read
// in them, in Markdown; progress goes to standard error. See README.md in this folder.
//
// The exit code is 0 for a complete run, 1 for a failed one, 2 for wrong use and 130 after Ctrl-C.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"runtime"

	"birnn/internal/cli"
)

func main() { cli.Main("benchmarks", run) }

// options are the flags.
type options struct {
	rounds     int
	threads    int
	workloads  string
	contenders string
	json       string
	svg        string
	python     string
	install    bool
}

func parse(args []string, stdout io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("benchmarks", flag.ContinueOnError)
	f.Usage = func() { usage(f.Output(), f) }
	f.IntVar(&o.rounds, "rounds", 0, fmt.Sprintf("time `N` rounds of each workload (default: as many as fit into %.0f s, but %d to %d)", budget.Seconds(), fewRounds, manyRounds))
	f.IntVar(&o.threads, "threads", runtime.NumCPU(), "give every contender `N` CPUs (fewer than all: on Linux only)")
	f.StringVar(&o.workloads, "workloads", "", "the `keys` of what to compute, separated by commas (default: all)")
	f.StringVar(&o.contenders, "contenders", "", "the `keys` of those to run, separated by commas; ratios are to the first (default: those marked with *)")
	f.StringVar(&o.json, "json", "", "write every single measurement to this `file` as well")
	f.StringVar(&o.svg, "svg", "", "draw the times in this `file` as well")
	f.StringVar(&o.python, "python", "", "the Python `interpreter` that has PyTorch, JAX and Flax (default: the one that -install made); with -install, the one to make it with")
	f.BoolVar(&o.install, "install", false, "install PyTorch, JAX and Flax, as pinned, into a virtual environment for the benchmarks, and stop (some 6 GB on Linux)")
	if err := cli.Parse(f, args, stdout); err != nil {
		return nil, err
	}
	wrong := func(format string, args ...any) (*options, error) { return nil, cli.Usage(format, args...) }
	switch {
	case f.NArg() > 0:
		return wrong("unexpected argument %q; every option starts with a dash", f.Arg(0))
	case o.rounds < 0:
		return wrong("-rounds is %d; it must be at least 1, or left out", o.rounds)
	case o.threads < 1 || o.threads > runtime.NumCPU():
		return wrong("-threads is %d; this process may use 1 to %d CPUs", o.threads, runtime.NumCPU())
	}
	return o, nil
}

func usage(w io.Writer, f *flag.FlagSet) {
	fmt.Fprint(w, "benchmarks times this library's backends, PyTorch, JAX, Flax NNX and GoMLX's own LSTM on the same work.\n\nWorkloads and their contenders:\n")
	for _, workload := range allWorkloads() {
		fmt.Fprintf(w, "  %-11s %s\n  %-11s", workload.key, workload.title, "")
		for _, c := range workload.field {
			mark := "*"
			if c.optional {
				mark = ""
			}
			fmt.Fprintf(w, " %s%s", c.key, mark)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\nFlags:\n")
	f.PrintDefaults()
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == workerCommand {
		return work(ctx, args[1:], stdin, stdout)
	}
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	note := func(format string, args ...any) { fmt.Fprintf(stderr, format+"\n", args...) }
	if o.install {
		python, err := installPeers(ctx, o.python, stderr)
		if err == nil {
			note("PyTorch, JAX and Flax are installed; %s has them", python)
		}
		return err
	}
	report, err := measure(ctx, o, note)
	if err != nil {
		return err
	}
	if o.json != "" {
		if err := writeJSON(o.json, report); err != nil {
			return err
		}
	}
	if o.svg != "" {
		if err := report.draw(o.svg); err != nil {
			return err
		}
	}
	return report.print(stdout)
}
