package gopls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"birnn/kernels/internal/process"
)

// grace is how long gopls may take to end when asked to. While it loads the
// workspace it does not listen.
const grace = 500 * time.Millisecond

// session is one gopls process.
type session struct {
	*conn
	dir    string
	cmd    *exec.Cmd
	cancel context.CancelFunc
	log    io.Writer
	opened chan struct{} // closed when it may be asked
	loaded chan struct{} // closed when it has loaded the workspace
	done   chan struct{} // closed when the process is gone, and its children are killed
	cause  string        // of that

	mu    sync.Mutex
	files map[string]*overlay // by URI
}

// overlay is a file as gopls has been told that it is.
type overlay struct {
	version int
	content string
}

func startSession(ctx context.Context, opts Options) (*session, error) {
	temp, err := os.MkdirTemp("", "gopls-") // it leaves things there when killed
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	env := append([]string{
		"TMPDIR=" + temp, "TMP=" + temp, "TEMP=" + temp,
		// Its telemetry would be a process in a group of its own. The value is the
		// one that it gives to the children of that process, for which there is none.
		"GO_TELEMETRY_CHILD=2",
		"GOGC=50", // two fifths less memory for no time that one would notice
	}, opts.Env...)
	cmd := process.Command(ctx, process.Options{Dir: opts.Dir, Env: env, Grace: grace}, opts.Command, "serve")
	s := &session{
		dir: opts.Dir, cmd: cmd, cancel: cancel, log: io.Discard,
		opened: make(chan struct{}), loaded: make(chan struct{}), done: make(chan struct{}),
		files: map[string]*overlay{},
	}
	if opts.Log != nil {
		s.log = &lockedWriter{w: opts.Log}
	}
	cmd.Stderr = s.log
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	if err = errors.Join(err1, err2); err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		os.Remove(temp)
		return nil, fmt.Errorf("%w; \"go run ./kernels install\" installs gopls", err)
	}
	s.conn = newConn(stdin)
	go func() {
		defer close(s.done)
		err := s.read(stdout, s.handle)
		process.End(cmd)
		cancel() // ends it where there are no process groups
		s.cause = fmt.Sprintf("%v, %v", err, cmd.Wait())
		os.RemoveAll(temp)
	}()
	go s.open(ctx)
	return s, nil
}

// open introduces client and server to each other.
func (s *session) open(ctx context.Context) {
	folder := fileURI(s.dir)
	r, err := s.request("initialize", map[string]any{
		"processId":             os.Getpid(),
		"rootUri":               folder,
		"workspaceFolders":      []any{map[string]any{"uri": folder, "name": filepath.Base(s.dir)}},
		"initializationOptions": settings,
		"capabilities": map[string]any{
			"window":       map[string]any{"workDoneProgress": true},
			"textDocument": map[string]any{"hover": map[string]any{"contentFormat": []string{"markdown"}}},
		},
	})
	if err == nil {
		var ignored json.RawMessage
		err = r.wait(ctx, &ignored)
	}
	if err == nil {
		err = s.notify("initialized", struct{}{})
	}
	if err != nil {
		fmt.Fprintln(s.log, "gopls cannot start:", err)
		s.cancel()
		return
	}
	close(s.opened)
}

// settings of gopls: one package of plain text is being written, and nobody
// looks at diagnostics.
var settings = map[string]any{
	"expandWorkspaceToModule":        false, // or all packages of a go.work are type-checked
	"diagnosticsTrigger":             "Save",
	"vulncheck":                      "Off",
	"usePlaceholders":                false,
	"completionBudget":               "1s", // a scan of packages not imported needs it at first
	"completeFunctionCalls":          false,
	"completionDocumentation":        false,
	"experimentalPostfixCompletions": false, // they edit elsewhere too
	"telemetryPrompt":                false,
}

// handle answers what gopls asks.
func (s *session) handle(method string, params json.RawMessage) (any, error) {
	switch method {
	case "$/progress":
		var p struct{ Value struct{ Kind string } }
		if json.Unmarshal(params, &p) == nil && p.Value.Kind == "end" {
			select {
			case <-s.loaded:
			default: // loading is the first thing it does
				close(s.loaded)
			}
		}
	case "window/logMessage", "window/showMessage":
		var p struct {
			Type    int // 1 an error, 2 a warning
			Message string
		}
		if json.Unmarshal(params, &p) == nil && p.Type <= 2 {
			fmt.Fprintln(s.log, "gopls:", p.Message)
		}
	case "workspace/configuration":
		var p struct{ Items []json.RawMessage }
		if err := json.Unmarshal(params, &p); err != nil {
			return nil, &rpcError{-32602, err.Error()}
		}
		answers := make([]any, len(p.Items))
		for i := range answers {
			answers[i] = settings
		}
		return answers, nil
	case "workspace/applyEdit":
		return map[string]any{"applied": false}, nil
	case "window/showDocument":
		return map[string]any{"success": false}, nil
	case "window/workDoneProgress/create", "client/registerCapability", "client/unregisterCapability", "window/showMessageRequest":
	case "workspace/workspaceFolders":
	default:
		return nil, &rpcError{-32601, "no method " + method}
	}
	return nil, nil
}

// ask sets the overlay of a file and asks something about a place in it, in one
// go, so that the answer is about this content.
func (s *session) ask(ctx context.Context, file, content, method string, offset int, result any) error {
	p, err := positionAt(content, offset)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	select {
	case <-s.opened:
	case <-s.ended:
		return errEnded
	case <-ctx.Done():
		return ctx.Err()
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.dir, file)
	}
	uri := fileURI(file)
	s.mu.Lock()
	err = s.set(uri, content)
	var r *request
	if err == nil {
		r, err = s.request(method, map[string]any{"textDocument": map[string]any{"uri": uri}, "position": p})
	}
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return r.wait(ctx, result)
}

func (s *session) set(uri, content string) error {
	o, ok := s.files[uri]
	switch {
	case !ok:
		err := s.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{
			"uri": uri, "languageId": "go", "version": 0, "text": content,
		}})
		if err == nil {
			s.files[uri] = &overlay{0, content}
		}
		return err
	case o.content == content:
		return nil
	}
	err := s.notify("textDocument/didChange", map[string]any{
		"textDocument":   map[string]any{"uri": uri, "version": o.version + 1},
		"contentChanges": []any{map[string]any{"text": content}},
	})
	if err == nil {
		*o = overlay{o.version + 1, content}
	}
	return err
}

// close ends gopls and all that it has started, politely if that does not take
// long.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if r, err := s.request("shutdown", nil); err == nil {
		var ignored json.RawMessage
		if r.wait(ctx, &ignored) == nil && s.notify("exit", nil) == nil {
			select {
			case <-s.done:
			case <-ctx.Done():
			}
		}
	}
	select {
	case <-s.done:
	default:
		process.End(s.cmd)
		s.cancel()
		<-s.done
	}
}

// lockedWriter is for the two that write to the log.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
