package gopls

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxFrame is far above any answer of gopls: what claims to be longer is no
// frame but a broken stream.
const maxFrame = 64 << 20

// readFrame returns the body of the next frame: header lines, of which
// Content-Length is needed, an empty line, and that many bytes. It returns
// io.EOF only between two frames. Memory grows with what has come, not with what
// was announced.
func readFrame(r *bufio.Reader) ([]byte, error) {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n') // fails on a line that is too long to be a header
		if err == io.EOF && !(first && len(line) == 0) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return nil, fmt.Errorf("%.40q is no header line", line)
		}
		if bytes.EqualFold(name, []byte("Content-Length")) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 || n > maxFrame {
				return nil, fmt.Errorf("Content-Length is %.40q, not a number up to %d", value, maxFrame)
			}
			length = n
		}
	}
	if length < 0 {
		return nil, errors.New("a frame without Content-Length")
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(length)))
	if err == nil && len(body) < length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, err
	}
	return body, nil
}

// frame puts the header before a body.
func frame(body []byte) []byte {
	return append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(body)), body...)
}
