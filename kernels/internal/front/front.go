// Package front is a Jupyter kernel that stands before GoNB: it speaks the
// whole protocol, keeps what the cells declare, sends GoNB for each cell the
// program that the cell needs, and tells of errors in the reader's terms.
package front

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
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
	"birnn/kernels/internal/events"
	"birnn/kernels/internal/gopls"
	"birnn/kernels/internal/history"
	"birnn/kernels/internal/wire"
)

// Config says what a kernel works with.
type Config struct {
	ConnectionFile string
	Root           string // of the repository, whose packages cells can import
	Bin            string // where gonb, goimports, gopls and the shims are
	Project        string // where the history, the outputs and the lasting values are kept
	Log            io.Writer
	Interrupts     <-chan os.Signal // each interrupts the cell that runs

	started func(*Front) // for tests
}

// Front is a running kernel.
type Front struct {
	config  Config
	session string
	sockets *wire.Sockets
	run     string // for what is only needed while it runs
	log     *log.Logger
	ctx     context.Context
	end     context.CancelFunc

	// Of the executing goroutine alone.
	sent       []string // by which GoNB remembers what it was sent
	settings   []string // commands that a new GoNB is given again
	timing     bool
	limit      int    // bytes of a stream that a cell shows
	backendNow string // what computes

	history *history.History
	gopls   *gopls.Client
	outputs string

	exported struct { // names of packages, by their path
		sync.Mutex
		names map[string]map[string]bool
	}

	known  sync.Once
	byName map[string]string // paths of packages by their name

	mu          sync.Mutex
	notebook    *cell.Notebook // never changed, but replaced by the executing goroutine
	queue       []*request
	wake        chan struct{}
	running     *request // under way, or nil
	last        *request // that ran
	interrupted bool
	count       int
	sources     map[int]string // of the cells that ran, by their number
	child       *child
	childReady  chan struct{} // closed when child is there or could not be started
	childErr    error
	comms       map[string]string // targets by identifier
	trace       *cellError        // the last error
}

