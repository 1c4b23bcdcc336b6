// Package gopls is a client of gopls, the language server of Go, for completions and documentation in one directory. It
// uses nothing else of the language server protocol.
package gopls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
)

// Options are the options of [Start].
type Options struct {
	Command string    // path of gopls
	Dir     string    // directory of a Go module, perhaps with a go.work
	env     []string  // changes of the environment: "KEY=value" sets, "KEY" removes
	Temp    string    // directory of its temporary files; "" for the system's
	Log     io.Writer // gets the messages of gopls; may be nil
}

// Client is a client with its gopls process. Its methods may be called concurrently.
type Client struct {
	ctx  context.Context
	opts Options

	mu      sync.Mutex
	session *session
	closed  bool
}

var errClosed = errors.New("the gopls client is closed")

// Start starts gopls in a new process group and returns at once, while gopls loads the packages in Dir and their
// imports. gopls ends with ctx or by Close. If this process is killed, gopls ends, too, but leaves a directory gopls-…
// in the temporary directory.
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

// running returns the current session. If its gopls has died, running starts another.
func (c *Client) running() (*session, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	select {
	case <-c.session.done:
		fmt.Fprintf(c.session.log, "gopls has ended (%s), starting it again\n", c.session.cause)
		s, err := startSession(c.ctx, c.opts)
		if err != nil {
			return nil, err
		}
		c.session = s
	default:
	}
	return c.session, nil
}

// Ready reports whether gopls has loaded the packages in Dir. Until then, calls wait for it.
func (c *Client) Ready() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.session.conn.DisconnectNotify():
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

// ask is the common part of Complete and Hover.
func (c *Client) ask(ctx context.Context, file, content, method string, offset int, result any) error {
	s, err := c.running()
	if err != nil {
		return err
	}
	return s.ask(ctx, file, content, method, offset, result)
}

// Changed tells gopls that files in its directory have changed, such as go.mod.
func (c *Client) Changed(names ...string) error {
	s, err := c.running()
	if err != nil {
		return err
	}
	select {
	case <-s.opened:
	default: // it will read them
		return nil
	}
	var changes []any
	for _, name := range names {
		const changed = 2 // a FileChangeType
		changes = append(changes, map[string]any{"uri": fileURI(filepath.Join(s.dir, name)), "type": changed})
	}
	return s.notify("workspace/didChangeWatchedFiles", map[string]any{"changes": changes})
}

// Close ends gopls and its descendants. It takes at most about half a second.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	s := c.session
	c.mu.Unlock()
	s.close()
}
