// Package backend opens the backend that computes: XLA, compiled for a CPU or a GPU, or GoMLX's pure-Go backend.
//
// Commands, notebooks and tests all choose it here:
//  1. the backend that the caller or the environment variable GOMLX_BACKEND asks for; if it cannot be opened, an error
//     with the remedy, never another backend;
//  2. otherwise XLA, on an NVIDIA GPU if there is one with its plugin, else on the CPU, if the PJRT plugin is installed
//     or the caller allows to install it;
//  3. otherwise pure Go, and the reason why.
//
// XLA needs a program built with cgo. Do not take CPU profiles of one that uses XLA: with the CPU plugin pinned by package
// plugin, runtime/pprof's signals corrupt the heap.
//
// # What Open changes in the process
//
// On Linux, opening XLA sets glibc's malloc, for the whole process, to keep memory that is freed. XLA allocates the memory of
// a computation at every call; by default, large blocks come from the kernel each time, which zeroes them page by page. What
// XLA does not use at the moment, up to the largest sum so far of blocks below 512 MiB, then stays with the process. Go's own
// memory is not affected. [Options.KeepMalloc] leaves malloc as it is; results of 40 MiB then take 9,700 page faults a call
// in place of 5 (glibc 2.36). Package [birnn/birnnlib] also works with a backend that GoMLX opens, which leaves malloc alone.
//
// Opening XLA on the CPU also sets the environment variable XLA_FLAGS, unless it is set, to
//
//	--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=100000000
//
// so that XLA compiles a loop of less than 100 MB into one kernel, which computes the same in less time: see
// birnnlib/benchmarks. XLA reads the variable once in a process, when it first compiles. [Options.KeepXLAFlags], or
// XLA_FLAGS= in the environment, leaves XLA's options as they are.
//
// With go-xla built in, this package also turns off its automatic installation of plugins, and opening pure Go lifts its
// limit on operations that run at once, unless the configuration sets one: see package [birnn/birnnlib].
//
// # Pure Go with SIMD instructions
//
// The pure-Go backend is always available. On amd64 it is 3 to 9 times faster in a program built with GOEXPERIMENT=simd:
//
//	GOEXPERIMENT=simd GODEBUG=asyncpreemptoff=1 go run .
//
// Go 1.27 does not compile GoMLX's compute v0.1.6 in this way (Go 1.27 changed package simd/archsimd); add
// GOTOOLCHAIN=go1.26.11, or leave GOEXPERIMENT out.
//
// On Intel processors, run such a program with GODEBUG=asyncpreemptoff=1. After an asynchronous preemption, the runtime
// leaves the upper halves of the vector registers in use; from then on math.Exp takes 5 to 150 times as long, and a training
// step up to five times as long (golang/go#80835 is of the same kind; birnnlib/benchmarks/preempt shows it). AMD
// processors are not affected. The setting has to come from the environment: the go command refuses it in a //go:debug line.
// Ctrl-C and the garbage collector answer as fast with it during a training, since compute's kernels return within
// milliseconds; but a loop without function calls now delays a collection until it ends.
package backend

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"birnn/birnnlib/backend/plugin"
	"birnn/birnnlib/internal/purego"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
)

// Env is the environment variable that asks for a backend: "go", "xla:cpu", "xla:cuda", or any other configuration that
// GoMLX understands.
const Env = compute.ConfigEnvVar

// NoInstallEnv is go-xla's environment variable that, if set, keeps every program from installing plugins.
const NoInstallEnv = "GOMLX_NO_AUTO_INSTALL"

var (
	// newXLA opens a plugin; it is set where go-xla is compiled in: see xla.go.
	newXLA func(config string, cpuDevices int) (compute.Backend, error)

	tuneMalloc    = func() {} // set where XLA's memory comes from glibc: see malloc_linux.go
	builtWithSIMD bool        // set where the pure-Go backend uses SIMD instructions: see simd.go
)

// Options control what [Open] chooses.
type Options struct {
	// Ask is the backend to open, in GoMLX's notation: "go", "xla:cpu", "xla:cuda". If empty, GOMLX_BACKEND decides, or,
	// if that is not set, Open picks the fastest available.
	Ask string
	// Install allows Open to install XLA's CPU plugin if it is missing, unless GOMLX_NO_AUTO_INSTALL is set.
	Install bool
	// Progress receives the progress of such an installation; nil discards it.
	Progress io.Writer
	// KeepMalloc keeps Open from changing malloc of the C library when it opens XLA: see the package documentation.
	KeepMalloc bool
	// KeepXLAFlags keeps Open from setting XLA_FLAGS when it opens XLA on the CPU: see the package documentation.
	KeepXLAFlags bool
	// CPUDevices is the number of devices into which XLA divides the CPU, to try out sharding; 0 means 1. XLA computes with
	// at least as many threads, and is slower with more of them than there are CPUs. (GoMLX's compute.New has XLA's own
	// default, which is 4.)
	CPUDevices int
}

// Opened is an open backend and the reason for its choice.
type Opened struct {
	// Backend is what GoMLX's executors take. It is not embedded: GoMLX compares backends by identity, so a wrapper
	// would not be recognised.
	Backend compute.Backend
	Config  string // as GOMLX_BACKEND would ask for it: "xla:cpu"
	Why     string // why a better backend was not opened; "" if this is the one asked for or the best
}

// String describes backend and device in one line.
func (b *Opened) String() string {
	name := b.Config
	if b.IsPureGo() {
		name += " (pure Go"
		if builtWithSIMD {
			name += ", SIMD"
		}
		name += ")"
	}
	line := fmt.Sprintf("backend %s, device %s", name, b.DeviceName())
	if b.Why != "" {
		line += "; " + b.Why
	}
	return line
}

