package gopls

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// maxFrame is the maximal length of a frame, far above that of any answer of gopls: a longer one means a broken stream.
const maxFrame = 64 << 20

// readFrame returns the body of the next frame, which has header lines with a Content-Length, an empty line, and that
// many bytes. It returns io.EOF only between frames. It allocates memory for what has arrived, not for what was
// announced.
func readFrame(r *bufio.Reader) ([]byte, error) {
	length := -1
	for first := true; ; first = false {
		line, err := r.ReadSlice('\n') // fails on a line longer than the buffer
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
			return nil, fmt.Errorf("%.40q is not a header line", line)
		}
		if bytes.EqualFold(name, []byte("Content-Length")) {
			n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil || n < 0 || n > maxFrame {
				return nil, fmt.Errorf("Content-Length is %.40q, expected a number up to %d", value, maxFrame)
			}
			length = n
		}
	}
	if length < 0 {
		return nil, errors.New("frame without Content-Length")
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

// frame returns a body with its header.
func frame(body []byte) []byte {
	return append(fmt.Appendf(nil, "Content-Length: %d\r\n\r\n", len(body)), body...)
}
