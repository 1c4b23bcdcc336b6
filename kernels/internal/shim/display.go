//go:build unix

package main

import (
	"encoding/gob"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

// Environment variables with the paths of GoNB's pipes for displays.
const (
	pipeEnv     = protocol.GONB_PIPE_ENV
	pipeBackEnv = protocol.GONB_PIPE_BACK_ENV
)

func init() { // as in GoNB; package protocol registers the other types
	gob.Register(map[string]any{})
	gob.Register([]any{})
}

// displays passes what a program displays from the program's pipe to GoNB's. GoNB stops reading its pipe when the
// program ends, and reads it concurrently to the output. Here nothing is lost, and displays stay in order with what was
// printed. It also answers the program's gonbui.Sync.
type displays struct {
	job         *job
	forth, back string // the program's pipes
	ended       chan struct{}
	passed      atomic.Int64 // number of messages
	replies     sync.Mutex
	program     func() *gob.Encoder // opens the pipe to the program when the program has

	mu      sync.Mutex
	gonb    *gob.Encoder // nil until the program displays something
	waiting bool         // GoNB has not acknowledged the last display
	acks    chan struct{}
}

// newDisplays makes the program's pipes and returns the changes of its environment.
func newDisplays(j *job) (*displays, []string, error) {
	d := &displays{job: j, forth: os.Getenv(pipeEnv) + ".cell", back: os.Getenv(pipeBackEnv) + ".cell",
		ended: make(chan struct{}), acks: make(chan struct{}, 1)}
	if err := errors.Join(syscall.Mkfifo(d.forth, 0o600), syscall.Mkfifo(d.back, 0o600)); err != nil {
		return nil, nil, err
	}
	d.program = sync.OnceValue(func() *gob.Encoder {
		w, err := os.OpenFile(d.back, os.O_WRONLY, 0)
		if err != nil {
			return nil
		}
		return gob.NewEncoder(w)
	})
	go d.pass()
	return d, []string{pipeEnv + "=" + d.forth, pipeBackEnv + "=" + d.back}, nil
}

// pass passes messages of the program to GoNB.
func (d *displays) pass() {
	defer close(d.ended)
	r, err := os.Open(d.forth) // waits for the program
	if err != nil {
		return
	}
	defer r.Close()
	go d.program() // the program waits for it
	messages := gob.NewDecoder(r)
	for {
		var m protocol.DisplayData
		if messages.Decode(&m) != nil {
			return
		}
		d.passed.Add(1)
		if request, ok := m.Data[protocol.MIMEJupyterInput].(protocol.InputRequest); ok {
			quiet(d.job.stdout)
			go d.job.keyboard.ask(request.Prompt, request.Password, d.job.state)
			continue
		}
		if value, ok := m.Data[protocol.MIMECommValue].(protocol.CommValue); ok && value.Address == protocol.GonbuiSyncAddress {
			d.reply(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: value.Value})
			continue
		}
		d.send(&m)
	}
}

// send sends a message to GoNB after what was printed before it.
func (d *displays) send(m *protocol.DisplayData) {
	quiet(d.job.stdout)
	quiet(d.job.stderr)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.gonb == nil {
		w, err1 := os.OpenFile(os.Getenv(pipeEnv), os.O_WRONLY, 0)
		r, err2 := os.Open(os.Getenv(pipeBackEnv))
		if errors.Join(err1, err2) != nil {
			return
		}
		d.gonb = gob.NewEncoder(w)
		go d.answer(r)
	}
	if d.gonb.Encode(m) == nil {
		d.waiting = true
	}
}

// answer passes GoNB's messages to the program.
func (d *displays) answer(r *os.File) {
	messages := gob.NewDecoder(r)
	for {
		var m protocol.CommValue
		if messages.Decode(&m) != nil {
			return
		}
		if m.Address == protocol.GonbuiSyncAckAddress {
			d.acks <- struct{}{}
		} else {
			d.reply(&m)
		}
	}
}

// reply sends a message to the program.
func (d *displays) reply(m *protocol.CommValue) {
	d.replies.Lock()
	defer d.replies.Unlock()
	if program := d.program(); program != nil {
		program.Encode(m)
	}
}

// sync waits until GoNB has published the displays.
func (d *displays) sync() {
	if d == nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waiting {
		return
	}
	d.waiting = false
	request := protocol.CommValue{Address: protocol.GonbuiSyncAddress, Value: 0}
	if d.gonb.Encode(&protocol.DisplayData{Data: map[protocol.MIMEType]any{protocol.MIMECommValue: request}}) != nil {
		return
	}
	select {
	case <-d.acks:
	case <-time.After(2 * time.Second): // GoNB could not read a message and reads no further
	}
}

// finish passes the rest, after the end of the program.
func (d *displays) finish() {
	defer os.Remove(d.forth)
	defer os.Remove(d.back)
	w, err := os.OpenFile(d.forth, os.O_WRONLY|syscall.O_NONBLOCK, 0) // for a program that has not opened it
	if err != nil {
		return
	}
	w.Close()
	for passed := int64(-1); d.passed.Load() != passed; { // else another process has it open
		passed = d.passed.Load()
		select {
		case <-d.ended:
			return
		case <-time.After(3 * time.Second):
		}
	}
}
