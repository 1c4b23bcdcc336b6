// Package setup installs everything that the lessons need, in steps that are
// done once: a step is skipped while its stamp, a hash of all that decides how
// it turns out, is the one in the manifest and what it made is still there.
package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"birnn/birnnlib/backend/plugin"
	"birnn/internal/simd"
	"birnn/kernels/internal/checkout"
	"birnn/kernels/internal/console"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/jupyter"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/pins"
	"birnn/kernels/internal/process"
)

// Command is how our commands are called, in messages.
const Command = "go run ./kernels"

// Options say what to install, and how.
type Options struct {
	Home          home.Home
	Python        string        // interpreter to make the environment from; "": found on the PATH
	Jupyter       string        // an existing Jupyter to use instead of an environment of our own
	PluginSource  plugin.Source // where the CPU plugin comes from
	ReplacePlugin bool          // install it again
	NoXLA         bool          // fetch no plugin; the pure-Go kernel is all that is needed
	NoCUDA        bool          // leave CUDA out even where there is a GPU
	Plain         *bool         // whether the kernels are GoNB alone, without the front; nil leaves them as they are
	User          bool          // kernelspecs for every Jupyter of the user too
	TryAgain      bool          // look again whether pure Go can have SIMD instructions that it goes without
}

// Step is a part of the installation.
type Step struct {
	Name     string // in the manifest and of its log
	Title    string // what it does, for people
	Remedy   string // what to do when it fails, unless the network did
	Optional bool   // the rest is of use without it

	Tool    *pins.Tool // what it builds, if that is a pinned program
	Program string     // where it puts that

	stamp   string
	present func() bool // whether what it made is there
	run     func(ctx context.Context, log io.Writer) error
	silent  bool // shows its own progress
}

// Plan is the steps of an installation and what they work on.
type Plan struct {
	Options  Options
	Checkout checkout.Checkout
	Manifest *home.Manifest
	Steps    []*Step

	out io.Writer // for a step that shows its own progress
}

// Done reports whether a step need not be done.
func (p *Plan) Done(s *Step) bool { return p.Manifest.Steps[s.Name] == s.stamp && s.present() }

// Problem is a step that failed without stopping the installation.
type Problem struct {
	Step *Step
	Err  error
}

func (p Problem) Error() string { return p.Err.Error() }

// NewPlan returns the plan for what is to be installed. It changes nothing.
func NewPlan(co checkout.Checkout, m *home.Manifest, opts Options) *Plan {
	p := &Plan{Options: opts, Checkout: co, Manifest: m, out: io.Discard}
	p.Steps = append(p.Steps, p.simd())
	if opts.Jupyter == "" {
		p.Steps = append(p.Steps, p.python())
	}
	for _, e := range p.environments() {
		p.Steps = append(p.Steps, p.tools(e)...)
		if !m.Plain {
			p.Steps = append(p.Steps, p.kernel(e))
		}
	}
	if co.Go.XLA() == nil && !opts.NoXLA {
		p.Steps = append(p.Steps, p.cpuPlugin())
		if !opts.NoCUDA && co.Go.GOOS == "linux" && co.Go.GOARCH == "amd64" && plugin.HasNVIDIA() {
			p.Steps = append(p.Steps, p.cudaPlugin())
		}
	}
	return p
}

// Ensure does every step that is not done yet. It returns the kernels that are
// installed and the problems that leave something out; the error is one that
// leaves nothing of use.
func Ensure(ctx context.Context, opts Options, c *console.Console) (*Installed, []Problem, error) {
	co, err := checkout.Find(ctx)
	if err != nil {
		return nil, nil, err
	}
	m, unlock, err := opts.Home.Open(ctx, func() { c.Printf("waiting for another install into %s", opts.Home.Dir) })
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	defer os.RemoveAll(opts.Home.Temp())

	if opts.Plain != nil {
		m.Plain = *opts.Plain
	}
	p := NewPlan(co, m, opts)
	p.out = c.Writer()
	var problems []Problem
	changed := false
	do := func(steps []*Step) error {
		for _, s := range steps {
			did, err := p.do(ctx, s, c)
			changed = changed || did
			if err == nil {
				continue
			}
			if !s.Optional || ctx.Err() != nil {
				return err
			}
			problems = append(problems, Problem{s, err})
		}
		return nil
	}
	// The first step decides which others there are.
	if err := do(p.Steps[:1]); err != nil {
		return nil, problems, err
	}
	p = NewPlan(co, m, opts)
	p.out = c.Writer()
	if err := do(p.Steps[1:]); err != nil {
		return nil, problems, err
	}
	// Which kernels there are depends on which plugins there are now.
	specs, err := p.Specs()
	if err != nil {
		return nil, problems, err
	}
	if err := do(append([]*Step{p.Kernels(specs)}, p.warm(specs)...)); err != nil {
		return nil, problems, err
	}
	if m.Checkout != co.Root {
		m.Checkout = co.Root
		changed = true
	}
	if changed {
		if err := p.removeOldPrograms(); err != nil {
			return nil, problems, err
		}
		if err := m.ListFiles(); err != nil {
			return nil, problems, err
		}
	}
	installed := &Installed{Specs: specs, Checkout: co, SIMD: *m.SIMD}
	if opts.Jupyter == "" {
		installed.Jupyter = jupyter.Private(opts.Home, m.Python)
	} else if installed.Jupyter, err = jupyter.Existing(ctx, opts.Home, opts.Jupyter); err != nil {
		return nil, problems, err
	}
	return installed, problems, nil
}

