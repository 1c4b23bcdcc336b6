//go:build unix

package front

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"birnn/internal/testall"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// TestMain runs the tests, or the guard that the kernel starts.
func TestMain(m *testing.M) {
	if len(os.Args) > 4 && os.Args[1] == "guard" {
		os.Exit(process.Guard(os.Args[2], os.Args[3], os.Args[4], os.Args[5:]...))
	}
	proxy, _ := exec.Command("go", "env", "GOPROXY").Output()
	usersProxy = strings.TrimSpace(string(proxy))
	for key, value := range environment { // not by t.Setenv: most tests run in parallel
		os.Setenv(key, value)
	}
	code := m.Run()
	os.RemoveAll(shimDir)
	os.Exit(code)
}

// environment is that of the tests' kernels.
var environment = map[string]string{
	"GOMLX_BACKEND": "go", "CGO_ENABLED": "0", "GOPROXY": "off", "GOFLAGS": "-buildvcs=false '-ldflags=-s -w'", "GOWORK": "",
	"GOEXPERIMENT": "", "GODEBUG": "", kernelspec.PureGo: "", "GOSUMDB": "off",
}

var usersProxy string // GOPROXY without the environment of the tests

// alone is for a test whose kernel changes the environment: the test cannot run in parallel, and the environment is
// restored after it.
func alone(t *testing.T) {
	t.Helper()
	for key := range environment {
		t.Setenv(key, os.Getenv(key))
	}
	t.Setenv("PATH", os.Getenv("PATH"))
}

var shimDir string // directory of the shim, which is built once

var shim = sync.OnceValues(func() (string, error) {
	var err error
	if shimDir, err = os.MkdirTemp("", "birnn-shim-"); err != nil {
		return "", err
	}
	path := filepath.Join(shimDir, "go")
	build := exec.Command("go", "build", "-o", path, "birnn/kernels/internal/shim")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, nil
})

// eventually waits until so returns true, for a minute at most.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for begin := time.Now(); !so(); time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// kernel is a kernel in this process, with a client.
type kernel struct {
	*wire.Client
	t     *testing.T
	front *front
	done  chan error

	mu    sync.Mutex
	asked []string // the requests for input
}

// answer has the messages for a request.
type answer struct {
	*wire.Call
	mu        sync.Mutex
	published []*wire.Message
}

func (a *answer) output(m *wire.Message) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.published = append(a.published, m)
}

// begun reports whether the kernel has begun to execute the cell.
func (a *answer) begun() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.published, func(m *wire.Message) bool { return m.Header.Type == "execute_input" })
}

// has reports whether a stream message with text has been published.
func (a *answer) has(text string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.ContainsFunc(a.published, func(m *wire.Message) bool {
		return m.Header.Type == "stream" && strings.Contains(string(m.Content), text)
	})
}

// root returns the root of the repository.
func root(t testing.TB) string {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(wd)))
}

