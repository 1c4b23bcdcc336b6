// Package front is a Jupyter kernel that runs cells with GoNB: it implements the complete protocol, keeps the
// declarations of the cells, sends GoNB a program for each cell, and reports errors with their places in the cells.
package front

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/kept"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// Config is the configuration of a kernel.
type Config struct {
	ConnectionFile string
	Root           string // root of the repository, whose packages cells can import
	Bin            string // directory of gonb, goimports, gopls and the shims
	Kernels        string // directory of the installation's kernelspecs; "" for none
	Project        string // directory of the history and the outputs
	Proxy          string // $GOPROXY for fetching packages; "" for Go's default
	Log            io.Writer
	Interrupts     <-chan os.Signal // each interrupts the running cell

	started func(*front) // for tests
}

// front is a running kernel.
type front struct {
	// Run sets these before it starts goroutines, which share them.
	config    Config
	session   string
	sockets   *wire.Sockets
	run       string // directory of temporary files
	outputs   string // directory of long outputs
	log       *log.Logger
	ctx       context.Context
	end       context.CancelFunc
	wake      chan struct{} // wakes the executing goroutine
	gonb      *gonb.Supervisor
	history   *history
	packages  *packages
	completer *completer

	// Used only by the executing goroutine, which runs [front.work].
	count      int            // of the executed cells
	sources    map[int]string // of the executed cells, by number
	trace      *cellError     // the last error
	links      int            // number of links to paths that GoNB garbles
	noGet      bool           // whether missing packages are not fetched
	timing     bool
	limit      int    // number of bytes of a stream that are shown
	backendNow string // the current backend
	warned     bool   // the user was told that pure Go is slow here

	computed map[string]computed // the kept values by name; used only by the executing goroutine

	mu          sync.Mutex     // guards what follows
	notebook    *cell.Notebook // immutable; the executing goroutine replaces it
	queue       []*request
	running     *request          // the current request, or nil
	last        *request          // the last one executed
	interrupted time.Time         // when the current request was, or zero
	answers     chan string       // gets the answer to the request for input, or nil
	comms       map[string]string // targets by identifier
}

// Run runs a kernel until it is asked to shut down or ctx ends.
func Run(ctx context.Context, config Config) error {
	connection, err := wire.ReadConnection(config.ConnectionFile)
	if err != nil {
		return err
	}
	f := &front{
		config: config, session: wire.NewID(), log: log.New(config.Log, "birnn: ", log.LstdFlags),
		notebook: &cell.Notebook{}, wake: make(chan struct{}, 1),
		sources: map[int]string{}, comms: map[string]string{}, computed: map[string]computed{},
		outputs: filepath.Join(config.Project, "outputs"), limit: outputLimit, backendNow: cmp.Or(os.Getenv("GOMLX_BACKEND"), "the best available"),
	}
	f.ctx, f.end = context.WithCancel(ctx)
	defer f.end()
	if f.run, err = os.MkdirTemp("", "birnn-kernel-"); err != nil {
		return err
	}
	defer os.RemoveAll(f.run)
	f.gonb = f.newGoNB()
	f.packages = &packages{ctx: f.ctx, root: config.Root, logf: f.log.Printf, exported: map[string]map[string]bool{}}
	f.completer = &completer{ctx: f.ctx, run: f.run, root: config.Root, log: f.log, notebook: f.snapshot, packages: f.packages}
	defer context.AfterFunc(f.ctx, f.shutDown)()
	if err := os.MkdirAll(f.outputs, 0o700); err != nil {
		return err
	}
	trim(f.outputs, keptOutputs)
	if f.history, err = openHistory(filepath.Join(config.Project, "history.jsonl"), historyEntries); err != nil {
		return err
	}
	defer f.history.close()
	if f.sockets, err = wire.Bind(f.ctx, connection); err != nil {
		return err
	}
	defer f.sockets.Close()
	wire.OnSubscribe(connection.Address(connection.IOPub), func() {
		f.publish(nil, "iopub_welcome", map[string]string{"subscription": ""})
	})
	if config.started != nil {
		config.started(f)
	}
	if err := f.serveInput(); err != nil {
		return err
	}
	f.status(nil, "starting")
	f.gonb.Start()
	defer f.gonb.Stop()
	f.completer.start(config.Bin)
	defer f.completer.stop()
	go f.sockets.Echo(f.ctx)
	go f.sockets.Shell.Receive(f.ctx, "shell", f.log.Printf, func(m *wire.Message) { f.dispatch(&request{Message: m, from: f.sockets.Shell}) })
	go f.sockets.Control.Receive(f.ctx, "control", f.log.Printf, func(m *wire.Message) { f.dispatch(&request{Message: m, from: f.sockets.Control}) })
	go f.sockets.Stdin.Receive(f.ctx, "stdin", f.log.Printf, f.onInput)
	go f.watchParent()
	go func() {
		for {
			select {
			case <-config.Interrupts:
				f.interrupt()
			case <-f.ctx.Done():
				return
			}
		}
	}()
	f.work()
	return nil
}

