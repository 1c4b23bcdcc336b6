// Command latency measures how long cells take on this project's kernels and on bare GoNB, and prints a table with
// ratios.
//
//	go run ./kernels/latency
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"birnn/kernels/internal/home"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/wire"
)

// cells are the cells that are timed; %d makes each run a new program.
var cells = []struct{ name, code string }{
	{"trivial", "%%%%\nfmt.Println(%d)"},
	{"GoMLX, pure Go", "import (\n\t_ \"github.com/gomlx/compute/gobackend\"\n\t\"github.com/gomlx/compute\"\n\t\"github.com/gomlx/gomlx/core/graph\"\n)\n%%%%\nb, err := compute.NewWithConfig(\"go\")\nif err != nil { panic(err) }\nx, err := graph.CallOnce(b, func(x *graph.Node) *graph.Node { return graph.Sin(x) }, []float32{%d})\nfmt.Println(x, err)"},
	{"GoMLX, XLA", "import (\n\t\"birnn/birnnlib/backend\"\n\t\"github.com/gomlx/gomlx/core/graph\"\n)\n%%%%\nb, err := backend.Open(context.Background(), backend.Options{})\nif err != nil { panic(err) }\nx, err := graph.CallOnce(b.Backend, func(x *graph.Node) *graph.Node { return graph.Sin(x) }, []float32{%d})\nfmt.Println(x, err)"},
	{"training, plotting", "import (\n\t\"birnn/birnnlib/backend\"\n\t\"birnn/birnnlib/examples/charlm\"\n\t\"birnn/notebooks/kit/figure\"\n\t\"birnn/birnnlib/examples/text\"\n)\n%%%%\nb, err := backend.Open(context.Background(), backend.Options{})\nif err != nil { panic(err) }\nm, err := charlm.New(b.Backend, text.Corpus(2000), charlm.Post())\nvar c figure.Curves\nfmt.Println(m != nil, err, c.Title, %d)"},
}

