// Package backend chooses what computes: XLA, compiled for a CPU or a GPU, or GoMLX's pure-Go backend.
//
// The choice, in one place for commands, notebooks and tests:
//  1. the backend asked for, by the caller or by the environment variable GOMLX_BACKEND, or an error with the remedy
//     if it cannot be had, never another backend in its place;
//  2. else XLA, on an NVIDIA GPU if there is one with its plugin, else on the CPU, when the PJRT plugin is installed
//     or, if the caller allows, can be installed now;
//  3. else pure Go, and the reason why.
//
// XLA needs a program built with cgo. The pure-Go backend is always there, and 3 to 9 times faster on amd64 in a
// program built with GOEXPERIMENT=simd.
package backend

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"birnn/birnnlib/backend/plugin"
	"birnn/birnnlib/internal/purego"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/gobackend"
	"github.com/pkg/errors"
)

// Env is the environment variable that asks for a backend: "go", "xla:cpu", "xla:cuda", or any other configuration
// that GoMLX understands.
const Env = compute.ConfigEnvVar

// NoInstallEnv is the environment variable that, when set, keeps every program from installing plugins; it is go-xla's.
const NoInstallEnv = "GOMLX_NO_AUTO_INSTALL"

var (
	builtWithXLA  bool        // set where go-xla is compiled in: see xla.go
	keepMemory    = func() {} // set where XLA's memory comes from glibc: see malloc_linux.go
	builtWithSIMD bool        // set where the pure-Go backend uses SIMD instructions: see simd.go
)

// Options say how [Open] chooses.
type Options struct {
	// Ask is the backend asked for, written as GoMLX does: "go", "xla:cpu", "xla:cuda". Empty: what GOMLX_BACKEND says,
	// else the best there is.
	Ask string
	// Install allows Open to install XLA's CPU plugin where it is missing, unless GOMLX_NO_AUTO_INSTALL is set.
	Install bool
	// Progress is where the progress of such an installation goes; nil is nowhere.
	Progress io.Writer
}

// Opened is an open backend and how it came to be chosen.
type Opened struct {
	// Backend is what GoMLX's executors take. It is a field, not embedded: a tensor remembers the backend that it lies
	// on by identity, so that a wrapper would be a stranger to it.
	Backend compute.Backend
	Config  string // as GOMLX_BACKEND would ask for it: "xla:cpu"
	Why     string // why it is not the better one that could have been expected; "" if there is nothing to tell
}

// String tells backend and device in one line.
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

// IsPureGo tells whether this is GoMLX's pure-Go backend, which needs smaller examples to answer in the same time.
func (b *Opened) IsPureGo() bool {
	name, _, _ := strings.Cut(b.Config, ":")
	return name == gobackend.BackendName
}

// DeviceName names the first device, in the manner of "cpu:0".
func (b *Opened) DeviceName() string {
	_, platform, _ := strings.Cut(b.Config, ":")
	platform, _, _ = strings.Cut(platform, ",")
	if platform == "" || b.IsPureGo() {
		platform = "cpu"
	}
	return platform + ":0"
}

// Check returns an error if [Open] cannot know the backend that [Options.Ask] asks for. It opens nothing.
func Check(ask string) error {
	if ask == "" {
		ask = os.Getenv(Env)
	}
	name, _, _ := strings.Cut(ask, ":")
	if ask == "" || isXLA(name) || slices.Contains(compute.List(), name) {
		return nil
	}
	return errors.Errorf("there is no backend %q; ask for go, xla:cpu or xla:cuda", ask)
}

// Open opens the backend that the rules above choose. Finalize its Backend when done.
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
		if b, err = open(config); err == nil {
			return b, nil
		}
		if config == "xla:cuda" { // a driver that does not fit, say: the CPU is still better than pure Go
			if b, errCPU := open("xla:cpu"); errCPU == nil {
				b.Why = fmt.Sprintf("not xla:cuda: %v", err)
				return b, nil
			}
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	b, errGo := open(gobackend.BackendName)
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
			return nil, errors.WithMessagef(err, "the backend %q cannot be had", ask)
		}
		if options != "" {
			config += "," + options
		}
		ask = config
	} else if err := Check(ask); err != nil {
		return nil, err
	}
	return open(ask)
}

// isXLA knows go-xla's names for its backend.
func isXLA(name string) bool {
	return slices.Contains([]string{"xla", "stablehlo", "hlo", "shlo"}, name)
}

// prepareXLA makes sure that XLA can be opened with the named plugin, or, if the name is empty, with the best one, and
// returns the configuration that opens it.
func prepareXLA(ctx context.Context, name string, opts Options) (config string, err error) {
	if !builtWithXLA {
		return "", errors.New("this program was built without XLA; build it with CGO_ENABLED=1 and a C compiler, on Linux or on macOS with Apple silicon")
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
		return "", errors.Errorf("go-xla finds no PJRT plugin called %q; `go run ./kernels doctor` lists what there is and how to install it", name)
	}
	if !opts.Install {
		return "", errors.New("the PJRT plugin for the CPU is not installed; `go run ./kernels install` installs it")
	}
	if _, err := plugin.Install(ctx, plugin.Options{Progress: opts.Progress}); err != nil {
		return "", err
	}
	return "xla:cpu", nil
}

// open opens exactly what config says.
func open(config string) (b *Opened, err error) {
	// go-xla panics on a plugin file that it cannot load.
	defer func() {
		if r := recover(); r != nil {
			b, err = nil, errors.Errorf("the backend %q cannot be opened: %v; `go run ./kernels doctor` finds out more", config, r)
		}
	}()
	if name, _, _ := strings.Cut(config, ":"); isXLA(name) {
		keepMemory()
		tellCompileTime()
	}
	inner, err := compute.NewWithConfig(config)
	if err != nil {
		return nil, errors.WithMessagef(err, "the backend %q cannot be opened; `go run ./kernels doctor` finds out more", config)
	}
	purego.Unbound(inner)
	return &Opened{Backend: inner, Config: config}, nil
}
