// Package setup installs everything that the lessons need, step by step, and checks whether it works. A step is skipped if
// its stamp, a hash of everything that its result depends on, equals the one in the manifest and its result still exists.
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
	"birnn/internal/progress"
	"birnn/internal/simd"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/jupyter"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
)

// commandLine is that of this program, for messages.
const commandLine = "go run ./kernels"

// Options select what to install, and how.
type Options struct {
	Home          home.Home
	Python        string        // interpreter for the Python environment; "": the first suitable one on the PATH
	Jupyter       string        // command of an existing Jupyter to use; "": install one
	PluginSource  plugin.Source // source of the CPU plugin
	ReplacePlugin bool          // install the CPU plugin again
	NoXLA         bool          // fetch no plugin; only the pure-Go kernel is needed
	NoCUDA        bool          // omit CUDA even if there is a GPU
	Plain         *bool         // install GoNB alone, without the front; nil: as before
	User          bool          // also install the kernelspecs for every Jupyter of the user
	TryAgain      bool          // check again whether pure Go compiles with SIMD instructions if it did not before
}

// step is one step of an installation.
type step struct {
	name     string // key in the manifest and name of the log
	title    string // shown to the user
	remedy   string // what to do if the step fails, unless the network is down
	optional bool   // the rest is useful without it

	tool    *tool  // program that the step builds, if it is a pinned one
	program string // path of that program

	stamp   string
	present func() bool // reports whether the result exists
	run     func(ctx context.Context, log io.Writer) error
	silent  bool // run shows the progress itself
}

// plan is an installation: its steps and what they work on.
type plan struct {
	options  Options
	checkout home.Checkout
	manifest *home.Manifest
	steps    []*step

	out io.Writer // for steps that show their progress themselves
}

// done reports whether a step is up to date.
func (p *plan) done(s *step) bool { return p.manifest.Steps[s.name] == s.stamp && s.present() }

// Problem is the failure of an optional step.
type Problem struct {
	step *step
	Err  error
}

func (p Problem) Error() string { return p.Err.Error() }

// newPlan returns the plan of an installation. It changes nothing.
func newPlan(co home.Checkout, m *home.Manifest, opts Options) *plan {
	p := &plan{options: opts, checkout: co, manifest: m, out: io.Discard}
	p.steps = append(p.steps, p.simd())
	if opts.Jupyter == "" {
		p.steps = append(p.steps, p.python())
	}
	for _, e := range p.environments() {
		p.steps = append(p.steps, p.tools(e)...)
		if !m.Plain {
			p.steps = append(p.steps, p.kernel(e))
		}
	}
	if co.Go.XLA() == nil && !opts.NoXLA {
		p.steps = append(p.steps, p.cpuPlugin())
		if !opts.NoCUDA && co.Go.GOOS == "linux" && co.Go.GOARCH == "amd64" && plugin.HasNVIDIA() {
			p.steps = append(p.steps, p.cudaPlugin())
		}
	}
	return p
}

