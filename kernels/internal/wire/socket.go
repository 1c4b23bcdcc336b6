package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
)

// Socket is a ZeroMQ socket. Several goroutines may send on it.
type Socket struct {
	zmq4.Socket
	mu  sync.Mutex
	key []byte
}

// WithKey returns the socket with another key for signatures.
func (s *Socket) WithKey(key string) *Socket { return &Socket{Socket: s.Socket, key: []byte(key)} }

// SendMessage signs and sends a message.
func (s *Socket) SendMessage(m *Message) error {
	frames := m.encode(s.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.SendMulti(zmq4.NewMsgFrom(frames...))
}

// Receive calls handle for every message until ctx ends. It logs and drops invalid messages and those not signed with
// the socket's key.
func (s *Socket) Receive(ctx context.Context, name string, logf func(string, ...any), handle func(*Message)) {
	for {
		msg, err := s.Recv()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			logf("%s: %v", name, err)
			time.Sleep(10 * time.Millisecond) // this peer is gone; others may connect
			continue
		}
		m, err := decode(msg.Frames, s.key)
		if err != nil {
			logf("%s: dropped a message: %v", name, err)
			continue
		}
		handle(m)
	}
}

// Sockets are the five sockets of a kernel or its client; a client has none for the heartbeat.
type Sockets struct {
	Shell, Control, Stdin, IOPub, heartbeat *Socket
}

// Bind opens the sockets of a connection.
func Bind(ctx context.Context, c Connection) (*Sockets, error) {
	key := []byte(c.Key)
	s := &Sockets{
		Shell:     &Socket{Socket: zmq4.NewRouter(ctx), key: key},
		Control:   &Socket{Socket: zmq4.NewRouter(ctx), key: key},
		Stdin:     &Socket{Socket: zmq4.NewRouter(ctx), key: key},
		IOPub:     &Socket{Socket: zmq4.NewPub(ctx), key: key},
		heartbeat: &Socket{Socket: zmq4.NewRouter(ctx), key: key},
	}
	for _, b := range []struct {
		name string
		s    *Socket
		port int
	}{{"shell", s.Shell, c.Shell}, {"control", s.Control, c.Control}, {"stdin", s.Stdin, c.Stdin}, {"iopub", s.IOPub, c.IOPub}, {"heartbeat", s.heartbeat, c.Heartbeat}} {
		if err := b.s.Listen(guardedAddress(c.Address(b.port))); err != nil {
			s.Close()
			return nil, fmt.Errorf("the %s socket: %w", b.name, err)
		}
	}
	return s, nil
}

// Echo answers heartbeats.
func (s *Sockets) Echo(ctx context.Context) {
	for ctx.Err() == nil {
		msg, err := s.heartbeat.Recv()
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.heartbeat.SendMulti(msg)
	}
}

// Close closes the sockets.
func (s *Sockets) Close() error {
	var err error
	for _, one := range []*Socket{s.Shell, s.Control, s.Stdin, s.IOPub, s.heartbeat} {
		if one != nil {
			err = errors.Join(err, one.Close())
		}
	}
	return err
}

// dial connects a client to the sockets of a kernel.
func dial(ctx context.Context, c Connection) (*Sockets, error) {
	key := []byte(c.Key)
	patient := []zmq4.Option{zmq4.WithDialerRetry(5 * time.Millisecond), zmq4.WithDialerMaxRetries(4000), zmq4.WithID(zmq4.SocketIdentity(NewID()))}
	s := &Sockets{
		Shell:   &Socket{Socket: zmq4.NewDealer(ctx, patient...), key: key},
		Control: &Socket{Socket: zmq4.NewDealer(ctx, patient...), key: key},
		Stdin:   &Socket{Socket: zmq4.NewDealer(ctx, patient...), key: key},
		IOPub:   &Socket{Socket: zmq4.NewSub(ctx, patient...), key: key},
	}
	err := errors.Join(
		s.IOPub.Dial(c.Address(c.IOPub)),
		s.Shell.Dial(c.Address(c.Shell)),
		s.Control.Dial(c.Address(c.Control)),
		s.Stdin.Dial(c.Address(c.Stdin)),
	)
	if err == nil {
		err = s.IOPub.SetOption(zmq4.OptionSubscribe, "")
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}
