package segment_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"birnn/birnnlib/examples/segment"
	"birnn/internal/backendtest"
)

// serve starts a server of the model.
func serve(t *testing.T, m *segment.Model) (url string, shared *segment.Shared) {
	t.Helper()
	shared, err := m.Share(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(shared.Close)
	server := httptest.NewServer(shared.Handler("|"))
	t.Cleanup(server.Close)
	return server.URL, shared
}

// ask sends a request and returns the status and the body of the answer.
func ask(ctx context.Context, method, url string, body io.Reader) (status int, header http.Header, answer string, err error) {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return 0, nil, "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, "", err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	return response.StatusCode, response.Header, string(all), err
}

// TestServe sends texts of random lengths from many clients at once, of which some hang up; each answer is the text as
// the model alone separates it.
func TestServe(t *testing.T) {
	m := trained(t, backendtest.Go(t), small())
	rng := rand.New(rand.NewPCG(1, 2))
	parts := []string{"他马上来。", "在马上下棋", "同学们", "１９９８年", "1998", "龘", "，", " ", "\u3000", "\n", "\r\n", "我", "小明", "马", "上"}
	texts := []string{"", "\n", "我", strings.Repeat("我马上来吧，快！", 200)} // the last is a long line
	for len(texts) < 40 {
		var b strings.Builder
		for range 1 + rng.IntN(60) {
			b.WriteString(parts[rng.IntN(len(parts))])
		}
		texts = append(texts, b.String())
	}
	want, err := m.Separate(t.Context(), "|", texts...)
	if err != nil {
		t.Fatal(err)
	}
	url, _ := serve(t, m)
	var clients sync.WaitGroup
	for client := range 16 {
		clients.Go(func() {
			for i := range 6 {
				at := (client*7 + i*5) % len(texts)
				ctx, cancel := context.WithCancel(t.Context())
				if client%4 == 3 {
					time.AfterFunc(time.Duration(i)*time.Millisecond, cancel)
				}
				status, header, got, err := ask(ctx, http.MethodPost, url, strings.NewReader(texts[at]))
				cancel()
				switch {
				case client%4 == 3 && errors.Is(err, context.Canceled):
				case err != nil || status != http.StatusOK || got != want[at] || header.Get("Content-Type") != "text/plain; charset=utf-8":
					t.Errorf("%q: status %d, %v, answer %q, %v, want %q", texts[at], status, header, got, err, want[at])
				}
			}
		})
	}
	clients.Wait()
}

// TestServeErrors: each wrong request is refused with its status and a reason.
func TestServeErrors(t *testing.T) {
	m, err := segment.New(backendtest.Go(t), lines(), small())
	if err != nil {
		t.Fatal(err)
	}
	url, shared := serve(t, m)
	tooLong := strings.Repeat("a", segment.MaxText+1)
	for _, test := range []struct {
		method, path string
		body         io.Reader
		status       int
		want         string
	}{
		{"GET", "/", nil, 200, "curl --data-binary @text.txt " + url},
		{"GET", "/healthz", nil, 200, "ok\n"},
		{"GET", "/no/such/page", nil, 404, ""},
		{"POST", "/healthz", nil, 405, ""},
		{"PUT", "/", strings.NewReader("他"), 405, ""},
		{"POST", "/", strings.NewReader(strings.Repeat(" ", segment.MaxText)), 200, " "}, // as much as can be
		{"POST", "/", strings.NewReader(tooLong), 413, fmt.Sprint(segment.MaxText)},
		{"POST", "/", struct{ io.Reader }{strings.NewReader(tooLong)}, 413, fmt.Sprint(segment.MaxText)}, // of unknown length
		{"POST", "/", strings.NewReader("他\n来\xff\n"), 400, "line 2 of the text is not UTF-8: invalid byte 0xff at byte offset 3"},
	} {
		status, header, got, err := ask(t.Context(), test.method, url+test.path, test.body)
		if err != nil || status != test.status || !strings.Contains(got, test.want) {
			t.Errorf("%s %s: status %d, %.100q, %v, want %d, %q", test.method, test.path, status, got, err, test.status, test.want)
		}
		if allow := header.Get("Allow"); (allow != "") != (status == http.StatusMethodNotAllowed) {
			t.Errorf("%s %s: Allow %q", test.method, test.path, allow)
		}
	}
	shared.Close()
	if status, _, got, err := ask(t.Context(), "POST", url, strings.NewReader("他")); status != http.StatusServiceUnavailable {
		t.Errorf("closed: status %d, %q, %v", status, got, err)
	}
}
