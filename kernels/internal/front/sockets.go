package front

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"

	"birnn/kernels/internal/wire"
)

// socket is a ZeroMQ socket that several goroutines may send on.
type socket struct {
	zmq4.Socket
	mu  sync.Mutex
	key []byte
}

func (s *socket) send(m *wire.Message) error {
	frames := m.Encode(s.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.SendMulti(zmq4.NewMsgFrom(frames...))
}

// receive hands every message that comes to handle, until ctx ends. What is no
// message, or not signed with our key, is logged and dropped.
func (s *socket) receive(ctx context.Context, name string, logf func(string, ...any), handle func(*wire.Message)) {
	for {
		msg, err := s.Recv()
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			logf("%s: %v", name, err)
			time.Sleep(10 * time.Millisecond) // that peer is gone; others may come
			continue
		}
		m, err := wire.Decode(msg.Frames, s.key)
		if err != nil {
			logf("%s: dropped a message: %v", name, err)
			continue
		}
		handle(m)
	}
}

// sockets are a kernel's five, on its own side.
type sockets struct {
	shell, control, stdin, iopub, heartbeat *socket
}

// bind opens the sockets of a connection.
func bind(ctx context.Context, c wire.Connection) (*sockets, error) {
	key := []byte(c.Key)
	s := &sockets{
		shell:     &socket{Socket: zmq4.NewRouter(ctx), key: key},
		control:   &socket{Socket: zmq4.NewRouter(ctx), key: key},
		stdin:     &socket{Socket: zmq4.NewRouter(ctx), key: key},
		iopub:     &socket{Socket: zmq4.NewPub(ctx), key: key},
		heartbeat: &socket{Socket: zmq4.NewRouter(ctx), key: key},
	}
	for _, b := range []struct {
		name string
		s    *socket
		port int
	}{{"shell", s.shell, c.Shell}, {"control", s.control, c.Control}, {"stdin", s.stdin, c.Stdin}, {"iopub", s.iopub, c.IOPub}, {"heartbeat", s.heartbeat, c.Heartbeat}} {
		if err := b.s.Listen(c.Address(b.port)); err != nil {
			s.close()
			return nil, fmt.Errorf("the %s socket: %w", b.name, err)
		}
	}
	return s, nil
}

// echo answers heartbeats.
func (s *sockets) echo(ctx context.Context) {
	for ctx.Err() == nil {
		msg, err := s.heartbeat.Recv()
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.heartbeat.SendMulti(msg)
	}
}

func (s *sockets) close() error {
	var err error
	for _, one := range []*socket{s.shell, s.control, s.stdin, s.iopub, s.heartbeat} {
		err = errors.Join(err, one.Close())
	}
	return err
}

// dial connects to the sockets of a kernel, as its client.
func dial(ctx context.Context, c wire.Connection) (*sockets, error) {
	key := []byte(c.Key)
	patient := []zmq4.Option{zmq4.WithDialerRetry(5 * time.Millisecond), zmq4.WithDialerMaxRetries(4000), zmq4.WithID(zmq4.SocketIdentity(wire.NewID()))}
	s := &sockets{
		shell:   &socket{Socket: zmq4.NewDealer(ctx, patient...), key: key},
		control: &socket{Socket: zmq4.NewDealer(ctx, patient...), key: key},
		stdin:   &socket{Socket: zmq4.NewDealer(ctx, patient...), key: key},
		iopub:   &socket{Socket: zmq4.NewSub(ctx, patient...), key: key},
	}
	err := errors.Join(
		s.iopub.Dial(c.Address(c.IOPub)),
		s.shell.Dial(c.Address(c.Shell)),
		s.control.Dial(c.Address(c.Control)),
		s.stdin.Dial(c.Address(c.Stdin)),
	)
	if err == nil {
		err = s.iopub.SetOption(zmq4.OptionSubscribe, "")
	}
	if err != nil {
		s.hangUp()
		return nil, err
	}
	return s, nil
}

func (s *sockets) hangUp() {
	for _, one := range []*socket{s.shell, s.control, s.stdin, s.iopub} {
		one.Close()
	}
}
