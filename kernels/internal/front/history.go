package front

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"sync"

	"birnn/internal/atomicfile"
)

// historyEntry is an executed cell.
type historyEntry struct {
	Session int    `json:"session"`
	Line    int    `json:"line"` // the number of the cell in the session
	Input   string `json:"input"`
	Output  string `json:"output,omitempty"` // the result as text
}

// history has the executed cells of earlier sessions of a project and of the current one. It stores them in a file, one
// JSON line each.
type history struct {
	mu      sync.Mutex
	path    string
	most    int
	session int
	entries []historyEntry
	stored  int // number of lines in the file
	file    *os.File
}

// openHistory reads the history in a file and keeps the last most entries. It skips lines that a crash has truncated.
func openHistory(name string, most int) (*history, error) {
	h := &history{path: name, most: most, session: 1}
	data, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("history: %w", err)
	}
	for line := range bytes.Lines(data) {
		h.stored++
		var e historyEntry
		if json.Unmarshal(line, &e) != nil || e.Session < 1 {
			continue
		}
		h.entries = append(h.entries, e)
		h.session = max(h.session, e.Session+1)
	}
	h.entries = h.entries[max(0, len(h.entries)-most):]
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if h.file, err = os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("history: %w", err)
	}
	if len(data) > 0 && data[len(data)-1] != '\n' {
		io.WriteString(h.file, "\n") // ends the truncated line
	}
	return h, nil
}

// add adds a cell of the current session. Another kernel may add to the same file: each line is a single write.
func (h *history) add(line int, input string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := historyEntry{Session: h.session, Line: line, Input: input}
	h.entries = append(h.entries, e)
	h.entries = h.entries[max(0, len(h.entries)-h.most):]
	data, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if _, err := h.file.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	if h.stored++; h.stored > 2*h.most {
		return h.rewrite()
	}
	return nil
}

// setOutput sets the result of a cell of the current session, only in memory.
func (h *history) setOutput(line int, output string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := len(h.entries) - 1; i >= 0; i-- {
		if e := &h.entries[i]; e.Session == h.session && e.Line == line {
			e.Output = output
			return
		}
	}
}

// rewrite replaces the file by the entries in memory.
func (h *history) rewrite() error {
	var b bytes.Buffer
	for _, e := range h.entries {
		data, err := json.Marshal(e)
		if err != nil {
			return err
		}
		b.Write(append(data, '\n'))
	}
	h.file.Close() // Windows does not replace an open file
	err := atomicfile.WriteFile(h.path, b.Bytes(), 0o600)
	if err == nil {
		h.stored = len(h.entries)
	}
	var openErr error
	h.file, openErr = os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err := errors.Join(err, openErr); err != nil {
		return fmt.Errorf("history: %w", err)
	}
	return nil
}

// close closes the file.
func (h *history) close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.file.Close()
}

// historyQuery is the content of a history_request.
type historyQuery struct {
	Output  bool   `json:"output"`
	Type    string `json:"hist_access_type"` // tail, range or search
	Session int    `json:"session"`          // 0 is the current one, -1 the one before
	Start   int    `json:"start"`
	Stop    int    `json:"stop"` // exclusive
	N       int    `json:"n"`
	Pattern string `json:"pattern"` // with * and ?
	Unique  bool   `json:"unique"`
}

// find returns the matching entries in the form of the protocol, the oldest first: [session, line, input] or [session,
// line, [input, output]].
func (h *history) find(q historyQuery) [][]any {
	h.mu.Lock()
	defer h.mu.Unlock()
	session := q.Session
	if session <= 0 {
		session += h.session
	}
	var found []historyEntry
	for _, e := range h.entries {
		switch q.Type {
		case "range":
			if e.Session != session || e.Line < q.Start || q.Stop > 0 && e.Line >= q.Stop {
				continue
			}
		case "search":
			if !matches(q.Pattern, e.Input) {
				continue
			}
		}
		found = append(found, e)
	}
	if q.Unique {
		found = unique(found)
	}
	if q.N > 0 && q.Type != "range" {
		found = found[max(0, len(found)-q.N):]
	}
	answer := [][]any{} // null in JSON would be invalid
	for _, e := range found {
		if q.Output {
			answer = append(answer, []any{e.Session, e.Line, []any{e.Input, e.Output}})
		} else {
			answer = append(answer, []any{e.Session, e.Line, e.Input})
		}
	}
	return answer
}

// unique returns the entries without those whose input comes again later.
func unique(entries []historyEntry) []historyEntry {
	seen := map[string]bool{}
	var kept []historyEntry
	for i := len(entries) - 1; i >= 0; i-- {
		if e := entries[i]; !seen[e.Input] {
			seen[e.Input] = true
			kept = append(kept, e)
		}
	}
	for i, j := 0, len(kept)-1; i < j; i, j = i+1, j-1 {
		kept[i], kept[j] = kept[j], kept[i]
	}
	return kept
}

// matches reports whether text matches a pattern with * and ?.
func matches(pattern, text string) bool {
	if pattern == "" {
		return true
	}
	var escaped []rune
	for _, r := range pattern { // path.Match has other special characters
		if r == '[' || r == '\\' {
			escaped = append(escaped, '\\')
		}
		if r == '/' {
			r = 0
		}
		escaped = append(escaped, r)
	}
	ok, _ := path.Match(string(escaped), string(bytes.ReplaceAll([]byte(text), []byte{'/'}, []byte{0})))
	return ok
}
