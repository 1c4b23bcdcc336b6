// Command cache is a GOCACHEPROG with two layers: it reads from a shared GOCACHE, which it never changes, and stores
// what is missing there in the user's cache directory. (The go command cannot use a read-only directory as its GOCACHE:
// it reports that packages of the standard library do not exist.)
//
//	GOCACHEPROG="cache <shared GOCACHE>"
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"birnn/internal/atomicfile"
)

// request and response are the messages of "go doc cmd/go/internal/cacheprog".
type request struct {
	ID                 int64
	Command            string
	ActionID, OutputID []byte
	BodySize           int64 // if not 0, the body follows as a JSON string in base64
}

type response struct {
	ID            int64
	Err           string   `json:",omitempty"`
	KnownCommands []string `json:",omitempty"`
	Miss          bool     `json:",omitempty"`
	OutputID      []byte   `json:",omitempty"`
	Size          int64    `json:",omitempty"`
	DiskPath      string   `json:",omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("expected one argument, the shared GOCACHE")
	}
	user, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	c := cache{own: layer(filepath.Join(user, "birnn-build")), shared: layer(os.Args[1])}
	return c.serve(os.Stdin, os.Stdout)
}

type cache struct{ own, shared layer }

// serve answers the requests of the go command until it ends.
func (c cache) serve(r io.Reader, w io.Writer) error {
	in, out := json.NewDecoder(bufio.NewReader(r)), json.NewEncoder(w)
	if err := out.Encode(response{KnownCommands: []string{"get", "put", "close"}}); err != nil {
		return err
	}
	for {
		var q request
		if err := in.Decode(&q); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		var body []byte
		if q.BodySize > 0 {
			if err := in.Decode(&body); err != nil {
				return err
			}
		}
		answer := response{ID: q.ID}
		switch q.Command {
		case "get":
			for _, l := range []layer{c.own, c.shared} {
				if answer.OutputID, answer.Size, answer.DiskPath = l.get(q.ActionID); answer.DiskPath != "" {
					break
				}
			}
			answer.Miss = answer.DiskPath == ""
		case "put":
			path, err := c.own.put(q.ActionID, q.OutputID, body)
			if answer.DiskPath = path; err != nil {
				answer.Err = err.Error()
			}
		}
		if err := out.Encode(answer); err != nil {
			return err
		}
		if q.Command == "close" {
			return nil
		}
	}
}

// layer is a directory in the format of a GOCACHE.
type layer string

// entry is the format of an action's file: the action, its output, the size of the output and the time, which is
// ignored here.
const entry = "v1 %x %x %20d %20d\n"

func (l layer) file(id []byte, kind string) string {
	return filepath.Join(string(l), fmt.Sprintf("%.1x", id), fmt.Sprintf("%x-%s", id, kind))
}

// get returns the output of an action; path is empty if it is missing.
func (l layer) get(action []byte) (output []byte, size int64, path string) {
	data, err := os.ReadFile(l.file(action, "a"))
	if err != nil {
		return nil, 0, ""
	}
	var id []byte
	var when int64
	if _, err := fmt.Sscanf(string(data), entry, &id, &output, &size, &when); err != nil {
		return nil, 0, ""
	}
	path = l.file(output, "d")
	if info, err := os.Stat(path); err != nil || info.Size() != size {
		return nil, 0, ""
	}
	return output, size, path
}

// put stores the output of an action and returns its path.
func (l layer) put(action, output, body []byte) (path string, err error) {
	path = l.file(output, "d")
	return path, errors.Join(write(path, body), write(l.file(action, "a"), fmt.Appendf(nil, entry, action, output, len(body), 0)))
}

// write writes a file in a directory that may not exist yet.
func write(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data, 0o600)
}
