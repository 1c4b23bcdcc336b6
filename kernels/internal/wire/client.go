package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Client is connected to a kernel. It runs one cell at a time.
type Client struct {
	Sockets *Sockets
	Session string
	Ended   <-chan struct{} // closed when the kernel has ended

	input, orphan func(*Message) // as in [Connect]

	mu    sync.Mutex
	calls map[string]*Call
}

// Call is a pending request.
type Call struct {
	Reply  chan *Message // gets the reply
	Idle   chan struct{} // closed when all messages published for it have arrived
	output func(*Message)
	once   sync.Once
}

// errEnded is the error of a call during which the kernel ends.
var errEnded = errors.New("the kernel has ended")

// Connect connects to a kernel that listens or is about to, until ctx ends. ended must be closed when its process ends. input
// gets the kernel's requests for input, orphan its messages that belong to no pending request; both may be nil.
func Connect(ctx context.Context, connection Connection, ended <-chan struct{}, input, orphan func(*Message), logf func(string, ...any)) (*Client, error) {
	sockets, err := dial(ctx, connection)
	if err != nil {
		return nil, fmt.Errorf("the kernel does not answer: %w", err)
	}
	c := &Client{Sockets: sockets, Session: NewID(), Ended: ended, input: input, orphan: orphan, calls: map[string]*Call{}}
	go sockets.Shell.Receive(ctx, "shell", logf, c.onReply)
	go sockets.Control.Receive(ctx, "control", logf, c.onReply)
	go sockets.Stdin.Receive(ctx, "stdin", logf, func(m *Message) {
		if c.input != nil {
			c.input(m)
		}
	})
	go sockets.IOPub.Receive(ctx, "iopub", logf, c.onPublished)
	if err := c.ready(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// ready waits until the kernel answers on every socket.
func (c *Client) ready(ctx context.Context) error {
	deadline := time.After(60 * time.Second)
	for {
		k, err := c.Begin(c.Sockets.Shell, "kernel_info_request", map[string]any{}, nil)
		if err != nil {
			return err
		}
		select {
		case <-k.Idle:
			return nil
		case <-c.Ended:
			return fmt.Errorf("%w while it started", errEnded)
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline:
			return errors.New("the kernel has not answered for a minute")
		case <-time.After(30 * time.Millisecond): // the subscription may have arrived too late
		}
	}
}

// Begin sends a request. output, if not nil, gets the messages published for it, in order.
func (c *Client) Begin(s *Socket, kind string, content any, output func(*Message)) (*Call, error) {
	m := New(c.Session, kind, nil, content)
	k := &Call{output: output, Reply: make(chan *Message, 1), Idle: make(chan struct{})}
	c.mu.Lock()
	c.calls[m.Header.ID] = k
	c.mu.Unlock()
	return k, s.SendMessage(m)
}

// Execute executes code. It returns the reply after all messages published for it have arrived.
func (c *Client) Execute(code string, allowInput bool, output func(*Message)) (*Message, error) {
	c.forget()
	k, err := c.Begin(c.Sockets.Shell, "execute_request", map[string]any{
		"code": code, "silent": false, "store_history": true, "allow_stdin": allowInput, "user_expressions": map[string]any{}, "stop_on_error": true,
	}, output)
	if err != nil {
		return nil, err
	}
	var reply *Message
	select {
	case reply = <-k.Reply:
	case <-c.Ended:
		return nil, errEnded
	}
	select {
	case <-k.Idle:
	case <-c.Ended:
	}
	return reply, nil
}

// Forward sends a message that has no reply.
func (c *Client) Forward(m *Message) error {
	k := New(c.Session, m.Header.Type, nil, m.Content)
	k.Metadata, k.Buffers = m.Metadata, m.Buffers
	return c.Sockets.Shell.SendMessage(k)
}

// Close ends the connection.
func (c *Client) Close() { c.Sockets.Close() }

// forget drops the earlier calls.
func (c *Client) forget() {
	c.mu.Lock()
	clear(c.calls)
	c.mu.Unlock()
}

func (c *Client) find(m *Message) *Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.calls[m.parentID()]
}

func (c *Client) onReply(m *Message) {
	if k := c.find(m); k != nil {
		select {
		case k.Reply <- m:
		default:
		}
	}
}

func (c *Client) onPublished(m *Message) {
	k := c.find(m)
	if k == nil {
		if c.orphan != nil {
			c.orphan(m)
		}
		return
	}
	if m.Header.Type == "status" {
		var content struct {
			State string `json:"execution_state"`
		}
		if m.Read(&content) == nil && content.State == "idle" {
			k.once.Do(func() { close(k.Idle) })
		}
		return
	}
	if k.output != nil {
		k.output(m)
	}
}
