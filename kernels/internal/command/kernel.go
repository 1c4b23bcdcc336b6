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

	"birnn/kernels/internal/front"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/process"
)

// kernel is the command that Jupyter starts a kernel with.
func (a *app) kernel(ctx context.Context, args []string) int {
	f := a.flags("kernel", "", "Runs a Go kernel. Jupyter calls this command; \"install\" registers it.")
	file := f.String("f", "", "connection `file` written by Jupyter")
	root := f.String("root", "", "`folder` of the repository, whose packages cells can import (default: the one around the working directory)")
	bin := f.String("bin", "", "`folder` of gonb, goimports and gopls (default: that of the installation)")
	if _, code, done := f.parse(args, false); done {
		return code
	}
	if *file == "" {
		return f.misuse("missing -f, the connection file")
	}
	if *root == "" {
		co, err := home.FindCheckout(ctx)
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
	// An interrupt stops the running cell, not the kernel.
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
	proxy := os.Getenv("GOPROXY")
	os.Setenv("GOPROXY", "off") // or listing packages would wait for the network
	err = front.Run(own, front.Config{
		ConnectionFile: *file, Root: *root, Bin: cmp.Or(*bin, f.options.Home.Bin()), Kernels: filepath.Join(f.options.Home.Jupyter(), "kernels"),
		Project: folder, Proxy: proxy, Log: a.err, Interrupts: interrupts,
	})
	if err != nil {
		return a.failed(own, err)
	}
	return ok
}

// project makes the folder for what the kernels of the notebooks in dir keep between sessions. It is in the
// installation, or, if the user cannot write there because a class shares it, next to where the user's own installation
// would be.
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

// guard is the hidden command by which a kernel starts GoNB.
func (a *app) guard(_ context.Context, args []string) int {
	if len(args) < 3 {
		fmt.Fprintln(a.err, "guard: expected a folder, a file and a command")
		return wrong
	}
	return process.Guard(args[0], args[1], args[2], args[3:]...)
}
