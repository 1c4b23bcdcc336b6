package gopls

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/sourcegraph/jsonrpc2"

	"birnn/kernels/internal/process"
)

// grace is the time for gopls to end by itself. While it loads the workspace, it does not react.
const grace = 500 * time.Millisecond

// session is one gopls process.
type session struct {
	conn   *jsonrpc2.Conn
	dir    string
	cmd    *exec.Cmd
	cancel context.CancelFunc
	log    io.Writer
	opened chan struct{} // closed when it accepts requests
	loaded chan struct{} // closed when it has loaded the workspace
	done   chan struct{} // closed when the process has ended and its children are killed
	cause  string        // why the process ended

	mu    sync.Mutex
	files map[string]*overlay // by URI
	last  uint64              // ID of the last request
}

// overlay is the content of a file as sent to gopls.
type overlay struct {
	version int
	content string
}

func startSession(ctx context.Context, opts Options) (*session, error) {
	temp, err := os.MkdirTemp(opts.Temp, "gopls-") // a killed gopls leaves files there
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	env := append([]string{
		"TMPDIR=" + temp, "TMP=" + temp, "TEMP=" + temp,
		// Its telemetry would run in a separate process group. This value, which it sets for descendants of the
		// telemetry process, turns telemetry off.
		"GO_TELEMETRY_CHILD=2",
		"GOGC=50", // takes two fifths less memory at no noticeable cost
	}, opts.env...)
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
	handler := jsonrpc2.HandlerWithError(s.handle).SuppressErrClosed()
	s.conn = jsonrpc2.NewConn(ctx, newStream(stdout, stdin), handler, jsonrpc2.SetLogger(log.New(s.log, "", 0)))
	go func() {
		defer close(s.done)
		<-s.conn.DisconnectNotify()
		process.End(cmd)
		cancel() // for systems without process groups
		s.cause = fmt.Sprint(cmd.Wait())
		os.RemoveAll(temp)
	}()
	go s.open(ctx)
	return s, nil
}

// open initializes the server.
func (s *session) open(ctx context.Context) {
	folder := fileURI(s.dir)
	err := s.call(ctx, "initialize", map[string]any{
		"processId":             os.Getpid(),
		"rootUri":               folder,
		"workspaceFolders":      []any{map[string]any{"uri": folder, "name": filepath.Base(s.dir)}},
		"initializationOptions": settings,
		"capabilities": map[string]any{
			"window":       map[string]any{"workDoneProgress": true},
			"textDocument": map[string]any{"hover": map[string]any{"contentFormat": []string{"markdown"}}},
		},
	}, nil)
	if err == nil {
		err = s.notify("initialized", struct{}{})
	}
	if err != nil {
		fmt.Fprintln(s.log, "start gopls:", err)
		s.cancel()
		return
	}
	close(s.opened)
}

// settings are gopls's settings: completions are plain text, in one package, and diagnostics are not used.
var settings = map[string]any{
	"expandWorkspaceToModule":        false, // else it type-checks all packages of a go.work
	"diagnosticsTrigger":             "Save",
	"vulncheck":                      "Off",
	"usePlaceholders":                false,
	"completionBudget":               "1s", // for the first scan of packages that are not imported
	"completeFunctionCalls":          false,
	"completionDocumentation":        false,
	"experimentalPostfixCompletions": false, // they edit other places, too
	"telemetryPrompt":                false,
}

// handle answers the requests of gopls.
func (s *session) handle(_ context.Context, _ *jsonrpc2.Conn, r *jsonrpc2.Request) (any, error) {
	params := json.RawMessage("null")
	if r.Params != nil {
		params = *r.Params
	}
	switch r.Method {
	case "$/progress":
		var p struct{ Value struct{ Kind string } }
		if json.Unmarshal(params, &p) == nil && p.Value.Kind == "end" {
			select {
			case <-s.loaded:
			default: // its first progress is that of loading
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
			return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeInvalidParams, Message: err.Error()}
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
		if !r.Notif {
			return nil, &jsonrpc2.Error{Code: jsonrpc2.CodeMethodNotFound, Message: "no method " + r.Method}
		}
	}
	return nil, nil
}

// ask sets the content of a file and sends a request about a position in it, without another request in between, so
// that the answer is for this content.
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
	case <-s.conn.DisconnectNotify():
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

// call sends a request and stores the answer in result unless that is nil.
func (s *session) call(ctx context.Context, method string, params, result any) error {
	s.mu.Lock()
	r, err := s.request(method, params)
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return r.wait(ctx, result)
}

// request is a request that has been sent.
type request struct {
	*session
	id     jsonrpc2.ID
	answer jsonrpc2.Waiter
}

// request sends a request. s.mu must be locked.
func (s *session) request(method string, params any) (*request, error) {
	s.last++
	r := &request{session: s, id: jsonrpc2.ID{Num: s.last}}
	var err error
	r.answer, err = s.conn.DispatchCall(context.Background(), method, params, jsonrpc2.PickID(r.id))
	return r, ended(err)
}

// wait stores the answer in result unless that is nil. If ctx ends first, it cancels the request; gopls still answers,
// which is ignored.
func (r *request) wait(ctx context.Context, result any) error {
	err := r.answer.Wait(ctx, result)
	if err != nil && err == ctx.Err() {
		r.notify("$/cancelRequest", map[string]any{"id": r.id})
	}
	return ended(err)
}

func (s *session) notify(method string, params any) error {
	return ended(s.conn.Notify(context.Background(), method, params))
}

// ended returns errEnded for the error of a closed connection.
func ended(err error) error {
	if errors.Is(err, jsonrpc2.ErrClosed) {
		return errEnded
	}
	return err
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

// close ends gopls and its descendants: by request, and after grace by force.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	if s.call(ctx, "shutdown", nil, nil) == nil && s.notify("exit", nil) == nil {
		select {
		case <-s.done:
		case <-ctx.Done():
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

// lockedWriter allows concurrent writes to the log.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