// Installed is what [Ensure] leaves.
type Installed struct {
	Jupyter  jupyter.Jupyter
	Specs    []kernelspec.Spec
	Checkout checkout.Checkout
	SIMD     simd.Toolchain
}

// Has reports whether one of our kernels is installed.
func (i *Installed) Has(name string) bool {
	for _, s := range i.Specs {
		if s.Name == name {
			return true
		}
	}
	return false
}

// do does a step unless it is done, and notes that it is.
func (p *Plan) do(ctx context.Context, s *Step, c *console.Console) (did bool, err error) {
	if p.Done(s) {
		return false, nil
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	// From here on until it succeeds, the step counts as not done.
	if _, ok := p.Manifest.Steps[s.Name]; ok {
		delete(p.Manifest.Steps, s.Name)
		if err := p.Manifest.Save(); err != nil {
			return false, err
		}
	}
	log, err := p.openLog(s.Name)
	if err != nil {
		return false, err
	}
	defer log.Close()
	begin := c.Step
	if s.silent {
		begin = c.Plain
	}
	shown := begin(s.Title)
	if err := s.run(ctx, log); err != nil {
		shown.Fail()
		fmt.Fprintf(log, "%v\n", err)
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		return true, p.explain(s, err, log.Name())
	}
	shown.Done()
	p.Manifest.Steps[s.Name] = s.stamp
	return true, p.Manifest.Save()
}

func (p *Plan) openLog(name string) (*os.File, error) {
	if err := os.MkdirAll(p.Options.Home.Logs(), 0o755); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(p.Options.Home.Logs(), name+".log"))
}

// explain says which step failed, why, and what to do.
func (p *Plan) explain(s *Step, err error, log string) error {
	remedy := s.Remedy
	if process.IsNetwork(err) {
		remedy = "the network seems to be out of reach; when it is back, or the proxy is set, run the same command again"
	}
	if remedy == "" {
		return fmt.Errorf("%s: %w", s.Title, err)
	}
	return fmt.Errorf("%s: %w\n→ %s\n  (all that the step wrote is in %s)", s.Title, err, remedy, log)
}

// Specs returns the kernels that can work with what is installed now.
func (p *Plan) Specs() ([]kernelspec.Spec, error) {
	config := kernelspec.Config{Checkout: p.Checkout, Bin: p.Options.Home.Bin(), Home: p.Options.Home.Dir, Plain: p.Manifest.Plain}
	if t := p.Manifest.SIMD; t != nil {
		config.SIMD, config.PureBin = *t, p.Options.Home.BinOf(t.Go)
	}
	if p.Checkout.Go.XLA() == nil {
		for _, f := range plugin.Find() {
			switch f.Name {
			case "cpu":
				config.PluginDir = filepath.Dir(f.Path)
			case "cuda":
				if !p.Options.NoCUDA {
					config.CUDADir = filepath.Dir(f.Path)
				}
			}
		}
	}
	return kernelspec.Build(config)
}

// exists reports whether there is something at path, a link's target included.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Why returns why one of our kernels is not among those installed.
func Why(name string, i *Installed, problems []Problem) error {
	for _, problem := range problems {
		if (name == kernelspec.XLA && problem.Step.Name == cpuPluginStep) || (name == kernelspec.CUDA && problem.Step.Name == cudaPluginStep) {
			return errors.New("its plugin could not be installed, see above")
		}
	}
	if err := i.Checkout.Go.XLA(); err != nil {
		return err
	}
	if name == kernelspec.CUDA {
		return errors.New("there is no NVIDIA GPU here, or its plugin is not installed")
	}
	return fmt.Errorf("its plugin was not found; \"%s doctor\" says more", Command)
}

// nonEmptyLines splits a command's output into lines.
func nonEmptyLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
