//go:build unix

package main

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

// pump copies a stream of a job to GoNB, which reads a pipe in pieces and makes each piece a message. A pump splits no
// character, thins out progress bars, and diverts an endless output to a file. The zero value has no limits.
type pump struct {
	limit int    // bytes to copy before the output goes to a file; 0 for no limit
	path  string // the file, which gets the output from its beginning
	most  int64  // maximal size of the file in bytes; 0 for no limit

	// drained, if not nil, waits until the reader has read what was written.
	drained func()
	before  func()                    // if not nil, is called before each write
	edit    func(piece []byte) []byte // if not nil, changes each piece before it is written
	rest    func(text []byte) int     // if not nil, returns the number of bytes at the end that wait for the next read

	read   atomic.Int64 // number of chunks that were read but not yet written
	chunks atomic.Int64 // number of chunks that were read
	sent   int
	head   []byte // the output so far, until there is a file
	file   *os.File
	size   int64
}

// pieceSize is the size up to which a write to a pipe is atomic on every Unix.
const pieceSize = 4096

// A burst of writes is copied at once; after it, the pump writes once per interval.
const (
	burst    = 40
	interval = 50 * time.Millisecond
)

// copy copies r to w until r ends.
func (p *pump) copy(w io.Writer, r io.Reader) error {
	chunks := make(chan []byte)
	go func() {
		defer close(chunks)
		for {
			buffer := make([]byte, 32<<10)
			n, err := r.Read(buffer)
			if n > 0 {
				p.read.Add(1)
				p.chunks.Add(1)
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

// idle reports whether everything that was read has been written.
func (p *pump) idle() bool { return p.read.Load() == 0 }

// count returns a number that grows with every read.
func (p *pump) count() int64 { return p.chunks.Load() }

// flush writes what is pending, except an incomplete character at its end.
func (p *pump) flush(w io.Writer, pending *[]byte, last bool) error {
	text := *pending
	if p.file != nil {
		p.spill(text)
		*pending = nil
		return nil
	}
	keep := 0
	if !last {
		keep = len(text) - whole(text)
		if p.rest != nil {
			keep = max(keep, p.rest(text))
		}
	}
	*pending = append([]byte(nil), text[len(text)-keep:]...)
	text = text[:len(text)-keep]
	if p.limit > 0 {
		p.head = append(p.head, text...)
		if p.sent+len(text) > p.limit {
			rest := text[p.limit-p.sent:]
			text = text[:p.limit-p.sent]
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
func (p *pump) write(w io.Writer, text []byte) error {
	for len(text) > 0 {
		piece := text
		if p.drained != nil && len(piece) > pieceSize {
			piece = piece[:pieceSize]
			if end := bytes.LastIndexByte(piece, '\n'); end > 0 {
				piece = piece[:end+1]
			} else if n := whole(piece); n > 0 {
				piece = piece[:n]
			}
		}
		if p.before != nil {
			p.before()
		}
		edited := piece
		if p.edit != nil {
			edited = p.edit(piece)
		}
		if _, err := w.Write(edited); err != nil {
			return err
		}
		if p.drained != nil {
			p.drained()
		}
		text = text[len(piece):]
	}
	return nil
}

// overflow creates the file and says so in the output.
func (p *pump) overflow(w io.Writer, rest int) error {
	f, err := os.Create(p.path)
	if err != nil {
		p.limit = 0 // without a file, everything is shown
		return p.write(w, p.head[len(p.head)-rest:])
	}
	p.file = f
	head := p.head
	p.head = nil
	p.spill(head)
	note := fmt.Sprintf("\n… this output is longer than %s; all of it goes to %s\n", humanize.Bytes(uint64(p.limit)), p.path)
	return p.write(w, []byte(note))
}

// spill writes to the file, up to its maximal size.
func (p *pump) spill(text []byte) {
	if p.most > 0 && p.size+int64(len(text)) > p.most {
		text = text[:max(0, p.most-p.size)]
	}
	n, _ := p.file.Write(text) // on a full disk the file ends; the program goes on
	p.size += int64(n)
}

// close closes the file and describes it in the output.
func (p *pump) close(w io.Writer, err error) error {
	if p.file == nil {
		return err
	}
	p.file.Close()
	cut := ""
	if p.most > 0 && p.size >= p.most {
		cut = ", the maximal size of a file: the rest is lost"
	}
	return p.write(w, fmt.Appendf(nil, "… %s in %s%s\n", humanize.Bytes(uint64(p.size)), p.path, cut))
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
