package gopls

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
)

// message is a message of JSON-RPC 2.0: a request has a method and an ID, a notification only a method, an answer only
// an ID.
type message struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id,omitempty"`
	Method  string          `json:"method,omitempty"`
	Params  json.RawMessage `json:"params,omitempty"`
	Result  json.RawMessage `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

func (e *rpcError) Error() string { return "gopls: " + e.Message }

var (
	errEnded = errors.New("gopls has ended")
	errStuck = errors.New("gopls does not read its requests")
)

// queued is the maximal number of messages that gopls has not read. It reads at once unless it is stopped.
const queued = 256

// conn is a connection to a server. Its methods do not wait for the server to read.
type conn struct {
	out     chan []byte   // frames to write
	ended   chan struct{} // closed when the server's stream has ended
	mu      sync.Mutex
	last    int64
	pending map[string]chan *message // by id
}

func newConn(w io.Writer) *conn {
	c := &conn{out: make(chan []byte, queued), ended: make(chan struct{}), pending: map[string]chan *message{}}
	go func() {
		for {
			select {
			case f := <-c.out:
				if _, err := w.Write(f); err != nil {
					return // the stream from the server ends, too
				}
			case <-c.ended:
				return
			}
		}
	}()
	return c
}

// read handles the messages of the server until its stream ends. handle answers its requests and gets its
// notifications.
func (c *conn) read(r io.Reader, handle func(method string, params json.RawMessage) (any, error)) error {
	defer close(c.ended)
	buffered := bufio.NewReader(r)
	for {
		body, err := readFrame(buffered)
		if err != nil {
			return err
		}
		var m message
		if err := json.Unmarshal(body, &m); err != nil {
			return fmt.Errorf("%.80q is not a message: %w", body, err)
		}
		if m.Method == "" {
			c.mu.Lock()
			answer, ok := c.pending[string(m.ID)]
			delete(c.pending, string(m.ID))
			c.mu.Unlock()
			if ok {
				answer <- &m
			}
			continue
		}
		result, err := handle(m.Method, m.Params)
		if m.ID == nil {
			continue
		}
		answer := message{ID: m.ID}
		if failed, ok := errors.AsType[*rpcError](err); ok {
			answer.Error = failed
		} else if answer.Result, err = json.Marshal(result); err != nil {
			return err
		}
		if err := c.send(answer); err != nil {
			return err
		}
	}
}

func (c *conn) send(m message) error {
	m.Version = "2.0"
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	select {
	case <-c.ended:
		return errEnded
	default:
	}
	select {
	case c.out <- frame(body):
		return nil
	default:
		return errStuck
	}
}

func (c *conn) notify(method string, params any) error {
	data, err := json.Marshal(params)
	if err != nil {
		return err
	}
	return c.send(message{Method: method, Params: data})
}

// request is a request that has been sent.
type request struct {
	conn   *conn
	id     string
	answer chan *message
}

func (c *conn) request(method string, params any) (*request, error) {
	data, err := json.Marshal(params)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.last++
	r := &request{c, strconv.FormatInt(c.last, 10), make(chan *message, 1)}
	c.pending[r.id] = r.answer
	c.mu.Unlock()
	if err := c.send(message{ID: json.RawMessage(r.id), Method: method, Params: data}); err != nil {
		c.mu.Lock()
		delete(c.pending, r.id)
		c.mu.Unlock()
		return nil, err
	}
	return r, nil
}

// wait stores the answer in result. If ctx ends first, it cancels the request; the server still answers, which is
// ignored.
func (r *request) wait(ctx context.Context, result any) error {
	select {
	case m := <-r.answer:
		if m.Error != nil {
			return m.Error
		}
		return json.Unmarshal(m.Result, result)
	case <-r.conn.ended:
		return errEnded
	case <-ctx.Done():
		r.conn.notify("$/cancelRequest", map[string]any{"id": json.RawMessage(r.id)})
		return ctx.Err()
	}
}