// kernel is a kernel under measurement.
type kernel struct {
	name string
	argv []string
	env  []string

	ready   time.Duration
	times   map[string][]float64 // seconds by the cell's name; the first one is that of a freshly started kernel
	process *wire.Process
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, log io.Writer) error {
	flags := flag.NewFlagSet("latency", flag.ContinueOnError)
	rounds := flags.Int("rounds", 5, "`number` of times that each cell runs after the first")
	cold := flags.Bool("cold", false, "also measure the first cells with an empty build cache, which takes minutes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	h, err := home.Locate("")
	if err != nil {
		return err
	}
	co, err := home.FindCheckout(ctx)
	if err != nil {
		return err
	}
	kernels, err := contenders(h, co.Root)
	if err != nil {
		return err
	}
	if err := measure(ctx, kernels, *rounds, log); err != nil {
		return err
	}
	report(out, "warm build cache", kernels, *rounds)
	if *cold {
		cache, err := os.MkdirTemp("", "birnn-cold-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(cache)
		for i, k := range kernels {
			k.env = append(k.env, "GOCACHE="+filepath.Join(cache, fmt.Sprint(i)))
			if err := measure(ctx, []*kernel{k}, 0, log); err != nil {
				return err
			}
		}
		report(out, "empty build cache", kernels, 0)
	}
	return nil
}

// contenders returns bare GoNB, bare GoNB with this project's flags, and this project's kernels.
func contenders(h home.Home, root string) ([]*kernel, error) {
	var kernels []*kernel
	for _, name := range []string{kernelspec.XLA, kernelspec.Go} {
		spec, err := kernelspec.Read(filepath.Join(h.Jupyter(), "kernels"), name)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if filepath.Base(spec.JSON.Argv[0]) == "gonb" {
			return nil, errors.New("the kernels were installed with -plain, without the front: run \"go run ./kernels install\"")
		}
		bare := []string{filepath.Join(h.Bin(), "gonb"), "--kernel", "{connection_file}", "-go_work=" + root}
		if name == kernelspec.XLA {
			kernels = append(kernels, &kernel{name: "bare GoNB", argv: bare, env: append(spec.Environ(), "GOPROXY=off", "GOFLAGS=")},
				&kernel{name: "bare GoNB, our flags", argv: bare, env: append(spec.Environ(), "GOPROXY=off")})
		}
		kernels = append(kernels, &kernel{name: name, argv: spec.JSON.Argv, env: spec.Environ()})
	}
	if len(kernels) < 3 {
		return nil, errors.New("kernel birnn-xla is not installed: run \"go run ./kernels install\"")
	}
	return kernels, nil
}

// measure starts the kernels and runs every cell on each of them in turn.
func measure(ctx context.Context, kernels []*kernel, rounds int, log io.Writer) error {
	defer func() {
		for _, k := range kernels {
			if k.process != nil {
				k.process.Stop()
			}
		}
	}()
	for _, k := range kernels {
		k.times = map[string][]float64{}
		if err := k.start(ctx); err != nil {
			return fmt.Errorf("%s: %w", k.name, err)
		}
	}
	n := int(time.Now().Unix())
	for round := range rounds + 1 {
		for _, c := range cells {
			for _, k := range kernels {
				n++
				if err := k.run(c.name, fmt.Sprintf(c.code, n)); err != nil {
					return fmt.Errorf("%s, %s: %w", k.name, c.name, err)
				}
				if ctx.Err() != nil {
					return ctx.Err()
				}
			}
		}
		fmt.Fprintf(log, "round %d of %d\n", round+1, rounds+1)
	}
	return nil
}

// start starts the kernel and waits until it answers.
func (k *kernel) start(ctx context.Context) (err error) {
	began := time.Now()
	k.process, err = wire.Start(ctx, k.argv, "", k.env...)
	k.ready = time.Since(began)
	return err
}

// run times a cell.
func (k *kernel) run(name, code string) error {
	began := time.Now()
	reply, err := k.process.Execute(code, false, nil)
	if err != nil {
		return err
	}
	took := time.Since(began)
	var content struct {
		Status string `json:"status"`
		Value  string `json:"evalue"`
	}
	if err := reply.Read(&content); err != nil {
		return err
	}
	if content.Status != "ok" {
		return fmt.Errorf("the cell failed: %s", content.Value)
	}
	k.times[name] = append(k.times[name], took.Seconds())
	return nil
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return (sorted[(len(sorted)-1)/2] + sorted[len(sorted)/2]) / 2
}

// report prints a table of seconds, with the ratio to bare GoNB in the same rounds in parentheses.
func report(out io.Writer, title string, kernels []*kernel, rounds int) {
	fmt.Fprintf(out, "## Seconds a cell, %s\n\n| |", title)
	for _, k := range kernels {
		fmt.Fprintf(out, " %s |", k.name)
	}
	fmt.Fprint(out, "\n| --- |"+strings.Repeat(" ---: |", len(kernels))+"\n| ready |")
	for _, k := range kernels {
		fmt.Fprintf(out, " %.2f |", k.ready.Seconds())
	}
	for _, c := range cells {
		for _, later := range []bool{false, true}[:cmp.Compare(rounds, 0)+1] {
			fmt.Fprintf(out, "\n| %s, %s |", c.name, map[bool]string{false: "first", true: "later"}[later])
			bare := part(kernels[0].times[c.name], later)
			for i, k := range kernels {
				times := part(k.times[c.name], later)
				fmt.Fprintf(out, " %.2f", median(times))
				if i > 0 {
					var ratios []float64
					for j := range times {
						ratios = append(ratios, times[j]/bare[j])
					}
					fmt.Fprintf(out, " (× %.2f)", median(ratios))
				}
				fmt.Fprint(out, " |")
			}
		}
	}
	fmt.Fprint(out, "\n\n")
}

// part returns the time of the first run, or those of the later ones.
func part(times []float64, later bool) []float64 {
	if later {
		return times[1:]
	}
	return times[:1]
}
