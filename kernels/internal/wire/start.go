package wire

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"birnn/kernels/internal/process"
)

// Process is a running kernel that [Start] has started, and a client of it.
type Process struct {
	*Client
	cmd    *exec.Cmd
	cancel context.CancelFunc
	temp   string // its temporary files, connection file and log
}

// Start starts a kernel and waits until it answers. In argv, "{connection_file}" stands for the connection file. dir is
// the working directory; if it is empty, the kernel works in its folder of temporary files. env are changes of the
// environment.
func Start(ctx context.Context, argv []string, dir string, env ...string) (*Process, error) {
	connection, err := Loopback()
	if err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp("", "birnn-client-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(temp, "kernel-1.json")
	log, err := os.Create(filepath.Join(temp, "log"))
	if err := errors.Join(err, connection.Write(file)); err != nil {
		os.RemoveAll(temp)
		return nil, err
	}
	defer log.Close()
	if dir == "" {
		dir = temp
	}
	argv = slices.Clone(argv)
	for i, arg := range argv {
		argv[i] = strings.ReplaceAll(arg, "{connection_file}", file)
	}
	p := &Process{temp: temp}
	ctx, p.cancel = context.WithCancel(ctx)
	p.cmd = process.Command(ctx, process.Options{Dir: dir, Env: append(slices.Clone(env), "TMPDIR="+temp)}, argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		p.cancel()
		os.RemoveAll(temp)
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		p.cmd.Wait()
		close(ended)
	}()
	if p.Client, err = Connect(ctx, connection, ended, nil, nil, func(string, ...any) {}); err != nil {
		text := p.Log()
		p.cancel()
		<-ended
		p.remove()
		return nil, errors.Join(err, errors.New(text))
	}
	return p, nil
}

// Temp returns the folder of the kernel's temporary files.
func (p *Process) Temp() string { return p.temp }

// Log returns what the kernel has written to its standard output and standard error.
func (p *Process) Log() string {
	text, _ := os.ReadFile(filepath.Join(p.temp, "log"))
	return string(text)
}

// Stop asks the kernel to shut down, kills it if it does not, and removes its temporary files.
func (p *Process) Stop() {
	p.Begin(p.Sockets.Control, "shutdown_request", map[string]any{"restart": false}, nil)
	select {
	case <-p.Ended:
	case <-time.After(5 * time.Second):
	}
	p.cancel()
	<-p.Ended
	p.Close()
	p.remove()
}

func (p *Process) remove() {
	process.End(p.cmd)
	process.EndThoseWith(p.temp)
	os.RemoveAll(p.temp)
}