// request is a message that wants an answer, and where that goes.
type request struct {
	*wire.Message
	from *wire.Socket
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
		sources: map[int]string{}, comms: map[string]string{},
		outputs: filepath.Join(config.Project, "outputs"), limit: outputLimit, backendNow: cmp.Or(os.Getenv("GOMLX_BACKEND"), "the best there is"),
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
	f.status(nil, "starting")
	f.startChild()
	defer func() {
		if c, _ := f.theChild(); c != nil {
			c.stop()
		}
	}()
	f.startGopls()
	defer func() {
		if f.gopls != nil {
			f.gopls.Close()
		}
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

// trim removes all but the newest files of a folder.
func trim(dir string, keep int) {
	entries, _ := os.ReadDir(dir) // their names begin with the time
	for i := 0; i < len(entries)-keep; i++ {
		os.Remove(filepath.Join(dir, entries[i].Name()))
	}
}

// dispatch answers what can be answered at once and queues the rest.
func (f *Front) dispatch(r *request) {
	switch r.Header.Type {
	case "execute_request":
		f.mu.Lock()
		f.queue = append(f.queue, r)
		f.mu.Unlock()
		f.poke()
	case "kernel_info_request":
		f.answer(r, func() any { return kernelInfo() })
	case "is_complete_request":
		f.answer(r, func() any { return f.isComplete(r) })
	case "history_request":
		f.answer(r, func() any { return f.answerHistory(r) })
	case "comm_info_request":
		f.answer(r, func() any { return f.commInfo(r) })
	case "complete_request":
		go f.answer(r, func() any { return f.complete(r) })
	case "inspect_request":
		go f.answer(r, func() any { return f.inspect(r) })
	case "connect_request":
		f.answer(r, func() any { return map[string]any{"status": "ok"} })
	case "interrupt_request":
		f.answer(r, func() any { f.interrupt(); return map[string]any{"status": "ok"} })
	case "shutdown_request":
		var content struct {
			Restart bool `json:"restart"`
		}
		r.Read(&content)
		f.answer(r, func() any { return map[string]any{"status": "ok", "restart": content.Restart} })
		f.shutDown()
	case "comm_open", "comm_msg", "comm_close":
		f.noteComm(r.Message)
		f.status(r.Message, "busy")
		if c, _ := f.theChild(); c != nil {
			c.Forward(r.Message)
		}
		f.idle(r)
	default:
		f.log.Printf("a request that this kernel does not know: %s", r.Header.Type)
		f.status(r.Message, "busy")
		f.idle(r)
	}
}

// answer sends the reply that belongs to a request.
func (f *Front) answer(r *request, content func() any) {
	f.status(r.Message, "busy")
	f.reply(r, content())
	f.idle(r)
}

func (f *Front) reply(r *request, content any) {
	if err := r.from.SendMessage(wire.New(f.session, strings.Replace(r.Header.Type, "_request", "_reply", 1), r.Message, content)); err != nil {
		f.log.Printf("%s: %v", r.Header.Type, err)
	}
}

// status publishes the kernel's state.
func (f *Front) status(parent *wire.Message, state string) {
	f.publish(parent, "status", map[string]string{"execution_state": state})
}

// idle ends a request. While a cell runs, the kernel as a whole is still busy.
func (f *Front) idle(r *request) {
	f.status(r.Message, "idle")
	f.mu.Lock()
	running := f.running
	f.mu.Unlock()
	if running != nil && running != r {
		f.status(running.Message, "busy")
	}
}

// publish publishes to all clients.
func (f *Front) publish(parent *wire.Message, kind string, content any) {
	f.publishMessage(parent, wire.New(f.session, kind, parent, content))
}

func (f *Front) publishMessage(parent *wire.Message, m *wire.Message) {
	m.Identities = [][]byte{[]byte("kernel." + m.Header.Type)}
	if err := f.sockets.IOPub.SendMessage(m); err != nil && f.ctx.Err() == nil {
		f.log.Printf("iopub: %v", err)
	}
}

// poke wakes the executing goroutine.
func (f *Front) poke() {
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// work executes what is queued, until the end.
func (f *Front) work() {
	for {
		f.mu.Lock()
		var r *request
		if len(f.queue) > 0 {
			r, f.queue = f.queue[0], f.queue[1:]
			f.running, f.last, f.interrupted = r, r, false
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

// shutDown ends Run, and the cell that runs.
func (f *Front) shutDown() {
	f.end()
	f.mu.Lock()
	ready := f.childReady
	f.mu.Unlock()
	if ready != nil {
		if c, _ := f.theChild(); c != nil {
			c.hold.Close()
		}
	}
	f.poke()
}

// interrupt stops what runs: first kindly, if there is a program that can be
// asked, then not.
func (f *Front) interrupt() {
	f.mu.Lock()
	r := f.running
	f.interrupted = r != nil
	f.mu.Unlock()
	c, _ := f.theChild()
	if r == nil || c == nil {
		return
	}
	c.interrupt()
	if !f.programRuns() {
		c.killWork()
	}
	go func() {
		stillRuns := func(after time.Duration) bool {
			time.Sleep(after)
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.running == r
		}
		if !stillRuns(700 * time.Millisecond) {
			return
		}
		c.killWork()
		if stillRuns(time.Second) {
			c.stop() // it hangs itself; a new one is started
		}
	}()
}

// programRuns reports whether a cell's program has started and not ended.
func (f *Front) programRuns() bool {
	runs := false
	for _, e := range events.Read(f.run) {
		runs = e.Kind == events.Start
	}
	return runs
}

func (f *Front) wasInterrupted() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.interrupted
}

func (f *Front) setNotebook(n *cell.Notebook) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.notebook = n
}

// theChild returns GoNB once it is there.
func (f *Front) theChild() (*child, error) {
	f.mu.Lock()
	ready := f.childReady
	f.mu.Unlock()
	<-ready
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.child, f.childErr
}

// startChild starts GoNB in the background.
func (f *Front) startChild() {
	ready := make(chan struct{})
	f.mu.Lock()
	f.child, f.childReady = nil, ready
	f.mu.Unlock()
	f.sent = nil
	settings := append([]string{"%noautoget"}, f.settings...)
	go func() {
		defer close(ready)
		c, err := startChild(f.ctx, f.childConfig())
		for tries := 1; err != nil && tries < 3 && f.ctx.Err() == nil; tries++ {
			f.log.Printf("once more: %v", err) // somebody may have taken a port that was free
			c, err = startChild(f.ctx, f.childConfig())
		}
		if err == nil {
			_, err = c.Execute(strings.Join(settings, "\n"), false, nil)
		}
		f.mu.Lock()
		f.child, f.childErr = c, err
		f.mu.Unlock()
	}()
}

func (f *Front) childConfig() childConfig {
	temp := filepath.Join(f.run, "tmp")
	os.MkdirAll(temp, 0o700)
	shims := filepath.Join(f.config.Bin, "shims")
	path := []string{shims}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Clean(dir) != filepath.Clean(f.config.Bin) { // so that GoNB starts no gopls: we have one
			path = append(path, dir)
		}
	}
	return childConfig{
		gonb: filepath.Join(f.config.Bin, "gonb"), root: f.config.Root, dir: f.run, name: filepath.Base(f.config.ConnectionFile),
		env: []string{
			"PATH=" + strings.Join(path, string(os.PathListSeparator)), "BIRNN_GO=" + goCommand(),
			events.Env + "=" + f.run, "BIRNN_OUTPUT=" + f.outputs, fmt.Sprintf("BIRNN_OUTPUT_LIMIT=%d", outputLimit),
			"BIRNN_KEEP=" + f.keepDir(), "BIRNN_KEEP_LASTING=" + f.lastingDir(), "TMPDIR=" + temp, "BIRNN_FRONT=1",
		},
		log: f.config.Log, logf: f.log.Printf, input: f.requestInput, orphan: f.publishOrphan,
	}
}

const outputLimit = 1 << 20 // bytes of a stream that a cell shows

func (f *Front) keepDir() string    { return filepath.Join(f.run, "kept") }
func (f *Front) lastingDir() string { return filepath.Join(f.config.Project, "kept") }

// goCommand returns the go command that the PATH finds.
func goCommand() string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		path := filepath.Join(dir, "go")
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 && filepath.Base(dir) != "shims" {
			return path
		}
	}
	return "go"
}

// requestInput asks the client for input that a command wants.
func (f *Front) requestInput(m *wire.Message) {
	f.mu.Lock()
	r := f.running
	f.mu.Unlock()
	if r != nil {
		f.sockets.Stdin.SendMessage(wire.New(f.session, m.Header.Type, r.Message, m.Content))
	}
}

// onInput hands the client's input on, not at once: GoNB asks first and then
// begins to listen.
func (f *Front) onInput(m *wire.Message) {
	time.Sleep(50 * time.Millisecond)
	if c, _ := f.theChild(); c != nil {
		c.Sockets.Stdin.SendMessage(wire.New(c.Session, m.Header.Type, nil, m.Content))
	}
}

// publishOrphan publishes what GoNB says when no cell runs: widgets talk so.
func (f *Front) publishOrphan(m *wire.Message) {
	if !strings.HasPrefix(m.Header.Type, "comm_") {
		return
	}
	f.noteComm(m)
	f.mu.Lock()
	last := f.last
	f.mu.Unlock()
	if last != nil {
		f.relay(last.Message, m)
	}
}

// relay publishes a message of GoNB's as ours.
func (f *Front) relay(parent, m *wire.Message) {
	ours := wire.New(f.session, m.Header.Type, parent, m.Content)
	ours.Metadata, ours.Buffers = m.Metadata, m.Buffers
	f.publishMessage(parent, ours)
}

func (f *Front) noteComm(m *wire.Message) {
	var content struct {
		ID     string `json:"comm_id"`
		Target string `json:"target_name"`
	}
	if m.Read(&content) != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch m.Header.Type {
	case "comm_open":
		f.comms[content.ID] = content.Target
	case "comm_close":
		delete(f.comms, content.ID)
	}
}

func (f *Front) commInfo(r *request) any {
	var content struct {
		Target string `json:"target_name"`
	}
	r.Read(&content)
	comms := map[string]map[string]string{}
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, target := range f.comms {
		if content.Target == "" || content.Target == target {
			comms[id] = map[string]string{"target_name": target}
		}
	}
	return map[string]any{"status": "ok", "comms": comms}
}

func (f *Front) isComplete(r *request) any {
	var content struct {
		Code string `json:"code"`
	}
	if r.Read(&content) != nil {
		return map[string]any{"status": "unknown"}
	}
	status, indent := cell.IsComplete(content.Code)
	answer := map[string]any{"status": status}
	if status == cell.Incomplete {
		answer["indent"] = indent
	}
	return answer
}

func kernelInfo() any {
	return map[string]any{
		"status":                 "ok",
		"protocol_version":       wire.Version,
		"implementation":         "birnn",
		"implementation_version": "1.0",
		"banner":                 "Go, by GoNB, with birnnlib. %help tells what there is; a cell may end in an expression.",
		"language_info": map[string]any{
			"name": "go", "version": strings.TrimPrefix(runtime.Version(), "go"), "mimetype": "text/x-go",
			"file_extension": ".go", "pygments_lexer": "go", "codemirror_mode": "go", "nbconvert_exporter": "script",
		},
		"help_links": []map[string]string{
			{"text": "Go", "url": "https://go.dev/doc/"},
			{"text": "GoNB", "url": "https://github.com/janpfeifer/gonb"},
			{"text": "GoMLX", "url": "https://github.com/gomlx/gomlx"},
		},
	}
}

// answerHistory answers a history_request.
func (f *Front) answerHistory(r *request) any {
	var q history.Query
	if err := json.Unmarshal(r.Content, &q); err != nil {
		return map[string]any{"status": "error", "ename": "BadRequest", "evalue": err.Error(), "traceback": []string{}}
	}
	return map[string]any{"status": "ok", "history": f.history.Find(q)}
}

// watchParent shuts down when the process that started us, and said so, is gone.
func (f *Front) watchParent() {
	var parent int
	if n, err := fmt.Sscan(os.Getenv("JPY_PARENT_PID"), &parent); n != 1 || err != nil {
		return
	}
	for f.ctx.Err() == nil {
		if os.Getppid() == 1 && !alive(parent) {
			f.log.Printf("the process %d that started this kernel is gone", parent)
			f.shutDown()
		}
		time.Sleep(time.Second)
	}
}

var errNoChild = errors.New("GoNB could not be started")
