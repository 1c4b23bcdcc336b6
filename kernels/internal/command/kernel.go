package command

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/signal"
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
		ConnectionFile: *file, Root: *root, Bin: f.options.Home.Bin(), Project: project(f.options.Home, wd), Log: a.Err, Interrupts: interrupts,
	})
	if err != nil {
		return a.failed(own, err)
	}
	return ok
}

// project is where the kernels of notebooks in a folder keep what lasts.
func project(h home.Home, dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return h.Path("projects", hex.EncodeToString(sum[:8]))
}

// guard is the command that a kernel starts GoNB by.
func (a *App) guard(_ context.Context, args []string) int {
	if len(args) < 2 {
		fmt.Fprintln(a.Err, "guard: expected a file and a command")
		return wrong
	}
	return process.Guard(args[0], args[1], args[2:]...)
}