// Ensure runs every step that is not up to date. It returns what is installed and the failures of optional steps. The
// error is non-nil if a required step failed.
func Ensure(ctx context.Context, opts Options, c *progress.Console) (*Installed, []Problem, error) {
	co, err := home.FindCheckout(ctx)
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
	p := newPlan(co, m, opts)
	p.out = c.Writer()
	var problems []Problem
	changed := false
	do := func(steps []*step) error {
		for _, s := range steps {
			did, err := p.do(ctx, s, c)
			changed = changed || did
			if err == nil {
				continue
			}
			if !s.optional || ctx.Err() != nil {
				return err
			}
			problems = append(problems, Problem{s, err})
		}
		return nil
	}
	// The other steps depend on the first one.
	if err := do(p.steps[:1]); err != nil {
		return nil, problems, err
	}
	p = newPlan(co, m, opts)
	p.out = c.Writer()
	if err := do(p.steps[1:]); err != nil {
		return nil, problems, err
	}
	// The kernels depend on the plugins that are installed now.
	specs, err := p.specs()
	if err != nil {
		return nil, problems, err
	}
	if err := do(append([]*step{p.kernels(specs)}, p.warm(specs)...)); err != nil {
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

// Installed is the result of [Ensure].
type Installed struct {
	Jupyter  jupyter.Jupyter
	Specs    []kernelspec.Spec
	Checkout home.Checkout
	SIMD     simd.Toolchain
}

// Has reports whether the kernel is installed.
func (i *Installed) Has(name string) bool {
	for _, s := range i.Specs {
		if s.Name == name {
			return true
		}
	}
	return false
}

// do runs a step unless it is up to date, and records it in the manifest.
func (p *plan) do(ctx context.Context, s *step, c *progress.Console) (did bool, err error) {
	if p.done(s) {
		return false, nil
	}
	if err := ctx.Err(); err != nil {
		return false, err
	}
	// Until it succeeds, the step counts as not done.
	if _, ok := p.manifest.Steps[s.name]; ok {
		delete(p.manifest.Steps, s.name)
		if err := p.manifest.Save(); err != nil {
			return false, err
		}
	}
	log, err := p.openLog(s.name)
	if err != nil {
		return false, err
	}
	defer log.Close()
	begin := c.Step
	if s.silent {
		begin = c.Plain
	}
	shown := begin(s.title)
	if err := s.run(ctx, log); err != nil {
		shown.Fail()
		fmt.Fprintf(log, "%v\n", err)
		if ctx.Err() != nil {
			return true, ctx.Err()
		}
		return true, p.explain(s, err, log.Name())
	}
	shown.Done()
	p.manifest.Steps[s.name] = s.stamp
	return true, p.manifest.Save()
}

func (p *plan) openLog(name string) (*os.File, error) {
	if err := os.MkdirAll(p.options.Home.Logs(), 0o755); err != nil {
		return nil, err
	}
	return os.Create(filepath.Join(p.options.Home.Logs(), name+".log"))
}

// explain adds the failed step and its remedy to an error.
func (p *plan) explain(s *step, err error, log string) error {
	remedy := s.remedy
	if process.IsNetwork(err) {
		remedy = "the network seems to be unreachable: check it, and the proxy settings, then run the same command again"
	}
	if remedy == "" {
		return fmt.Errorf("%s: %w", s.title, err)
	}
	return fmt.Errorf("%s: %w\n→ %s\n  (the full log is in %s)", s.title, err, remedy, log)
}

// specs returns the kernels that work with what is installed now.
func (p *plan) specs() ([]kernelspec.Spec, error) {
	config := kernelspec.Config{Checkout: p.checkout, Bin: p.options.Home.Bin(), Home: p.options.Home.Dir, Plain: p.manifest.Plain}
	if t := p.manifest.SIMD; t != nil {
		config.SIMD, config.PureBin = *t, p.options.Home.BinOf(t.Go)
	}
	if p.checkout.Go.XLA() == nil {
		for _, f := range plugin.Find() {
			switch f.Name {
			case "cpu":
				config.PluginDir = filepath.Dir(f.Path)
			case "cuda":
				if !p.options.NoCUDA {
					config.CUDADir = filepath.Dir(f.Path)
				}
			}
		}
	}
	return kernelspec.Build(config)
}

// exists reports whether path exists; a dangling link does not.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Why returns the reason why a kernel is not installed.
func Why(name string, i *Installed, problems []Problem) error {
	for _, problem := range problems {
		if (name == kernelspec.XLA && problem.step.name == cpuPluginStep) || (name == kernelspec.CUDA && problem.step.name == cudaPluginStep) {
			return errors.New("its plugin could not be installed, see above")
		}
	}
	if err := i.Checkout.Go.XLA(); err != nil {
		return err
	}
	if name == kernelspec.CUDA {
		return errors.New("no NVIDIA GPU was found, or its plugin is not installed")
	}
	return fmt.Errorf("its plugin was not found; \"%s doctor\" has details", commandLine)
}

// nonEmptyLines returns the non-empty lines of a text, trimmed.
func nonEmptyLines(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
