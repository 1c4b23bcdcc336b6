package command

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"birnn/kernels/internal/checkout"
	"birnn/kernels/internal/front"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/process"
)

// kernel is the command that Jupyter calls.
func (a *App) kernel(ctx context.Context, args []string) int {
	f := a.flags("kernel", "", "Runs a Go kernel for Jupyter, which calls this command; see \"install\".")
	file := f.String("f", "", "connection `file` that Jupyter has written")
	root := f.String("root", "", "`folder` of the repository, whose packages cells can import (default: the one that this folder is in)")
	bin := f.String("bin", "", "`folder` of gonb, goimports and gopls (default: that of the installation)")
	if _, code, done := f.parse(args, false); done {
		return code
	}
	if *file == "" {
		return f.misuse("-f is missing: the connection file")
	}
	if *root == "" {
		co, err := checkout.Find(ctx)
		if err != nil {
			return a.failed(ctx, err)
		}
		*root = co.Root
	}
	wd, err := os.Getwd()
	if err != nil {
		return a.failed(ctx, err)
	}
	folder, err := project(f.options.Home, wd)
	if err != nil {
		return a.failed(ctx, err)
	}
	// An interrupt is for the cell that runs, not for the kernel.
	signal.Reset(os.Interrupt)
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGHUP)
	own, end := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		<-ended
		end()
	}()
	err = front.Run(own, front.Config{
		ConnectionFile: *file, Root: *root, Bin: cmp.Or(*bin, f.options.Home.Bin()), Kernels: filepath.Join(f.options.Home.Jupyter(), "kernels"),
		Project: folder, Log: a.Err, Interrupts: interrupts,
	})
	if err != nil {
		return a.failed(own, err)
	}
	return ok
}

// project makes the folder in which the kernels of notebooks in a folder keep
// what lasts. Where a class shares an installation, of which the user can only
// read, it is beside the one that the user would have.
func project(h home.Home, dir string) (string, error) {
	sum := sha256.Sum256([]byte(dir))
	name := hex.EncodeToString(sum[:8])
	path := h.Path("projects", name)
	if os.MkdirAll(path, 0o700) == nil {
		return path, nil
	}
	own, err := home.Locate("")
	if err != nil {
		return "", err
	}
	path = filepath.Join(own.Dir+"-projects", name)
	return path, os.MkdirAll(path, 0o700)
}

// guard is the command that a kernel starts GoNB by.
func (a *App) guard(_ context.Context, args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(a.Err, "guard: expected a file and a command")
		return wrong
	}
	return process.Guard(args[0], args[1], args[2:]...)
}
