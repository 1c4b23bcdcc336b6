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
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"birnn/kernels/internal/cell"
	"birnn/kernels/internal/events"
	"birnn/kernels/internal/gopls"
	"birnn/kernels/internal/history"
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

	started func(*Front) // for tests
}

// Front is a running kernel.
type Front struct {
	config  Config
	session string
	sockets *wire.Sockets
	run     string // directory of temporary files
	log     *log.Logger
	ctx     context.Context
	end     context.CancelFunc

	// Used only by the executing goroutine.
	settings    []string // commands that a restarted GoNB must execute again
	modules     []string // fetched, with their versions
	dropsModule bool     // whether GoNB's module is to be dropped with the next program
	links       int      // number of links to paths that GoNB garbles
	noGet       bool     // whether missing packages are not fetched
	timing      bool
	limit       int    // number of bytes of a stream that are shown
	backendNow  string // the current backend
	warned      bool   // the user was told that pure Go is slow here

	computed map[string]computed // the kept values by name; used only by the executing goroutine

	history *history.History
	gopls   atomic.Pointer[gopls.Client]
	outputs string

	exported struct { // exported names by package path
		sync.Mutex
		names map[string]map[string]bool
	}

	known  sync.Once
	byName map[string]string // package paths by name

	mu          sync.Mutex
	notebook    *cell.Notebook // immutable; the executing goroutine replaces it
	queue       []*request
	wake        chan struct{}
	running     *request  // the current request, or nil
	last        *request  // the last one executed
	interrupted time.Time // when the current request was, or zero
	state       events.State
	answers     chan string // gets the answer to the request for input, or nil
	count       int
	sources     map[int]string // of the executed cells, by number
	child       *child
	childReady  chan struct{} // closed when child has started or failed to
	childErr    error
	comms       map[string]string // targets by identifier
	trace       *cellError        // the last error
}

// Run runs a kernel until it is asked to shut down or ctx ends.
func Run(ctx context.Context, config Config) error {
	connection, err := wire.ReadConnection(config.ConnectionFile)
	if err != nil {
		return err
	}
	f := &Front{
		config: config, session: wire.NewID(), log: log.New(config.Log, "birnn: ", log.LstdFlags),
		notebook: &cell.Notebook{}, wake: make(chan struct{}, 1),
		sources: map[int]string{}, comms: map[string]string{}, computed: map[string]computed{},
		outputs: filepath.Join(config.Project, "outputs"), limit: outputLimit, backendNow: cmp.Or(os.Getenv("GOMLX_BACKEND"), "the best available"),
	}
	f.exported.names = map[string]map[string]bool{}
	f.ctx, f.end = context.WithCancel(ctx)
	defer f.end()
	defer context.AfterFunc(f.ctx, f.shutDown)()
	if f.run, err = os.MkdirTemp("", "birnn-kernel-"); err != nil {
		return err
	}
	defer os.RemoveAll(f.run)
	if err := os.MkdirAll(f.outputs, 0o700); err != nil {
		return err
	}
	trim(f.outputs, keptOutputs)
	if f.history, err = history.Open(filepath.Join(config.Project, "history.jsonl"), historyEntries); err != nil {
		return err
	}
	defer f.history.Close()
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
	f.startChild()
	defer func() {
		if c, _ := f.theChild(); c != nil {
			c.stop()
		}
	}()
	f.startGopls()
	defer func() {
		f.stopGopls()
	}()
	go f.sockets.Echo(f.ctx)
	go f.sockets.Shell.Receive(f.ctx, "shell", f.log.Printf, func(m *wire.Message) { f.dispatch(&request{m, f.sockets.Shell}) })
	go f.sockets.Control.Receive(f.ctx, "control", f.log.Printf, func(m *wire.Message) { f.dispatch(&request{m, f.sockets.Control}) })
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
func (f *Front) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// work executes the queued requests until the kernel ends.
func (f *Front) work() {
	for {
		f.mu.Lock()
		var r *request
		if len(f.queue) > 0 {
			r, f.queue = f.queue[0], f.queue[1:]
			f.running, f.last, f.interrupted = r, r, time.Time{}
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
		f.status(r.Message, "idle")
		for _, r := range aborted {
			f.answer(r, func() any { return map[string]any{"status": "aborted"} })
		}
	}
}

// shutDown ends Run and the running cell.
func (f *Front) shutDown() {
	f.end()
	f.mu.Lock()
	ready := f.childReady
	f.mu.Unlock()
	if ready != nil {
		if c, _ := f.theChild(); c != nil {
			c.dismiss()
		}
	}
	f.poke()
}

// An interrupted program has grace to end; a second interrupt within double counts as the same.
const (
	grace  = time.Minute
	double = 300 * time.Millisecond
)

// interrupt interrupts the running cell. A program, shell command or script gets the signal, as from a terminal, and
// time to handle it; the second interrupt kills it. Everything else, such as a build, is killed at once.
func (f *Front) interrupt() {
	f.mu.Lock()
	r := f.running
	again := r != nil && !f.interrupted.IsZero()
	if again && time.Since(f.interrupted) < double {
		f.mu.Unlock()
		return
	}
	if r != nil {
		f.interrupted = time.Now()
		f.storeState()
	}
	f.mu.Unlock()
	c, _ := f.theChild()
	switch {
	case r == nil || c == nil:
	case again:
		c.killWork()
	default:
		go f.endWork(r, c)
	}
}

// endWork ends what runs for the interrupted request r.
func (f *Front) endWork(r *request, c *child) {
	const hang = 3 * time.Second
	told := 0 // the process that got the signal
	var since time.Time
	hint := true
	for idle := time.Now(); f.runs(r); time.Sleep(20 * time.Millisecond) {
		switch pid := f.worker(); {
		case pid == 0:
			c.killWork()
			if time.Since(idle) > hang {
				c.stop() // GoNB hangs; it is restarted
				return
			}
			continue
		case pid != told:
			process.Interrupt(pid)
			told, since = pid, time.Now()
		case time.Since(since) > grace:
			c.killWork()
		case hint && time.Since(since) > 2*time.Second:
			hint = false
			f.publish(r.Message, "stream", map[string]string{"name": "stderr", "text": "Interrupted, but still running: interrupt again to kill it.\n"})
		}
		idle = time.Now()
	}
}

func (f *Front) runs(r *request) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running == r
}

// worker returns the process that takes interrupts for the running program, shell command or script, or 0 if none runs.
func (f *Front) worker() (pid int) {
	for _, e := range events.Read(f.run) {
		switch e.Kind {
		case events.Start, events.Command:
			pid = e.PID
		case events.Exit, events.Done:
			pid = 0
		}
	}
	if pid != 0 && !alive(pid) {
		return 0
	}
	return pid
}

// programRuns reports whether the program of a cell is running.
func (f *Front) programRuns() bool { return f.worker() != 0 }

// storeState stores the state for the programs. f.mu must be locked.
func (f *Front) storeState() {
	f.state.Interrupted = !f.interrupted.IsZero()
	if err := f.state.Set(f.run); err != nil {
		f.log.Print(err)
	}
}

func (f *Front) wasInterrupted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.interrupted.IsZero()
}

