//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

// pieces records every write.
type pieces [][]byte

func (p *pieces) Write(b []byte) (int, error) {
	*p = append(*p, bytes.Clone(b))
	return len(b), nil
}

func (p pieces) String() string { return string(bytes.Join(p, nil)) }

func TestCharactersStayWhole(t *testing.T) {
	text := strings.Repeat("分开🙂", 5000)
	var got pieces
	p := &pump{drained: func() {}}
	// Reading single bytes splits every character.
	if err := p.copy(&got, oneByOne{strings.NewReader(text)}); err != nil {
		t.Fatal(err)
	}
	if got.String() != text {
		t.Error("the text is not the one written")
	}
	for _, piece := range got {
		if !utf8.Valid(piece) || len(piece) > pieceSize {
			t.Fatalf("a piece of %d bytes: %q", len(piece), piece)
		}
	}
}

type oneByOne struct{ r io.Reader }

func (o oneByOne) Read(b []byte) (int, error) { return o.r.Read(b[:1]) }

func TestNotText(t *testing.T) {
	var got pieces
	if err := new(pump).copy(&got, strings.NewReader("a\xff\xe5")); err != nil || got.String() != "a\xff\xe5" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestProgressBar draws a bar 20,000 times in ten seconds of a fake clock.
func TestProgressBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const length = 10 * time.Second
		r, w := io.Pipe()
		go func() {
			for i := range 20000 {
				io.WriteString(w, "\r"+strings.Repeat("#", i/1000))
				time.Sleep(length / 20000)
			}
			io.WriteString(w, "\r100%\nend\n")
			w.Close()
		}()
		var got pieces
		if err := new(pump).copy(&got, r); err != nil {
			t.Fatal(err)
		}
		if all := got.String(); len(got) > burst+int(length/interval)+1 || !strings.HasSuffix(all, "\r100%\nend\n") {
			t.Errorf("%d writes, the last %q", len(got), all[max(0, len(all)-30):])
		}
	})
}

func TestCollapse(t *testing.T) {
	for text, want := range map[string]string{
		"a\n": "a\n", "a\r\nb\r\n": "a\r\nb\r\n", "1\r2\r3": "\r3", "x\n1\r2\r3\ny": "x\n\r3\ny", "\r1\r2": "\r2", "a\rb": "a\rb",
	} {
		if got := string(collapse([]byte(text))); got != want {
			t.Errorf("collapse(%q) is %q, want %q", text, got, want)
		}
	}
}

func TestLimit(t *testing.T) {
	text := strings.Repeat("一二三四\n", 2000) // 26,000 bytes
	var got pieces
	p := &pump{limit: 1000, path: filepath.Join(t.TempDir(), "output.txt"), most: 20000}
	// The first chunk ends within a character.
	if err := p.copy(&got, io.MultiReader(strings.NewReader(text[:1]), strings.NewReader(text[1:5000]), strings.NewReader(text[5000:]))); err != nil {
		t.Fatal(err)
	}
	all := got.String()
	if !strings.HasPrefix(all, text[:990]) || len(all) > 1500 || !utf8.ValidString(all) || !strings.Contains(all, "the rest is lost") {
		t.Errorf("shown is %q", all)
	}
	if strings.Count(all, "is longer than") != 1 {
		t.Errorf("it is told several times: %q", all)
	}
	if data, err := os.ReadFile(p.path); err != nil || string(data) != text[:20000] {
		t.Errorf("the file has %d bytes, %v", len(data), err)
	}
}

// TestReaderGone checks that the writer goes on after the reader has failed.
func TestReaderGone(t *testing.T) {
	r, w := io.Pipe()
	done := make(chan error)
	go func() { done <- new(pump).copy(failing{}, r) }()
	for range 1000 {
		if _, err := io.WriteString(w, strings.Repeat("x", 1000)); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if err := <-done; err == nil {
		t.Error("no error")
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
