// Package gopls asks gopls, the language server of Go, what could be written at
// a place in a program and what the documentation there is. It is a client for
// one folder in which one program is written; nothing else of the language
// server protocol is used.
package gopls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
)

// Options say how to start gopls.
type Options struct {
	Command string    // path of gopls
	Dir     string    // folder of a Go module, perhaps with a go.work
	Env     []string  // "KEY=value", over this process's environment; a key alone removes it
	Log     io.Writer // gets what gopls has to say about itself; may be nil
}

// Client is a gopls that runs. Its methods may be called at the same time.
type Client struct {
	ctx  context.Context
	opts Options

	mu      sync.Mutex
	session *session
	closed  bool
}

var errClosed = errors.New("the client of gopls is closed")

// Start starts gopls in a process group of its own and returns at once; gopls
// goes on to load the packages in Dir and what they import. The end of ctx ends
// gopls, like Close. If this process is killed, gopls ends by itself; a folder
// gopls-… stays in the temporary one.
func Start(ctx context.Context, opts Options) (*Client, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	opts.Dir = dir
	s, err := startSession(ctx, opts)
	if err != nil {
		return nil, err
	}
	return &Client{ctx: ctx, opts: opts, session: s}, nil
}

// running returns the gopls that runs. It starts another one in the place of
// one that has died.
func (c *Client) running() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	select {
	case <-c.session.done:
		fmt.Fprintf(c.session.log, "gopls has ended (%s) and is started again\n", c.session.cause)
		s, err := startSession(c.ctx, c.opts)
		if err != nil {
			return nil, err
		}
		c.session = s
	default:
	}
	return c.session, nil
}

// Ready reports whether gopls has loaded the packages in Dir. Before that a call
// waits for it.
func (c *Client) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.session.ended:
		return false
	default:
	}
	select {
	case <-c.session.loaded:
		return true
	default:
		return false
	}
}

// ask is what Complete and Hover have in common.
func (c *Client) ask(ctx context.Context, file, content, method string, offset int, result any) error {
	s, err := c.running()
	if err != nil {
		return err
	}
	return s.ask(ctx, file, content, method, offset, result)
}

// Close ends gopls and every process that it has started. It takes at most
// about half a second.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	s := c.session
	c.mu.Unlock()
	s.close()
}