// bin returns a directory like the one that "kernels install" makes, with GoNB and the shims.
func bin(t testing.TB) string {
	h, err := home.Locate("")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(h.Bin(), "gonb")); err != nil {
		testall.Missing(t, "GoNB: go run ./kernels install")
	}
	dir := t.TempDir()
	for _, name := range []string{"gonb", "goimports", "gopls", "gopls-real"} {
		if err := os.Symlink(filepath.Join(h.Bin(), name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	built, err := shim()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "shims"), 0o755), os.Link(built, filepath.Join(dir, "shims", "go")), os.Symlink(filepath.Join(h.Bin(), "goimports"), filepath.Join(dir, "shims", "goimports")),
		os.Symlink(filepath.Join(dir, "shims", "go"), filepath.Join(dir, "shims", "shell"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

// start starts a kernel with pure Go.
func start(t *testing.T) *kernel { return startIn(t, t.TempDir()) }

func startIn(t *testing.T, project string, configure ...func(*Config)) *kernel {
	connection, err := wire.Loopback()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kernel-0.json")
	if err := connection.Write(file); err != nil {
		t.Fatal(err)
	}
	var log io.Writer = io.Discard
	if testing.Verbose() {
		log = os.Stderr
	}
	k := &kernel{t: t, done: make(chan error, 1)}
	config := Config{ConnectionFile: file, Root: root(t), Bin: bin(t), Project: project, Log: log, started: func(f *front) { k.front = f }}
	for _, change := range configure {
		change(&config)
	}
	ctx, end := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		k.done <- Run(ctx, config)
		close(ended)
	}()
	if k.Client, err = wire.Connect(ctx, connection, ended, func(m *wire.Message) {
		k.mu.Lock()
		k.asked = append(k.asked, string(m.Content))
		k.mu.Unlock()
		k.Sockets.Stdin.SendMessage(wire.New(k.Session, "input_reply", m, map[string]string{"value": "typed"}))
	}, nil, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		end()
		select {
		case <-ended:
		case <-time.After(time.Minute):
			t.Error("the kernel does not end")
		}
		k.Close()
		nothingMentions(t, k.front.run)
	})
	return k
}

func (k *kernel) ask(s *wire.Socket, kind string, content any) *answer {
	k.t.Helper()
	a := &answer{}
	var err error
	if a.Call, err = k.Begin(s, kind, content, a.output); err != nil {
		k.t.Fatal(err)
	}
	return a
}

// request sends a request and decodes the reply into v.
func (k *kernel) request(kind string, content, v any) {
	k.t.Helper()
	a := k.ask(k.Sockets.Shell, kind, content)
	select {
	case m := <-a.Reply:
		if err := m.Read(v); err != nil {
			k.t.Fatal(err)
		}
	case <-time.After(2 * time.Minute):
		k.t.Fatalf("no reply to %s", kind)
	}
}

// outcome is the outcome of a cell.
type outcome struct {
	status, name, value, traceback string
	stdout, stderr                 string
	written                        string            // to both, in order
	result                         map[string]string // by MIME type
	displays                       int
	payload                        string
	number                         int
	took                           time.Duration
}

// published is the content of a message that a cell publishes.
type published struct {
	Name string                     `json:"name"`
	Text string                     `json:"text"`
	Data map[string]json.RawMessage `json:"data"`
}

// forms returns the forms of a display by MIME type.
func (p published) forms() map[string]string {
	forms := map[string]string{}
	for kind, data := range p.Data {
		var text string
		if json.Unmarshal(data, &text) != nil {
			text = string(data)
		}
		forms[kind] = text
	}
	return forms
}

// send sends an execute_request.
func (k *kernel) send(code string) *answer {
	return k.ask(k.Sockets.Shell, "execute_request", map[string]any{
		"code": code, "silent": false, "store_history": true, "user_expressions": map[string]any{}, "allow_stdin": true, "stop_on_error": true,
	})
}

// takeAsked returns the requests for input since the last call.
func (k *kernel) takeAsked() (asked []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	asked, k.asked = k.asked, nil
	return asked
}

// run runs a cell.
func (k *kernel) run(code string) outcome {
	k.t.Helper()
	began := time.Now()
	return k.outcome(k.send(code), began)
}

// outcome waits for the end of a cell.
func (k *kernel) outcome(a *answer, began time.Time) outcome {
	k.t.Helper()
	var o outcome
	var reply struct {
		Status    string            `json:"status"`
		Name      string            `json:"ename"`
		Value     string            `json:"evalue"`
		Traceback []string          `json:"traceback"`
		Payload   []json.RawMessage `json:"payload"`
		Number    int               `json:"execution_count"`
	}
	select {
	case m := <-a.Reply:
		if err := m.Read(&reply); err != nil {
			k.t.Fatal(err)
		}
	case <-time.After(120 * time.Second):
		k.t.Fatal("the cell does not end")
	}
	o.took = time.Since(began)
	select {
	case <-a.Idle:
	case <-time.After(time.Minute):
		k.t.Fatal("the kernel does not become idle")
	}
	o.status, o.name, o.value, o.number = reply.Status, reply.Name, reply.Value, reply.Number
	o.traceback = ansi.ReplaceAllString(strings.Join(reply.Traceback, "\n"), "")
	for _, p := range reply.Payload {
		o.payload += string(p)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range a.published {
		var content published
		m.Read(&content)
		switch m.Header.Type {
		case "stream":
			o.written += content.Text
			if content.Name == "stdout" {
				o.stdout += content.Text
			} else {
				o.stderr += content.Text
			}
		case "execute_result":
			o.result = content.forms()
		case "display_data":
			o.displays++
		}
	}
	return o
}
