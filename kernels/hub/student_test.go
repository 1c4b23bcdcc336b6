//go:build linux

package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"birnn/kernels/internal/wire"
)

// student is an account with a browser.
type student struct {
	*class
	name, password, home string
	uid                  int
	browser              *http.Client
	token                string // for the REST API
}

// client has a long timeout.
var client = &http.Client{Timeout: time.Minute}

// login logs in on the hub's page and gets a token. It reports whether the hub accepts the password.
func (s *student) login(t *testing.T, password string) bool {
	t.Helper()
	jar, err := cookiejar.New(nil)
	must(t, err)
	s.browser = &http.Client{Jar: jar, Timeout: client.Timeout}
	hub, err := url.Parse(s.url + "/hub/")
	must(t, err)
	xsrf := func() string {
		for _, cookie := range jar.Cookies(hub) {
			if cookie.Name == "_xsrf" {
				return cookie.Value
			}
		}
		return ""
	}
	page, err := s.browser.Get(s.url + "/hub/login")
	must(t, err)
	page.Body.Close()
	page, err = s.browser.PostForm(s.url+"/hub/login?next=/hub/token", url.Values{"username": {s.name}, "password": {password}, "_xsrf": {xsrf()}})
	must(t, err)
	page.Body.Close()
	if page.StatusCode != http.StatusOK || page.Request.URL.Path != "/hub/token" {
		return false
	}
	request, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url+"/hub/api/users/"+s.name+"/tokens", strings.NewReader("{}"))
	must(t, err)
	request.Header.Set("X-XSRFToken", xsrf())
	answer, err := s.browser.Do(request)
	must(t, err)
	defer answer.Body.Close()
	var made struct{ Token string }
	if err := json.NewDecoder(answer.Body).Decode(&made); err != nil || made.Token == "" {
		t.Fatalf("no token for %s: %s, %v", s.name, answer.Status, err)
	}
	s.token = made.Token
	return true
}

// call calls the REST API of the hub (/hub/api) or of a server (/user/…/api), decodes the answer into result and
// returns the status.
func (s *student) call(t *testing.T, method, path string, body, result any) int {
	t.Helper()
	data, err := json.Marshal(body)
	must(t, err)
	request, err := http.NewRequestWithContext(s.ctx, method, s.url+path, bytes.NewReader(data))
	must(t, err)
	request.Header = s.header()
	answer, err := client.Do(request)
	must(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	must(t, err)
	if result != nil && answer.StatusCode < 300 {
		must(t, json.Unmarshal(text, result))
	}
	return answer.StatusCode
}

func (s *student) header() http.Header {
	return http.Header{"Authorization": {"token " + s.token}}
}

// spawn starts the student's server and opens JupyterLab.
func (s *student) spawn(t *testing.T) {
	t.Helper()
	begin := time.Now()
	if status := s.call(t, http.MethodPost, "/hub/api/users/"+s.name+"/server", map[string]any{}, nil); status != http.StatusCreated && status != http.StatusAccepted {
		t.Fatalf("starting the server of %s: status %d", s.name, status)
	}
	waitFor(t, "the server of "+s.name, func() bool {
		var user struct {
			Servers map[string]struct{ Ready bool }
		}
		s.call(t, http.MethodGet, "/hub/api/users/"+s.name, nil, &user)
		return user.Servers[""].Ready
	})
	page, err := s.browser.Get(s.url + "/user/" + s.name + "/lab")
	must(t, err)
	defer page.Body.Close()
	if html, err := io.ReadAll(page.Body); err != nil || page.StatusCode != http.StatusOK || !bytes.Contains(html, []byte("<title>JupyterLab</title>")) {
		t.Errorf("%s gets no JupyterLab: %s, %v\n%s", s.name, page.Status, err, html)
	}
	t.Logf("%s has JupyterLab after %v", s.name, time.Since(begin).Round(100*time.Millisecond))
}

// kernel is a connection to a student's kernel over the websocket that a browser uses.
type kernel struct {
	io.Reader
	io.Writer
}

// kernel starts a kernel.
func (s *student) kernel(t *testing.T, name string) *kernel {
	t.Helper()
	var started struct{ ID string }
	if status := s.call(t, http.MethodPost, "/user/"+s.name+"/api/kernels", map[string]string{"name": name}, &started); status != http.StatusCreated {
		t.Fatalf("starting %s for %s: status %d", name, s.name, status)
	}
	dialer := ws.Dialer{Header: ws.HandshakeHeaderHTTP(s.header())}
	conn, early, _, err := dialer.Dial(s.ctx, strings.Replace(s.url, "http", "ws", 1)+"/user/"+s.name+"/api/kernels/"+started.ID+"/channels")
	must(t, err)
	context.AfterFunc(s.ctx, func() { conn.Close() })
	k := &kernel{Reader: conn, Writer: conn}
	if early != nil { // bytes read with the answer to the handshake
		k.Reader = early
	}
	return k
}

// ran is the outcome of a cell.
type ran struct {
	Text         string // the output of the cell
	Error, Value string // name and value of the error; empty if it has none
	Time         time.Duration
}

// execute runs a cell. It may be called on any goroutine.
func (k *kernel) execute(t *testing.T, code string) (r ran) {
	t.Helper()
	begin := time.Now()
	m := wire.New("test", "execute_request", nil, map[string]any{"code": code, "silent": false, "store_history": true, "allow_stdin": false, "stop_on_error": true})
	request, err := json.Marshal(map[string]any{"channel": "shell", "header": m.Header, "parent_header": struct{}{}, "metadata": struct{}{}, "content": m.Content})
	if err == nil {
		err = wsutil.WriteClientText(k, request)
	}
	for replied, idle := false, false; !replied || !idle; {
		var text []byte
		if err == nil {
			text, err = wsutil.ReadServerText(k)
		}
		var answer struct {
			Header  wire.Header `json:"header"`
			Parent  wire.Header `json:"parent_header"`
			Content struct {
				Text  string `json:"text"`
				State string `json:"execution_state"`
				Name  string `json:"ename"`
				Value string `json:"evalue"`
			} `json:"content"`
		}
		if err == nil {
			err = json.Unmarshal(text, &answer)
		}
		if err != nil {
			t.Errorf("talk to the kernel: %v", err)
			return r
		}
		if answer.Parent.ID != m.Header.ID {
			continue
		}
		switch answer.Header.Type {
		case "stream":
			r.Text += answer.Content.Text
		case "error":
			r.Error, r.Value = answer.Content.Name, answer.Content.Value
		case "execute_reply":
			replied = true
		case "status":
			idle = answer.Content.State == "idle"
		}
	}
	r.Time = time.Since(begin).Round(10 * time.Millisecond)
	return r
}
