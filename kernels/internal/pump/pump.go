// Package pump carries what a cell's program writes to GoNB, which reads a pipe
// in pieces and makes each piece a message: so that no character is cut in two,
// a progress bar is not a flood, and an endless output ends in a file.
package pump

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// Pump carries one stream. The zero value bounds nothing.
type Pump struct {
	Limit int    // bytes that go through before the rest goes to a file; 0 for no limit
	File  string // that file; it has all that was written, from the start
	Most  int64  // bytes that the file may have; 0 for no limit

	// Drained waits until the reader has taken what was written; nil if the
	// writer need not know.
	Drained func()
	Before  func()               // is called before a piece is written; nil for nothing
	Told    func(message string) // is told of an output that goes to a file

	read atomic.Int64 // chunks that were read and not yet written
	sent int
	head []byte // what went through, until there is a file
	file *os.File
	size int64
}

// pieceSize is how much a pipe takes in one piece, on every Unix.
const pieceSize = 4096

// A burst of writes goes through at once; after it, there are few a second.
const (
	burst    = 40
	interval = 50 * time.Millisecond
)

// Copy carries r to w until r ends.
func (p *Pump) Copy(w io.Writer, r io.Reader) error {
	chunks := make(chan []byte)
	go func() {
		defer close(chunks)
		for {
			buffer := make([]byte, 32<<10)
			n, err := r.Read(buffer)
			if n > 0 {
				p.read.Add(1)
				chunks <- buffer[:n]
			}
			if err != nil {
				return
			}
		}
	}()
	defer p.read.Store(0)
	drain := func() {
		for range chunks {
		}
	}
	var pending []byte
	waiting := int64(0) // chunks of them
	tokens, refilled := burst, time.Now()
	var timer <-chan time.Time
	for {
		select {
		case chunk, open := <-chunks:
			if !open {
				err := p.flush(w, &pending, true)
				return p.close(w, err)
			}
			pending = append(pending, chunk...)
			waiting++
			now := time.Now()
			if more := int(now.Sub(refilled) / interval); more > 0 {
				tokens, refilled = min(burst, tokens+more), now
			}
			if tokens == 0 && len(pending) < 1<<20 && p.file == nil {
				if timer == nil {
					timer = time.After(interval)
				}
				continue
			}
			tokens = max(0, tokens-1)
		case <-timer:
		}
		timer = nil
		if err := p.flush(w, &pending, false); err != nil {
			drain() // the program shall not hang because its output has nowhere to go
			return err
		}
		p.read.Add(-waiting)
		waiting = 0
	}
}

// Idle tells whether everything that was read is written.
func (p *Pump) Idle() bool { return p.read.Load() == 0 }

// flush writes what is pending, but for the start of a character whose end is
// not there yet.
func (p *Pump) flush(w io.Writer, pending *[]byte, last bool) error {
	text := *pending
	if p.file != nil {
		p.spill(text)
		*pending = nil
		return nil
	}
	keep := 0
	if !last {
		keep = len(text) - whole(text)
	}
	*pending = append([]byte(nil), text[len(text)-keep:]...)
	text = text[:len(text)-keep]
	if p.Limit > 0 {
		p.head = append(p.head, text...)
		if p.sent+len(text) > p.Limit {
			rest := text[p.Limit-p.sent:]
			text = text[:p.Limit-p.sent]
			text = text[:whole(text)]
			if err := p.write(w, collapse(text)); err != nil {
				return err
			}
			return p.overflow(w, len(rest))
		}
		p.sent += len(text)
	}
	return p.write(w, collapse(text))
}

// write writes in pieces that arrive whole.
func (p *Pump) write(w io.Writer, text []byte) error {
	for len(text) > 0 {
		piece := text
		if p.Drained != nil && len(piece) > pieceSize {
			piece = piece[:pieceSize]
			if end := bytes.LastIndexByte(piece, '\n'); end > 0 {
				piece = piece[:end+1]
			} else if n := whole(piece); n > 0 {
				piece = piece[:n]
			}
		}
		if p.Before != nil {
			p.Before()
		}
		if _, err := w.Write(piece); err != nil {
			return err
		}
		if p.Drained != nil {
			p.Drained()
		}
		text = text[len(piece):]
	}
	return nil
}

// overflow begins the file and says so in the output.
func (p *Pump) overflow(w io.Writer, rest int) error {
	f, err := os.Create(p.File)
	if err != nil {
		p.Limit = 0 // no room for a file: then everything is shown
		return p.write(w, p.head[len(p.head)-rest:])
	}
	p.file = f
	head := p.head
	p.head = nil
	p.spill(head)
	note := fmt.Sprintf("\n… this output is longer than %s; all of it goes to %s\n", humanize.Bytes(uint64(p.Limit)), p.File)
	if p.Told != nil {
		p.Told(p.File)
	}
	return p.write(w, []byte(note))
}

// spill writes to the file, as much as it may have.
func (p *Pump) spill(text []byte) {
	if p.Most > 0 && p.size+int64(len(text)) > p.Most {
		text = text[:max(0, p.Most-p.size)]
	}
	n, _ := p.file.Write(text) // a full disk ends the file; the program goes on
	p.size += int64(n)
}

// close ends the file with a word about it.
func (p *Pump) close(w io.Writer, err error) error {
	if p.file == nil {
		return err
	}
	p.file.Close()
	cut := ""
	if p.Most > 0 && p.size >= p.Most {
		cut = ", which is as much as a file may have: the rest is lost"
	}
	return p.write(w, fmt.Appendf(nil, "… %s in %s%s\n", humanize.Bytes(uint64(p.size)), p.File, cut))
}

// whole returns the length of text without the start of a character at its end.
func whole(text []byte) int {
	for back := 1; back <= min(utf8.UTFMax-1, len(text)); back++ {
		at := len(text) - back
		if utf8.RuneStart(text[at]) {
			if !utf8.FullRune(text[at:]) {
				return at
			}
			break
		}
	}
	return len(text)
}

// collapse drops from each line what a carriage return takes back later in it,
// as a progress bar does many times a second.
func collapse(text []byte) []byte {
	if bytes.Count(text, []byte{'\r'}) < 2 {
		return text
	}
	var kept []byte
	for line := range bytes.Lines(text) {
		end := len(bytes.TrimRight(line, "\r\n")) // "\r\n" ends a line
		if last := bytes.LastIndexByte(line[:end], '\r'); last > 0 {
			line = line[last:]
		}
		kept = append(kept, line...)
	}
	return kept
}
