package setup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"birnn/internal/atomicfile"
	"birnn/internal/simd"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/process"
)

// buildEnv overrides the caller's settings for other builds.
var buildEnv = []string{"GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE", "GOOS", "GOARCH", "GOEXPERIMENT", "CGO_ENABLED=0", "GOBIN",
	"GOTOOLCHAIN=local", "GOROOT"}

// environment is a Go toolchain and the folder of the programs that it builds.
type environment struct {
	tools home.Toolchain
	bin   string
	name  string // in the names of its steps; "" for the installed Go
}

// environments returns the environment of the installed Go and, if pure Go needs it, that of the pinned one.
func (p *plan) environments() []environment {
	here := p.checkout.Go
	all := []environment{{here, p.options.Home.Bin(), ""}}
	if t := p.manifest.SIMD; t != nil && t.Mode == simd.Pinned {
		all = append(all, environment{here.By(*t), p.options.Home.BinOf(t.Go), t.Go})
	}
	return all
}

// step returns the name of a step in this environment.
func (e environment) step(name string) string {
	if e.name == "" {
		return name
	}
	return name + "-" + e.name
}

// title returns the title of a step in this environment.
func (e environment) title(title string) string {
	if e.name == "" {
		return title
	}
	return title + ", built by " + e.name
}

// simdStep is the name of the step that determines how the pure-Go kernel builds.
const simdStep = "simd"

// simd determines how the pure-Go kernel builds. The other steps depend on it.
func (p *plan) simd() *step {
	mod, _ := os.ReadFile(filepath.Join(p.checkout.Root, "go.mod"))
	return &step{
		name:   simdStep,
		title:  "SIMD instructions for pure Go",
		remedy: "check that \"go version\" works and the disk has space, then run the same command again",
		stamp:  stamp(simd.Depends(mod), p.checkout.Go.GOVERSION, p.checkout.Go.GOARCH),
		present: func() bool {
			t := p.manifest.SIMD
			return t != nil && exists(filepath.Join(t.GOROOT, "bin", "go")) && !(t.Costs && p.options.TryAgain)
		},
		run: func(ctx context.Context, log io.Writer) error {
			t, err := simd.Find(ctx, p.checkout.Root, p.checkout.Go.Command())
			if err != nil {
				return err
			}
			fmt.Fprintf(log, "pure Go %v\n", t)
			p.manifest.SIMD = &t
			return nil
		},
	}
}

// removeOldPrograms removes the programs built by a pinned Go that is no longer used.
func (p *plan) removeOldPrograms() error {
	dirs, err := filepath.Glob(p.options.Home.BinOf("*"))
	for _, dir := range dirs {
		if !slices.ContainsFunc(p.environments(), func(e environment) bool { return e.bin == dir }) {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}
	return err
}

// tools returns the steps that build GoNB and the programs it calls.
func (p *plan) tools(e environment) []*step {
	var steps []*step
	for _, tool := range tools {
		mod, sum := tool.files()
		program := filepath.Join(e.bin, tool.name)
		binary := filepath.Join(e.bin, tool.binary())
		steps = append(steps, &step{
			name:    e.step(tool.name),
			title:   e.title(fmt.Sprintf("%s %s", tool.name, tool.version)),
			tool:    &tool,
			program: binary,
			remedy:  "check that \"go version\" works and the disk has space, then run the same command again",
			stamp:   stamp(mod, sum, tool.path, tool.wrapper, e.tools.GOVERSION),
			present: func() bool { return exists(program) && exists(binary) },
			run: func(ctx context.Context, log io.Writer) error {
				dir := filepath.Join(p.options.Home.Temp(), e.step(tool.name))
				if err := errors.Join(os.MkdirAll(dir, 0o755), os.MkdirAll(e.bin, 0o755), tool.writeModule(dir)); err != nil {
					return err
				}
				built := filepath.Join(dir, "built")
				opts := process.Options{Dir: dir, Env: buildEnv, Log: log}
				if _, err := process.Run(ctx, opts, e.tools.Command(), "build", "-o", built, tool.path); err != nil {
					return err
				}
				if tool.wrapper != "" {
					if err := atomicfile.WriteFile(program, []byte(tool.wrapper), 0o755); err != nil {
						return err
					}
				}
				return os.Rename(built, binary)
			},
		})
	}
	return steps
}

// kernelProgram is the name of this program as a kernel.
const kernelProgram = "birnn-kernels"

// kernel returns the step that builds the kernel from the repository, with the shim that replaces the go command in it.
func (p *plan) kernel(e environment) *step {
	root, bin := p.checkout.Root, e.bin
	program, shim := filepath.Join(bin, kernelProgram), filepath.Join(bin, "shims", "go")
	hash, hashErr := sources(root)
	return &step{
		name:    e.step("kernel"),
		title:   e.title("the kernel"),
		remedy:  "check that \"go vet ./kernels/...\" passes, then run the same command again",
		stamp:   stamp(hash, e.tools.GOVERSION),
		present: func() bool { return exists(program) && exists(filepath.Join(bin, "shims", "shell")) },
		run: func(ctx context.Context, log io.Writer) error {
			if hashErr != nil {
				return hashErr
			}
			opts := process.Options{Dir: root, Env: buildEnv, Log: log}
			for path, pkg := range map[string]string{program: "./kernels", shim: "./kernels/internal/shim"} {
				// Renamed into place, so that a running kernel keeps the old file.
				if _, err := process.Run(ctx, opts, e.tools.Command(), "build", "-o", path+".new", pkg); err != nil {
					return err
				}
				if err := os.Rename(path+".new", path); err != nil {
					return err
				}
			}
			for name, target := range map[string]string{"goimports": filepath.Join(bin, "goimports"), "shell": shim} {
				link := filepath.Join(bin, "shims", name)
				os.Remove(link)
				if err := os.Symlink(target, link); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// kernelSources are the folders and files, relative to the root, that the kernel is built from.
var kernelSources = []string{"kernels", "birnnlib/backend/plugin", "internal", "go.mod", "go.sum"}

// sources returns a hash of what the kernel is built from. A missing folder is an error: its changes would go
// unnoticed.
func sources(root string) (string, error) {
	h := sha256.New()
	for _, name := range kernelSources {
		err := filepath.WalkDir(filepath.Join(root, filepath.FromSlash(name)), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			data, err := os.ReadFile(path)
			fmt.Fprintf(h, "%s %d\n%s", path, len(data), data)
			return err
		})
		if err != nil {
			return "", fmt.Errorf("hash the kernel's sources: %w", err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
