package segment

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"birnn/birnnlib/examples/tag"
	"birnn/birnnlib/examples/text"
)

// MaxText is how many bytes of text a request to [Shared.Handler] can have.
const MaxText = 1 << 20

// Handler serves HTTP: POST / takes UTF-8 text and returns it with the separator between the words, as [Shared.Separate]
// does with each of its lines. GET / says how to use it, and GET /healthz that it runs. Requests that come at the same time
// share mini-batches.
//
// A text that is not UTF-8 is refused with status 400, one of more than [MaxText] bytes with status 413.
func (s *Shared) Handler(separator string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		reply(w, fmt.Sprintf("POST UTF-8 text of at most %d bytes here; the answer has %q between the words:\n\n    curl --data-binary @text.txt http://%s/\n", MaxText, separator, r.Host))
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { reply(w, "ok\n") })
	mux.HandleFunc("POST /{$}", func(w http.ResponseWriter, r *http.Request) { s.post(w, r, separator) })
	return mux
}

func (s *Shared) post(w http.ResponseWriter, r *http.Request, separator string) {
	tooLarge := func() {
		http.Error(w, fmt.Sprintf("the text has more than %d bytes; send it in several requests", MaxText), http.StatusRequestEntityTooLarge)
	}
	if r.ContentLength > MaxText { // before a client that waits for 100 Continue sends it
		tooLarge()
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxText))
	var tooMany *http.MaxBytesError
	switch {
	case errors.As(err, &tooMany):
		tooLarge()
		return
	case err != nil:
		http.Error(w, fmt.Sprintf("the text ends early: %v", err), http.StatusBadRequest)
		return
	}
	lines := strings.SplitAfter(string(body), "\n")
	for i, line := range lines {
		if err := text.CheckUTF8(line); err != nil {
			http.Error(w, fmt.Sprintf("line %d of the text is %v", i+1, err), http.StatusBadRequest)
			return
		}
	}
	separated, err := s.Separate(r.Context(), separator, lines...)
	switch {
	case r.Context().Err() != nil: // the client has gone
	case errors.Is(err, tag.ErrClosed):
		http.Error(w, "the server is stopping", http.StatusServiceUnavailable)
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	default:
		reply(w, separated...)
	}
}

// reply writes plain text; a client that has gone is no error.
func reply(w http.ResponseWriter, parts ...string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	for _, part := range parts {
		if _, err := io.WriteString(w, part); err != nil {
			return
		}
	}
}
