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
	"strings"

	"birnn/internal/atomicfile"
	"birnn/kernels/internal/pins"
	"birnn/kernels/internal/process"
)

// buildEnv keeps the caller's settings for building other things out of ours.
var buildEnv = []string{"GOFLAGS=-mod=readonly", "GOWORK=off", "GO111MODULE", "GOOS", "GOARCH", "GOEXPERIMENT", "CGO_ENABLED=0", "GOBIN"}

// tools builds the Go kernel and the programs it calls.
func (p *Plan) tools() []*Step {
	var steps []*Step
	for _, tool := range pins.Tools {
		mod, sum := tool.Files()
		program := filepath.Join(p.Options.Home.Bin(), tool.Name)
		binary := filepath.Join(p.Options.Home.Bin(), tool.Binary())
		steps = append(steps, &Step{
			Name:    tool.Name,
			Title:   fmt.Sprintf("%s %s", tool.Name, tool.Version),
			Remedy:  "see whether \"go version\" works and the disk has room, then run the same command again",
			stamp:   pins.Stamp(mod, sum, tool.Package, tool.Wrapper, p.Checkout.Go.GOVERSION),
			present: func() bool { return exists(program) && exists(binary) },
			run: func(ctx context.Context, log io.Writer) error {
				dir := filepath.Join(p.Options.Home.Temp(), tool.Name)
				if err := errors.Join(os.MkdirAll(dir, 0o755), os.MkdirAll(p.Options.Home.Bin(), 0o755), tool.WriteModule(dir)); err != nil {
					return err
				}
				built := filepath.Join(dir, "built")
				opts := process.Options{Dir: dir, Env: buildEnv, Log: log}
				if _, err := process.Run(ctx, opts, p.Checkout.Go.Command(), "build", "-o", built, tool.Package); err != nil {
					return err
				}
				if tool.Wrapper != "" {
					if err := atomicfile.WriteFile(program, []byte(tool.Wrapper), 0o755); err != nil {
						return err
					}
				}
				return os.Rename(built, binary)
			},
		})
	}
	return steps
}

// kernelProgram is this program as Jupyter calls it.
const kernelProgram = "birnn-kernels"

// kernel builds the kernel from the repository, with the program that stands
// in for the go command in it.
func (p *Plan) kernel() *Step {
	root, bin := p.Checkout.Root, p.Options.Home.Bin()
	program, shim := filepath.Join(bin, kernelProgram), filepath.Join(bin, "shims", "go")
	hash, hashErr := sources(root)
	return &Step{
		Name:    "kernel",
		Title:   "the kernel",
		Remedy:  "see whether \"go vet ./kernels/...\" passes, then run the same command again",
		stamp:   pins.Stamp(hash, p.Checkout.Go.GOVERSION),
		present: func() bool { return exists(program) && exists(filepath.Join(bin, "shims", "shell")) },
		run: func(ctx context.Context, log io.Writer) error {
			if hashErr != nil {
				return hashErr
			}
			opts := process.Options{Dir: root, Env: buildEnv, Log: log}
			for path, pkg := range map[string]string{program: "./kernels", shim: "./kernels/internal/shim"} {
				// A kernel that runs keeps the old file: the new one comes by a rename.
				if _, err := process.Run(ctx, opts, p.Checkout.Go.Command(), "build", "-o", path+".new", pkg); err != nil {
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

// sources hashes what the kernel is built from. A folder that is missing is an error: its changes would go unnoticed.
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