// IsPureGo reports whether this is GoMLX's pure-Go backend, which needs smaller examples to answer in the same time.
func (b *Opened) IsPureGo() bool {
	name, _, _ := strings.Cut(b.Config, ":")
	return name == gobackend.BackendName
}

// DeviceName returns the name of the first device, such as "cpu:0".
func (b *Opened) DeviceName() string {
	_, platform, _ := strings.Cut(b.Config, ":")
	platform, _, _ = strings.Cut(platform, ",")
	if platform == "" || b.IsPureGo() {
		platform = "cpu"
	}
	return platform + ":0"
}

// Check returns an error if [Open] does not know the backend that [Options.Ask] asks for. It opens nothing.
func Check(ask string) error {
	if ask == "" {
		ask = os.Getenv(Env)
	}
	name, _, _ := strings.Cut(ask, ":")
	if ask == "" || isXLA(name) || slices.Contains(compute.List(), name) {
		return nil
	}
	return fmt.Errorf("unknown backend %q; ask for go, xla:cpu or xla:cuda", ask)
}

// Open opens the backend chosen by the rules in the package documentation. Call Finalize on its Backend when done.
func Open(ctx context.Context, opts Options) (*Opened, error) {
	if _, set := os.LookupEnv(NoInstallEnv); set {
		opts.Install = false
	}
	ask := opts.Ask
	if ask == "" {
		ask = os.Getenv(Env)
	}
	if ask != "" {
		return openAsked(ctx, ask, opts)
	}
	config, err := prepareXLA(ctx, "", opts)
	if err == nil {
		var b *Opened
		if b, err = open(config, opts); err == nil {
			return b, nil
		}
		if config == "xla:cuda" { // perhaps the driver does not fit; the CPU is still better than pure Go
			if b, errCPU := open("xla:cpu", opts); errCPU == nil {
				b.Why = fmt.Sprintf("not xla:cuda: %v", err)
				return b, nil
			}
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	b, errGo := open(gobackend.BackendName, opts)
	if errGo != nil {
		return nil, errGo
	}
	b.Why = fmt.Sprintf("not XLA: %v", err)
	return b, nil
}

func openAsked(ctx context.Context, ask string, opts Options) (*Opened, error) {
	name, pluginName, _ := strings.Cut(ask, ":")
	if isXLA(name) {
		pluginName, options, _ := strings.Cut(pluginName, ",")
		config, err := prepareXLA(ctx, pluginName, opts)
		if err != nil {
			return nil, fmt.Errorf("backend %q: %w", ask, err)
		}
		if options != "" {
			config += "," + options
		}
		ask = config
	} else if err := Check(ask); err != nil {
		return nil, err
	}
	return open(ask, opts)
}

// isXLA reports whether name is one of go-xla's names for its backend.
func isXLA(name string) bool {
	return slices.Contains([]string{"xla", "stablehlo", "hlo", "shlo"}, name)
}

// prepareXLA finds or installs the named plugin, or the best one if the name is empty, and returns the configuration that
// opens XLA with it.
func prepareXLA(ctx context.Context, name string, opts Options) (config string, err error) {
	if newXLA == nil {
		return "", errors.New("program built without XLA; build it with CGO_ENABLED=1 and a C compiler, on Linux or on macOS with Apple silicon")
	}
	if strings.HasPrefix(name, "/") { // the path of a plugin
		return "xla:" + name, nil
	}
	for _, found := range plugin.Find() { // the best one first
		if name == "" && (found.Name == "cuda" || found.Name == "cpu") || name == found.Name || name == found.Name+"_"+found.Version {
			return "xla:" + found.Name, nil
		}
	}
	if name != "" && name != "cpu" {
		return "", fmt.Errorf("no PJRT plugin %q found; `go run ./kernels doctor` lists the installed ones and how to install others", name)
	}
	if !opts.Install {
		return "", errors.New("PJRT plugin for the CPU not installed; `go run ./kernels install` installs it")
	}
	if _, err := plugin.Install(ctx, plugin.Options{Progress: opts.Progress}); err != nil {
		return "", err
	}
	return "xla:cpu", nil
}

// XLA's environment variable for its options, and the value that [Open] gives it on the CPU.
const (
	flagsEnv  = "XLA_FLAGS"
	loopFlags = "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=100000000"
)

// open opens the backend that config names.
func open(config string, opts Options) (b *Opened, err error) {
	// go-xla panics on a plugin file that it cannot load.
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, fmt.Errorf("open backend %q: %v; `go run ./kernels doctor` finds the cause", config, r)
		}
	}()
	create := compute.NewWithConfig
	if name, plugin, _ := strings.Cut(config, ":"); isXLA(name) {
		if !opts.KeepMalloc {
			tuneMalloc()
		}
		if _, set := os.LookupEnv(flagsEnv); !set && !opts.KeepXLAFlags && strings.HasPrefix(filepath.Base(plugin), "cpu") {
			os.Setenv(flagsEnv, loopFlags)
		}
		logCompileTime()
		create = func(string) (compute.Backend, error) { return newXLA(plugin, max(opts.CPUDevices, 1)) }
	}
	inner, err := create(config)
	if err != nil {
		return nil, fmt.Errorf("open backend %q: %w; `go run ./kernels doctor` finds the cause", config, err)
	}
	purego.Unbound(inner)
	return &Opened{Backend: inner, Config: config}, nil
}
