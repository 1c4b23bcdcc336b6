package setup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

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
					script := filepath.Join(dir, "script")
					if err := errors.Join(os.WriteFile(script, []byte(tool.Wrapper), 0o755), os.Rename(script, program)); err != nil {
						return err
					}
				}
				return os.Rename(built, binary)
			},
		})
	}
	return steps
}
