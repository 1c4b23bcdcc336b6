package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// child is a running GoNB that only we talk to.
type child struct {
	guard   *exec.Cmd
	hold    io.Closer // closing it ends the guard, and with it all that GoNB has started
	pidFile string
	sockets *sockets
	session string
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the process has
	err     error         // why, once it has ended

	mu    sync.Mutex
	calls map[string]*call

	input  func(*wire.Message) // gets its requests for input
	orphan func(*wire.Message) // gets what belongs to no call under way
}

// call is a request under way.
type call struct {
	output func(*wire.Message) // gets what is published, in its order
	reply  chan *wire.Message
	idle   chan struct{}
	once   sync.Once
}

// childConfig says how to start a GoNB.
type childConfig struct {
	gonb string
	root string   // of the module that cells can import
	env  []string // over ours
	dir  string   // for its connection file
	name string   // of that file: GoNB takes the kernel's identifier from it
	dead io.Writer
	logf func(string, ...any)

	input, orphan func(*wire.Message)
}

// errChildEnded is what a call gets when GoNB ends under it.
var errChildEnded = errors.New("GoNB ended unexpectedly")

// startChild starts GoNB and waits until it answers.
func startChild(ctx context.Context, config childConfig) (*child, error) {
	connection, err := wire.Loopback()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(config.dir, "gonb-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, config.name)
	if err := connection.Write(file); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := &child{session: wire.NewID(), calls: map[string]*call{}, ended: make(chan struct{}), input: config.input, orphan: config.orphan, pidFile: filepath.Join(dir, "pid")}
	ctx, c.cancel = context.WithCancel(ctx)
	c.guard = exec.Command(self, "guard", c.pidFile, config.gonb, "-kernel", file, "-raw_error=true", "-go_work="+config.root)
	c.guard.Env = process.Environ(os.Environ(), config.env)
	c.guard.Stdout, c.guard.Stderr = config.dead, config.dead
	if c.hold, err = c.guard.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.guard.Start(); err != nil {
		return nil, fmt.Errorf("cannot start GoNB: %w", err)
	}
	go func() {
		c.err = c.guard.Wait()
		close(c.ended)
		c.cancel()
	}()
	if c.sockets, err = dial(ctx, connection); err != nil {
		c.stop()
		return nil, fmt.Errorf("GoNB does not answer: %w", err)
	}
	go c.sockets.shell.receive(ctx, "gonb shell", config.logf, c.onReply)
	go c.sockets.control.receive(ctx, "gonb control", config.logf, func(*wire.Message) {})
	go c.sockets.stdin.receive(ctx, "gonb stdin", config.logf, func(m *wire.Message) { c.input(m) })
	go c.sockets.iopub.receive(ctx, "gonb iopub", config.logf, c.onPublished)
	if err := c.ready(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// ready waits until GoNB answers and its answers arrive on every socket.
func (c *child) ready(ctx context.Context) error {
	deadline := time.After(60 * time.Second)
	for {
		k := c.begin("kernel_info_request", map[string]any{}, nil)
		select {
		case <-k.idle:
			return nil
		case <-c.ended:
			return fmt.Errorf("%w while it started: %v", errChildEnded, c.err)
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return errors.New("GoNB does not answer for a minute")
		case <-time.After(30 * time.Millisecond): // the subscription may have come too late
		}
	}
}

// begin sends a request on the shell's socket.
func (c *child) begin(kind string, content any, output func(*wire.Message)) *call {
	m := wire.New(c.session, kind, nil, content)
	k := &call{output: output, reply: make(chan *wire.Message, 1), idle: make(chan struct{})}
	c.mu.Lock()
	c.calls[m.Header.ID] = k
	c.mu.Unlock()
	c.sockets.shell.send(m)
	return k
}

// forward sends a message of the client's that wants no reply.
func (c *child) forward(m *wire.Message) {
	k := wire.New(c.session, m.Header.Type, nil, m.Content)
	k.Metadata, k.Buffers = m.Metadata, m.Buffers
	c.sockets.shell.send(k)
}

// forget ends the interest in calls other than the running one.
func (c *child) forget() {
	c.mu.Lock()
	clear(c.calls)
	c.mu.Unlock()
}

func (c *child) find(m *wire.Message) *call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[m.ParentID()]
}

func (c *child) onReply(m *wire.Message) {
	if k := c.find(m); k != nil {
		select {
		case k.reply <- m:
		default:
		}
	}
}

func (c *child) onPublished(m *wire.Message) {
	k := c.find(m)
	if k == nil {
		c.orphan(m)
		return
	}
	if m.Header.Type == "status" {
		var content struct {
			State string `json:"execution_state"`
		}
		if m.Read(&content) == nil && content.State == "idle" {
			k.once.Do(func() { close(k.idle) })
		}
		return
	}
	if k.output != nil {
		k.output(m)
	}
}

// execute runs code and returns the reply, once all that it published has come.
func (c *child) execute(code string, allowInput bool, output func(*wire.Message)) (*wire.Message, error) {
	c.forget()
	k := c.begin("execute_request", map[string]any{
		"code": code, "silent": false, "store_history": true, "allow_stdin": allowInput, "user_expressions": map[string]any{}, "stop_on_error": true,
	}, output)
	var reply *wire.Message
	select {
	case reply = <-k.reply:
	case <-c.ended:
		return nil, fmt.Errorf("%w: %s", errChildEnded, endOf(c.err))
	}
	select {
	case <-k.idle:
	case <-c.ended:
	}
	return reply, nil
}

func endOf(err error) string {
	if err == nil {
		return "exit status 0"
	}
	return err.Error()
}

// pid returns the process of GoNB itself, or 0.
func (c *child) pid() int {
	data, _ := os.ReadFile(c.pidFile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// interrupt asks GoNB to interrupt what runs.
func (c *child) interrupt() {
	c.sockets.control.send(wire.New(c.session, "interrupt_request", nil, map[string]any{}))
}

// killWork kills what GoNB has started.
func (c *child) killWork() {
	if pid := c.pid(); pid > 0 {
		process.KillDescendants(pid)
	}
}

// stop ends GoNB and all that it has started, and waits for it.
func (c *child) stop() {
	c.hold.Close()
	select {
	case <-c.ended:
	case <-time.After(5 * time.Second):
		c.guard.Process.Signal(syscall.SIGKILL)
		if pid := c.pid(); pid > 0 {
			process.KillDescendants(pid)
			if p, err := os.FindProcess(pid); err == nil {
				p.Kill()
			}
		}
		<-c.ended
	}
	c.cancel()
	if c.sockets != nil {
		c.sockets.hangUp()
	}
}