func (f *Front) setNotebook(n *cell.Notebook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notebook = n
}

// startChild starts GoNB in the background.
func (f *Front) startChild() {
	ready := make(chan struct{})
	f.mu.Lock()
	f.child, f.childReady = nil, ready
	f.mu.Unlock()
	settings := slices.Concat([]string{"%noautoget"}, f.settings, f.fetchAgain())
	var patched string
	var patchErr error
	var patching sync.WaitGroup
	patching.Go(func() { patched, patchErr = f.patchedModule() })
	go func() {
		defer close(ready)
		for _, dir := range f.programDirs() { // of an earlier GoNB
			os.RemoveAll(dir)
		}
		c, err := startChild(f.ctx, f.childConfig())
		for tries := 1; err != nil && tries < 3 && f.ctx.Err() == nil; tries++ {
			f.log.Printf("trying again: %v", err) // another process may have taken a port
			c, err = startChild(f.ctx, f.childConfig())
		}
		if err == nil {
			patching.Wait()
			if patchErr == nil {
				patchErr = f.addToWork(patched)
			}
			if patchErr != nil {
				f.log.Printf("what is printed right after a display may come before it: %v", patchErr)
			}
			_, err = c.Execute(strings.Join(settings, "\n"), false, nil)
		}
		f.mu.Lock()
		f.child, f.childErr = c, err
		f.mu.Unlock()
	}()
}

// watchParent shuts the kernel down when the process that started it, according to the environment, has ended.
func (f *Front) watchParent() {
	var parent int
	if n, err := fmt.Sscan(os.Getenv("JPY_PARENT_PID"), &parent); n != 1 || err != nil {
		return
	}
	for f.ctx.Err() == nil {
		if os.Getppid() == 1 && !alive(parent) {
			f.log.Printf("the process %d, which started this kernel, has ended", parent)
			f.shutDown()
		}
		time.Sleep(time.Second)
	}
}
