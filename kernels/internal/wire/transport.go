package wire

import (
	"bytes"
	"context"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/transport"
)

// The guarded transports are TCP and Unix sockets on which a bad client cannot block others: each must send its
// greeting and read within a time limit.
const (
	greetingTime = 5 * time.Second
	writeTime    = 10 * time.Second
)

func init() {
	for _, t := range []*guarded{{"tcp", transport.New("tcp")}, {"ipc", transport.New("unix")}} {
		if err := zmq4.RegisterTransport("kernel-"+t.name, t); err != nil {
			panic(err) // registered once
		}
	}
}

// subscribers are the callbacks of OnSubscribe.
var subscribers sync.Map // func() by address

type guarded struct {
	name string
	transport.Transport
}

// Listen implements [transport.Transport].
func (g *guarded) Listen(ctx context.Context, addr string) (net.Listener, error) {
	l, err := g.Transport.Listen(ctx, addr)
	if err != nil {
		return nil, err
	}
	return listener{l, addr}, nil
}

type listener struct {
	net.Listener
	addr string
}

// Accept implements [net.Listener]. zmq4 calls it again at once after an error.
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		time.Sleep(10 * time.Millisecond)
		return nil, err
	}
	c.SetReadDeadline(time.Now().Add(greetingTime))
	return &conn{Conn: c, addr: l.addr}, nil
}

// conn is a connection to one client.
type conn struct {
	net.Conn
	addr string
	read int
}

// greeting is the length of the greeting that both sides send first.
const greeting = 64

// Read implements [net.Conn].
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.read <= greeting && c.read+n > greeting {
		c.SetReadDeadline(time.Time{})
	}
	c.read += n
	// A subscription is a frame without flags whose body is 1 and the topic. The library reads the parts of a frame one
	// by one, so the body is read alone.
	if c.read > greeting && n > 0 && bytes.HasPrefix(b[:n], []byte{1}) {
		if f, ok := subscribers.Load(c.addr); ok {
			time.AfterFunc(20*time.Millisecond, f.(func())) // after the library has registered it
		}
	}
	return n, err
}

// Write implements [net.Conn].
func (c *conn) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(writeTime))
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Close() // after half a message the connection is useless
	}
	return n, err
}

// guardedAddress returns an address for the guarded transports.
func guardedAddress(address string) string { return "kernel-" + address }

// OnSubscribe registers f to be called when a client subscribes at an address.
func OnSubscribe(address string, f func()) {
	_, addr, _ := strings.Cut(address, "://")
	subscribers.Store(addr, f)
}
