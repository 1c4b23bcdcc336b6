package gopls

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/sourcegraph/jsonrpc2"
)

var (
	errEnded = errors.New("gopls has ended")
	errStuck = errors.New("gopls does not read its requests")
)

const (
	// queued is the maximal number of messages that gopls has not read. It reads at once unless it is stopped.
	queued = 256
	// maxMessage is the maximal length of a message in bytes, far above that of any answer of gopls: a longer one means a
	// broken stream.
	maxMessage = 64 << 20
)

// stream is the stream of messages from and to gopls. Writing does not wait for gopls to read.
type stream struct {
	codec  jsonrpc2.VSCodeObjectCodec
	limit  *io.LimitedReader
	in     *bufio.Reader // of limit
	out    chan []byte
	closed chan struct{}
}

var _ jsonrpc2.ObjectStream = (*stream)(nil)

func newStream(r io.Reader, w io.Writer) *stream {
	s := &stream{limit: &io.LimitedReader{R: r}, out: make(chan []byte, queued), closed: make(chan struct{})}
	s.in = bufio.NewReader(s.limit)
	go func() {
		for {
			select {
			case message := <-s.out:
				if _, err := w.Write(message); err != nil {
					return // the stream from gopls ends, too
				}
			case <-s.closed:
				return
			}
		}
	}()
	return s
}

// ReadObject reads the next message. It returns io.EOF at one that is too long.
func (s *stream) ReadObject(v any) error {
	s.limit.N = maxMessage
	return s.codec.ReadObject(s.in, v)
}

// WriteObject writes a message, or returns errStuck.
func (s *stream) WriteObject(v any) error {
	var message bytes.Buffer
	if err := s.codec.WriteObject(&message, v); err != nil {
		return err
	}
	select {
	case s.out <- message.Bytes():
		return nil
	default:
		return errStuck
	}
}

func (s *stream) Close() error {
	close(s.closed) // once: the connection closes its stream once
	return nil
}