const (
	historyEntries = 10000
	keptOutputs    = 20
)

// trim removes all but the newest keep files of a directory.
func trim(dir string, keep int) {
	entries, _ := os.ReadDir(dir) // sorted by time, with which the names begin
	for i := 0; i < len(entries)-keep; i++ {
		os.Remove(filepath.Join(dir, entries[i].Name()))
	}
}

// poke wakes the executing goroutine.
func (f *front) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// work executes the queued requests until the kernel ends.
func (f *front) work() {
	for {
		f.mu.Lock()
		var r *request
		if len(f.queue) > 0 {
			r, f.queue = f.queue[0], f.queue[1:]
			f.running, f.last = r, r
			f.setInterrupted(time.Time{})
		}
		f.mu.Unlock()
		if r == nil {
			select {
			case <-f.ctx.Done():
				return
			case <-f.wake:
			}
			continue
		}
		if f.ctx.Err() != nil {
			return
		}
		aborted := f.execute(r)
		f.mu.Lock()
		f.running = nil
		f.mu.Unlock()
		close(r.done)
		f.status(r.Message, "idle")
		for _, r := range aborted {
			f.answer(r, func() any { return map[string]any{"status": "aborted"} })
		}
	}
}

// shutDown ends Run and the running cell.
func (f *front) shutDown() {
	f.end()
	f.gonb.Dismiss()
	f.poke()
}

// double is the time within which a second interrupt counts as the same.
const double = 300 * time.Millisecond

// interrupt interrupts the running cell; the second interrupt kills what runs.
func (f *front) interrupt() {
	f.mu.Lock()
	r := f.running
	again := r != nil && !f.interrupted.IsZero()
	if r == nil || again && time.Since(f.interrupted) < double {
		f.mu.Unlock()
		return
	}
	f.setInterrupted(time.Now())
	f.mu.Unlock()
	if again {
		f.gonb.Kill()
		return
	}
	go f.gonb.Interrupt(r.done, func() {
		f.publish(r.Message, "stream", map[string]string{"name": "stderr", "text": "Interrupted, but still running: interrupt again to kill it.\n"})
	})
}

// setInterrupted notes when the running request was interrupted, and tells the programs. f.mu must be locked.
func (f *front) setInterrupted(at time.Time) {
	if f.interrupted.IsZero() != at.IsZero() {
		f.gonb.SetState(func(s *gonb.State) { s.Interrupted = !at.IsZero() })
	}
	f.interrupted = at
}

func (f *front) wasInterrupted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.interrupted.IsZero()
}

// snapshot returns the current notebook.
func (f *front) snapshot() *cell.Notebook {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.notebook
}

func (f *front) setNotebook(n *cell.Notebook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notebook = n
}

// newGoNB returns the supervisor of GoNB.
func (f *front) newGoNB() *gonb.Supervisor {
	return gonb.NewSupervisor(f.ctx, gonb.Config{
		Bin: f.config.Bin, Go: goCommand(), Root: f.config.Root, Run: f.run, Name: filepath.Base(f.config.ConnectionFile), Proxy: f.config.Proxy,
		Env: []string{
			"BIRNN_FRONT=1", kept.Env + "=" + f.keepDir(),
			"BIRNN_OUTPUT=" + f.outputs, fmt.Sprintf("BIRNN_OUTPUT_LIMIT=%d", outputLimit),
		},
		Log: f.config.Log, Logf: f.log.Printf, Input: f.requestInput, Orphan: f.publishOrphan,
	})
}

const outputLimit = 1_000_000 // number of bytes of a stream that are shown

func (f *front) keepDir() string { return filepath.Join(f.run, "kept") }

// goCommand returns the go command that the PATH finds.
func goCommand() string { return kernelspec.FindGo(os.Getenv("PATH")) }

// goVersion returns the version of that go command without "go". It may differ from the Go that built this program.
func goVersion() string {
	version := runtime.Version()
	if real, err := filepath.EvalSymlinks(goCommand()); err == nil {
		if data, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(real)), "VERSION")); err == nil {
			version, _, _ = strings.Cut(string(data), "\n")
		}
	}
	version, _, _ = strings.Cut(version, "-X:") // "go1.26.8-X:simd"
	return strings.TrimPrefix(version, "go")
}

// watchParent shuts the kernel down when the process that started it, according to the environment, has ended.
func (f *front) watchParent() {
	var parent int
	if n, err := fmt.Sscan(os.Getenv("JPY_PARENT_PID"), &parent); n != 1 || err != nil {
		return
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	for {
		select {
		case <-f.ctx.Done():
			return
		case <-look.C:
		}
		if os.Getppid() == 1 && !process.Alive(parent) {
			f.log.Printf("the process %d, which started this kernel, has ended", parent)
			f.shutDown()
		}
	}
}
