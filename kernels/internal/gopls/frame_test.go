package gopls

import (
	"bufio"
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestReadFrame(t *testing.T) {
	for _, test := range []struct{ in, want, err string }{
		{"Content-Length: 2\r\n\r\n{}rest", "{}", ""},
		{"content-length:2\nContent-Type: x\n\n{}", "{}", ""},
		{"Content-Length: 0\r\n\r\n", "", ""},
		{"", "", "EOF"},
		{"Content-Length: 2\r\n", "", "unexpected EOF"},
		{"Content-Len", "", "unexpected EOF"},
		{"Content-Length: 5\r\n\r\n{}", "", "unexpected EOF"},
		{"Content-Length: 67108864\r\n\r\n{}", "", "unexpected EOF"},
		{"Content-Length: 67108865\r\n\r\n{}", "", "up to 67108864"},
		{"Content-Length: 99999999999999999999\r\n\r\n{}", "", "up to 67108864"},
		{"Content-Length: -1\r\n\r\n{}", "", "up to 67108864"},
		{"Content-Length:\r\n\r\n{}", "", "up to 67108864"},
		{"Content-Type: x\r\n\r\n{}", "", "without Content-Length"},
		{"panic\n", "", `"panic" is not a header line`},
		{strings.Repeat("x", 1e5), "", "buffer full"},
	} {
		got, err := readFrame(bufio.NewReader(strings.NewReader(test.in)))
		if test.err == "" && (err != nil || string(got) != test.want) {
			t.Errorf("%.40q: got %q, %v, want %q", test.in, got, err, test.want)
		}
		if test.err != "" && (err == nil || !strings.HasSuffix(err.Error(), test.err)) {
			t.Errorf("%.40q: got %q, %v, want the error %q", test.in, got, err, test.err)
		}
	}
}

// FuzzReadFrame reads arbitrary data to its end: the bodies are not longer than the data, and each is the same after
// writing and reading it.
func FuzzReadFrame(f *testing.F) {
	f.Add([]byte("Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\n[1]"))
	f.Add([]byte("Content-Length: 67108864\r\n\r\n{"))
	f.Add([]byte("A: b\nContent-Length: 1\nContent-Length: 2\n\n\n\n\n"))
	f.Add([]byte("\xff\x00:\n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bufio.NewReader(bytes.NewReader(data))
		total := 0
		for {
			body, err := readFrame(r)
			if err != nil {
				if err == io.EOF && r.Buffered() > 0 {
					t.Errorf("EOF with %d bytes left", r.Buffered())
				}
				return
			}
			total += len(body)
			if total > len(data) {
				t.Fatalf("%d bytes from %d", total, len(data))
			}
			again, err := readFrame(bufio.NewReader(bytes.NewReader(frame(body))))
			if err != nil || !bytes.Equal(again, body) {
				t.Fatalf("%q written is read as %q, %v", body, again, err)
			}
		}
	})
}
