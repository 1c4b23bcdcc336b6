package text

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// parcel is a file to be fetched from a server under the test's control: the
// lyrics themselves cannot be in the repository.
type parcel struct {
	published
	data     []byte
	requests atomic.Int32
}

// publish serves a file of the lyrics' size with handle, or as it should be if
// that is nil.
func publish(t *testing.T, handle func(p *parcel, w http.ResponseWriter, r *http.Request)) *parcel {
	t.Helper()
	data := make([]byte, LyricsBytes)
	random := rand.NewChaCha8([32]byte{6})
	random.Read(data)
	sum := sha256.Sum256(data)
	p := &parcel{data: data, published: published{sha256: hex.EncodeToString(sum[:]), bytes: int64(len(data))}}
	if handle == nil {
		handle = func(p *parcel, w http.ResponseWriter, r *http.Request) { w.Write(p.data) }
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		handle(p, w, r)
	}))
	t.Cleanup(server.Close)
	p.url = server.URL + "/lyrics.zip"
	return p
}

// checkFolder checks that a folder holds files of the given names only.
func checkFolder(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range entries {
		got = append(got, entry.Name())
	}
	if !slices.Equal(got, want) {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}

func TestFetch(t *testing.T) {
	p := publish(t, nil)
	folder := filepath.Join(t.TempDir(), "made", "when needed")
	dest := filepath.Join(folder, "a.zip")
	var seen []int64
	options := FetchOptions{Progress: func(done, total int64) {
		if total != p.bytes {
			t.Errorf("progress of %d bytes, want %d", total, p.bytes)
		}
		seen = append(seen, done)
	}}
	for range 2 { // the second finds it there
		if err := fetch(t.Context(), p.published, dest, options); err != nil {
			t.Fatal(err)
		}
		if got := must(os.ReadFile(dest)); !bytes.Equal(got, p.data) {
			t.Errorf("got %d bytes that are not what was published", len(got))
		}
	}
	if got := p.requests.Load(); got != 1 {
		t.Errorf("%d requests, want 1", got)
	}
	if len(seen) == 0 || !slices.IsSorted(seen) || seen[len(seen)-1] != p.bytes {
		t.Errorf("progress was %v, want it to grow to %d", seen, p.bytes)
	}
	if mode := must(os.Stat(dest)).Mode(); runtime.GOOS != "windows" && mode != 0o644 {
		t.Errorf("the file's mode is %v", mode)
	}
	checkFolder(t, folder, "a.zip")
}

func TestFetchErrors(t *testing.T) {
	for _, test := range []struct {
		name   string
		handle func(p *parcel, w http.ResponseWriter, r *http.Request)
		want   []string
	}{
		{"truncated", func(p *parcel, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(p.data)))
			w.Write(p.data[:20_000])
		}, []string{"broke off after 20000 of 52607 bytes", "check the network"}},
		{"truncated, length unknown", func(p *parcel, w http.ResponseWriter, r *http.Request) {
			w.Write(p.data[:20_000])
		}, []string{"refused", "the 20000 bytes", "expected 52607 bytes", "try again"}},
		{"altered", func(p *parcel, w http.ResponseWriter, r *http.Request) {
			altered := bytes.Clone(p.data)
			altered[40_000] ^= 1
			w.Write(altered)
		}, []string{"refused", "the 52607 bytes"}},
		{"longer", func(p *parcel, w http.ResponseWriter, r *http.Request) {
			w.Write(append(p.data, p.data...))
		}, []string{"refused", "the first 52608 bytes"}},
		{"an empty answer", func(p *parcel, w http.ResponseWriter, r *http.Request) {},
			[]string{"refused", "the 0 bytes"}},
		{"not found", func(p *parcel, w http.ResponseWriter, r *http.Request) {
			http.NotFound(w, r)
		}, []string{`answers "404 Not Found"`, "another corpus"}},
		{"server in trouble", func(p *parcel, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusServiceUnavailable)
		}, []string{`answers "503 Service Unavailable"`, "try again later"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := publish(t, test.handle)
			folder := t.TempDir()
			err := fetch(t.Context(), p.published, filepath.Join(folder, "a.zip"), FetchOptions{})
			checkError(t, "fetch", err, append(test.want, p.url))
			if strings.Contains(fmt.Sprint(err), "refused") {
				checkError(t, "refusal", err, []string{"expected 52607 bytes with the sha256 " + p.sha256})
			}
			checkFolder(t, folder)
		})
	}
}

