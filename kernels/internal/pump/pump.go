// Package pump copies the output of a cell's program to GoNB, which reads a pipe in pieces and makes each piece a
// message. A pump splits no character, thins out progress bars, and diverts an endless output to a file.
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

// Pump copies one stream. The zero value has no limits.
type Pump struct {
	Limit int    // bytes to copy before the output goes to a file; 0 for no limit
	File  string // the file, which gets the output from its beginning
	Most  int64  // maximal size of the file in bytes; 0 for no limit

	// Drained, if not nil, waits until the reader has read what was written.
	Drained func()
	Before  func()                    // if not nil, is called before each write
	Edit    func(piece []byte) []byte // if not nil, changes each piece before it is written
	Rest    func(text []byte) int     // if not nil, returns the number of bytes at the end that wait for the next read
	Told    func(message string)      // if not nil, is called with the file's name when the output goes there

	read  atomic.Int64 // number of chunks that were read but not yet written
	count atomic.Int64 // number of chunks that were read
	sent  int
	head  []byte // the output so far, until there is a file
	file  *os.File
	size  int64
}

// pieceSize is the size up to which a write to a pipe is atomic on every Unix.
const pieceSize = 4096

// A burst of writes is copied at once; after it, the pump writes once per interval.
const (
	burst    = 40
	interval = 50 * time.Millisecond
)

// Copy copies r to w until r ends.
func (p *Pump) Copy(w io.Writer, r io.Reader) error {
	chunks := make(chan []byte)
	go func() {
		defer close(chunks)
		for {
			buffer := make([]byte, 32<<10)
			n, err := r.Read(buffer)
			if n > 0 {
				p.read.Add(1)
				p.count.Add(1)
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
	waiting := int64(0) // number of chunks in pending
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
			drain() // or the program would block on its output
			return err
		}
		p.read.Add(-waiting)
		waiting = 0
	}
}

// Idle reports whether everything that was read has been written.
func (p *Pump) Idle() bool { return p.read.Load() == 0 }

// Count returns a number that grows with every read.
func (p *Pump) Count() int64 { return p.count.Load() }

// flush writes what is pending, except an incomplete character at its end.
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
		if p.Rest != nil {
			keep = max(keep, p.Rest(text))
		}
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

// write writes text in pieces that the reader gets undivided.
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
		edited := piece
		if p.Edit != nil {
			edited = p.Edit(piece)
		}
		if _, err := w.Write(edited); err != nil {
			return err
		}
		if p.Drained != nil {
			p.Drained()
		}
		text = text[len(piece):]
	}
	return nil
}

// overflow creates the file and says so in the output.
func (p *Pump) overflow(w io.Writer, rest int) error {
	f, err := os.Create(p.File)
	if err != nil {
		p.Limit = 0 // without a file, everything is shown
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

// spill writes to the file, up to its maximal size.
func (p *Pump) spill(text []byte) {
	if p.Most > 0 && p.size+int64(len(text)) > p.Most {
		text = text[:max(0, p.Most-p.size)]
	}
	n, _ := p.file.Write(text) // on a full disk the file ends; the program goes on
	p.size += int64(n)
}

// close closes the file and describes it in the output.
func (p *Pump) close(w io.Writer, err error) error {
	if p.file == nil {
		return err
	}
	p.file.Close()
	cut := ""
	if p.Most > 0 && p.size >= p.Most {
		cut = ", the maximal size of a file: the rest is lost"
	}
	return p.write(w, fmt.Appendf(nil, "… %s in %s%s\n", humanize.Bytes(uint64(p.size)), p.File, cut))
}

// whole returns the length of text without an incomplete character at its end.
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

// collapse removes from each line what a later carriage return overwrites, as progress bars do many times a second.
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
