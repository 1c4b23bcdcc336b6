// Command kernels installs what the lessons need and runs them, in JupyterLab with a Go kernel that can import this
// repository's library.
//
//	go run ./kernels <lab|run|print|install|uninstall|doctor>
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"birnn/kernels/internal/command"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	code := command.Main(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}