// TestFetchSaysBothHashes refuses a known text, whose hash is known too.
func TestFetchSaysBothHashes(t *testing.T) {
	p := publish(t, func(p *parcel, w http.ResponseWriter, r *http.Request) { w.Write([]byte("abc")) })
	const sha256OfABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	_, err := FetchLyrics(t.Context(), filepath.Join(t.TempDir(), "a.zip"), FetchOptions{URL: p.url})
	checkError(t, "FetchLyrics", err, []string{"lyrics: refused", sha256OfABC, LyricsSHA256})
}

// TestFetchCancelled cancels when the first half has arrived and the server
// has no intention of sending the rest.
func TestFetchCancelled(t *testing.T) {
	p := publish(t, sendHalf)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	folder := t.TempDir()
	err := fetch(ctx, p.published, filepath.Join(folder, "a.zip"), FetchOptions{
		Progress: func(done, total int64) {
			if done == total/2 {
				cancel()
			}
		},
	})
	checkError(t, "cancelled", err, []string{"broke off after 26303 of 52607 bytes", "context canceled"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v is not context.Canceled", err)
	}
	if strings.Contains(fmt.Sprint(err), "check the network") {
		t.Errorf("%v: advice, though it was wanted", err)
	}
	checkFolder(t, folder)

	err = fetch(ctx, p.published, filepath.Join(folder, "a.zip"), FetchOptions{})
	checkError(t, "cancelled before it began", err, []string{"cannot download", "context canceled"})
}

func TestFetchDeadline(t *testing.T) {
	p := publish(t, sendHalf)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := fetch(ctx, p.published, filepath.Join(t.TempDir(), "a.zip"), FetchOptions{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want context.DeadlineExceeded", err)
	}
}

func TestFetchFromServerThatStalls(t *testing.T) {
	p := publish(t, sendHalf)
	folder := t.TempDir()
	err := fetch(t.Context(), p.published, filepath.Join(folder, "a.zip"), FetchOptions{stall: 50 * time.Millisecond})
	checkError(t, "stalled", err, []string{"the server sent nothing for 50ms", "check the network"})
	checkFolder(t, folder)
}

// sendHalf sends the first half of the file and then waits for the client to
// leave.
func sendHalf(p *parcel, w http.ResponseWriter, r *http.Request) {
	w.Write(p.data[:len(p.data)/2])
	w.(http.Flusher).Flush()
	<-r.Context().Done()
}

func TestFetchWithoutNetwork(t *testing.T) {
	// An address where nobody listens any more.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String() + "/lyrics.zip"
	listener.Close()
	folder := t.TempDir()
	_, err = FetchLyrics(t.Context(), filepath.Join(folder, "a.zip"), FetchOptions{URL: url})
	checkError(t, "FetchLyrics", err, []string{"cannot download " + url, "refused", "check the network", "HTTPS_PROXY"})
	if got := strings.Count(fmt.Sprint(err), url); got != 1 {
		t.Errorf("%v: the address is there %d times, want once", err, got)
	}
	checkFolder(t, folder)

	_, err = FetchLyrics(t.Context(), filepath.Join(folder, "a.zip"), FetchOptions{URL: "::"})
	checkError(t, "no address", err, []string{`cannot download from "::"`})
}

func TestFetchLeavesOtherFilesAlone(t *testing.T) {
	p := publish(t, nil)
	folder := t.TempDir()
	dest := filepath.Join(folder, "mine.zip")
	write(t, dest, []byte("mine"))
	err := fetch(t.Context(), p.published, dest, FetchOptions{})
	checkError(t, "another file", err, []string{dest, "another file", p.sha256, "remove it or choose another path"})
	if got := must(os.ReadFile(dest)); string(got) != "mine" {
		t.Errorf("the file is now %q", got)
	}
	err = fetch(t.Context(), p.published, folder, FetchOptions{})
	checkError(t, "a directory", err, []string{folder, "choose another path"})
	err = fetch(t.Context(), p.published, filepath.Join(dest, "a.zip"), FetchOptions{})
	checkError(t, "a folder that is a file", err, []string{dest})
	checkFolder(t, folder, "mine.zip")
}

func TestFetchSeveralAtOnce(t *testing.T) {
	p := publish(t, nil)
	folder := t.TempDir()
	dest := filepath.Join(folder, "a.zip")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := fetch(t.Context(), p.published, dest, FetchOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := must(os.ReadFile(dest)); !bytes.Equal(got, p.data) {
		t.Errorf("got %d bytes that are not what was published", len(got))
	}
	checkFolder(t, folder, "a.zip")
}

func TestDefaultLyricsPath(t *testing.T) {
	cache := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(variable, cache)
	}
	path, err := DefaultLyricsPath()
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(must(os.UserCacheDir()), "birnn", "jaychou_lyrics.txt.zip"); path != want {
		t.Errorf("got %s, want %s", path, want)
	}
}
