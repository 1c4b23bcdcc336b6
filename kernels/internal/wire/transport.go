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

// Our own transports are TCP and Unix sockets that one bad client cannot block
// for the others: it must greet in time, and take what it is sent.
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

// subscribers are called when somebody has subscribed at an address.
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

// greeting is the length of what both sides send first, before commands.
const greeting = 64

// Read implements [net.Conn].
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.read <= greeting && c.read+n > greeting {
		c.SetReadDeadline(time.Time{})
	}
	c.read += n
	// The frame of a subscription: no flags, its length, and 1 before the topic.
	// The library reads a frame's parts one by one, so the body comes alone.
	if c.read > greeting && n > 0 && bytes.HasPrefix(b[:n], []byte{1}) {
		if f, ok := subscribers.Load(c.addr); ok {
			time.AfterFunc(20*time.Millisecond, f.(func())) // when it has been noted
		}
	}
	return n, err
}

// Write implements [net.Conn].
func (c *conn) Write(b []byte) (int, error) {
	c.SetWriteDeadline(time.Now().Add(writeTime))
	n, err := c.Conn.Write(b)
	if err != nil {
		c.Close() // half a message is no message
	}
	return n, err
}

// guardedAddress makes an address one of our transports.
func guardedAddress(address string) string { return "kernel-" + address }

// OnSubscribe has f called when somebody subscribes at an address.
func OnSubscribe(address string, f func()) {
	_, addr, _ := strings.Cut(address, "://")
	subscribers.Store(addr, f)
}
