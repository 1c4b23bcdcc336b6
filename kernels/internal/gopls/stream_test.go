package gopls

import (
	"io"
	"strings"
	"testing"
)

// TestReadObject checks that a broken stream ends in an error.
func TestReadObject(t *testing.T) {
	for _, test := range []struct{ in, err string }{
		{"Content-Length: 2\r\n\r\n{}rest", ""},
		{"", "EOF"},
		{"Content-Length: 2\r\n", "EOF"},
		{"Content-Length: 5\r\n\r\n{}", ""}, // the next one fails
		{"Content-Length: 6\r\n\r\n{\"a\":", "EOF"},
		{"Content-Length: 99999999999999999999\r\n\r\n{}", "out of range"},
		{"Content-Length: -1\r\n\r\n{}", "invalid syntax"},
		{"Content-Type: x\r\n\r\n{}", "no Content-Length"},
		{"panic\n", "EOF"},
	} {
		var v struct{}
		err := newStream(strings.NewReader(test.in), io.Discard).ReadObject(&v)
		if test.err == "" && err != nil || test.err != "" && (err == nil || !strings.Contains(err.Error(), test.err)) {
			t.Errorf("%.40q: %v, want %q", test.in, err, test.err)
		}
	}
}

// endless is text without end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

// TestTooLong checks that a message above the limit ends the stream.
func TestTooLong(t *testing.T) {
	var v any
	source := &endless{}
	if err := newStream(source, io.Discard).ReadObject(&v); err == nil || source.read > maxMessage+1<<20 {
		t.Errorf("%v after %d bytes", err, source.read)
	}
}
