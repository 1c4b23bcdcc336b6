package front

import (
	"encoding/json"
	"io"
	"net"
	"regexp"
	"time"

	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/wire"
)

// readsInput matches a program that may read its standard input.
var readsInput = regexp.MustCompile(`\bos\.Stdin\b|\bfmt\.Scan`)

// serveInput answers requests for input by the programs of cells, until the kernel ends.
func (f *front) serveInput() error {
	l, err := net.Listen("unix", gonb.InputSocket(f.run))
	if err != nil {
		return err
	}
	go func() {
		<-f.ctx.Done()
		l.Close()
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go f.answerInput(c)
		}
	}()
	return nil
}

// answerInput asks the client for a line, and gives up if the program ends.
func (f *front) answerInput(c net.Conn) {
	defer c.Close()
	var request gonb.InputRequest
	if json.NewDecoder(c).Decode(&request) != nil {
		return
	}
	answers := make(chan string, 1)
	f.mu.Lock()
	r := f.running
	f.answers = answers
	f.mu.Unlock()
	if r == nil {
		return
	}
	defer func() {
		f.mu.Lock()
		if f.answers == answers {
			f.answers = nil
		}
		f.mu.Unlock()
	}()
	f.sockets.Stdin.SendMessage(wire.New(f.session, "input_request", r.Message, request))
	ended := make(chan struct{})
	go func() {
		io.Copy(io.Discard, c)
		close(ended)
	}()
	select {
	case line := <-answers:
		json.NewEncoder(c).Encode(gonb.InputReply{Value: line})
	case <-ended:
	case <-f.ctx.Done():
	}
}

// requestInput asks the client for the input of a command for which GoNB asks.
func (f *front) requestInput(m *wire.Message) {
	f.mu.Lock()
	r := f.running
	f.mu.Unlock()
	if r != nil {
		f.sockets.Stdin.SendMessage(wire.New(f.session, m.Header.Type, r.Message, m.Content))
	}
}

// onInput passes the client's input on: to the program that has asked, or to GoNB, with a delay, since GoNB begins to
// listen only after its request.
func (f *front) onInput(m *wire.Message) {
	f.mu.Lock()
	answers := f.answers
	f.answers = nil
	f.mu.Unlock()
	if answers != nil {
		var content struct {
			Value string `json:"value"`
		}
		if m.Read(&content) == nil {
			answers <- content.Value
		}
		return
	}
	time.Sleep(50 * time.Millisecond)
	if c, _ := f.gonb.Process(); c != nil {
		c.Sockets.Stdin.SendMessage(wire.New(c.Session, m.Header.Type, nil, m.Content))
	}
}
