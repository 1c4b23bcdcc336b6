package plugin

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// toServer sends every request to one server, whatever its host.
type toServer struct{ host string }

func (s toServer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.URL.Scheme, r.URL.Host = "http", s.host
	return new(http.Transport).RoundTrip(r)
}

// serveAll has handler answer all HTTP requests.
func serveAll(t *testing.T, handler http.Handler) {
	t.Helper()
	server := httptest.NewServer(handler)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	before := http.DefaultTransport
	http.DefaultTransport = toServer{address.Host}
	t.Cleanup(func() {
		http.DefaultTransport = before
		server.Close()
	})
}

func tarball(t *testing.T, files map[string][]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for name, content := range files {
		if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// releasePage is go-xla's release page with one archive.
func releasePage(archive http.HandlerFunc) http.Handler {
	asset := fmt.Sprintf("pjrt_cpu_%s_%s.tar.gz", runtime.GOOS, runtime.GOARCH)
	mux := http.NewServeMux()
	mux.HandleFunc("/repos/gomlx/pjrt-cpu-binaries/releases/tags/"+releaseVersion, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"assets": [{"browser_download_url": "https://release.invalid/download/%s"}]}`, asset)
	})
	mux.HandleFunc("/download/"+asset, archive)
	return mux
}

func TestInstallRelease(t *testing.T) {
	plugin := fakePlugin(t, entryPoint, strings.Repeat("content ", 1000))
	name := "pjrt_c_api_cpu_" + releaseVersion + "_plugin.so"
	archive := tarball(t, map[string][]byte{"LICENSE": []byte("text"), name: plugin})
	serveAll(t, releasePage(func(w http.ResponseWriter, _ *http.Request) { w.Write(archive) }))

	home := t.TempDir()
	dir := filepath.Join(home, "go-xla")
	path, err := Install(t.Context(), Options{Dir: dir, Source: Release})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, name); path != want {
		t.Errorf("installed %s, want %s", path, want)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{dir, path, RecordPath(path)}) {
		t.Errorf("%s holds %q", dir, got)
	}
	r, err := ReadRecord(path)
	if err != nil || r.Source != Release || r.Version != releaseVersion || r.SHA256 != sha(plugin) {
		t.Errorf("record %+v, %v", r, err)
	}
	if found, broken := search([]string{dir}); len(found) != 1 || found[0] != (Found{"cpu", releaseVersion, path}) || len(broken) != 0 {
		t.Errorf("found %v, broken %v", found, broken)
	}
	write(t, append(plugin, 'x'), path)
	if err := Verify(path); !errors.Is(err, ErrChanged) {
		t.Errorf("changed afterwards: Verify says %v, want ErrChanged", err)
	}
	write(t, plugin, path)
	if _, err := Uninstall(dir); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, home); !slices.Equal(got, []string{home}) {
		t.Errorf("uninstall left %q", got)
	}
}

// TestReplaceSource replaces a plugin from the other source, whose file has another name, which go-xla would prefer.
func TestReplaceSource(t *testing.T) {
	plugin := fakePlugin(t, entryPoint, "new")
	name := "pjrt_c_api_cpu_" + releaseVersion + "_plugin.so"
	archive := tarball(t, map[string][]byte{name: plugin})
	serveAll(t, releasePage(func(w http.ResponseWriter, _ *http.Request) { w.Write(archive) }))
	dir := t.TempDir()
	old := write(t, fakePlugin(t, entryPoint, "old"), dir, "pjrt_c_api_cpu_plugin.so")
	if err := writeRecord(old, Record{File: filepath.Base(old), Source: Wheel, Installed: true}); err != nil {
		t.Fatal(err)
	}
	path, err := Install(t.Context(), Options{Dir: dir, Source: Release, Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{dir, path, RecordPath(path)}) {
		t.Errorf("%s holds %q", dir, got)
	}
}

func TestInstallReleaseRefuses(t *testing.T) {
	plugin := fakePlugin(t, entryPoint, strings.Repeat("content ", 1000))
	name := "pjrt_c_api_cpu_" + releaseVersion + "_plugin.so"
	good := tarball(t, map[string][]byte{name: plugin})
	send := func(data []byte) http.Handler {
		return releasePage(func(w http.ResponseWriter, _ *http.Request) { w.Write(data) })
	}
	tests := []struct {
		name    string
		handler http.Handler
		want    string
	}{
		{"no such release", http.NotFoundHandler(), "not found"},
		{"archive gone", releasePage(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "gone", http.StatusGone) }), "410"},
		{"a page, not an archive", send([]byte("<html>")), "unpack "},
		{"archive cut short", send(good[:len(good)/2]), "unpack "},
		{"connection lost", releasePage(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			w.Write(good[:len(good)/2])
			panic(http.ErrAbortHandler)
		}), "download "},
		{"no plugin inside", send(tarball(t, map[string][]byte{"README": []byte("x")})), "no CPU plugin"},
		{"not a library", send(tarball(t, map[string][]byte{name: []byte("x")})), "is not a PJRT plugin"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			serveAll(t, test.handler)
			home := t.TempDir()
			path, err := Install(t.Context(), Options{Dir: filepath.Join(home, "a", "go-xla"), Source: Release})
			if err == nil {
				t.Fatalf("installed %s", path)
			}
			if msg := err.Error(); !strings.Contains(msg, test.want) || !strings.Contains(msg, "pure-Go backend works without") {
				t.Errorf("the error is %q, want %q in it and that pure Go works", msg, test.want)
			}
			if got := listing(t, home); !slices.Equal(got, []string{home}) {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func TestInstallReleaseCancelled(t *testing.T) {
	plugin := fakePlugin(t, entryPoint, strings.Repeat("content ", 1000))
	good := tarball(t, map[string][]byte{"pjrt_c_api_cpu_" + releaseVersion + "_plugin.so": plugin})
	ctx, cancel := context.WithCancel(t.Context())
	for name, handler := range map[string]http.Handler{
		"while asking": http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			cancel()
		}),
		"while fetching": releasePage(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(good)))
			w.Write(good[:len(good)/2])
			w.(http.Flusher).Flush()
			cancel()
			<-r.Context().Done()
		}),
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel = context.WithCancel(t.Context())
			serveAll(t, handler)
			home := t.TempDir()
			_, err := Install(ctx, Options{Dir: filepath.Join(home, "go-xla"), Source: Release})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want that it was cancelled", err)
			}
			if got := listing(t, home); !slices.Equal(got, []string{home}) {
				t.Errorf("left behind: %q", got)
			}
		})
	}
}

func TestDefaultDir(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("USERPROFILE", home)
	t.Setenv(SearchPathEnv, "") // has it put back afterwards
	os.Unsetenv(SearchPathEnv)
	dir, err := DefaultDir()
	if err != nil || !strings.HasPrefix(dir, home) || filepath.Base(dir) != "go-xla" {
		t.Errorf("without %s: %q, %v", SearchPathEnv, dir, err)
	}
	if !slices.Contains(SearchDirs(), dir) {
		t.Errorf("go-xla does not look in %s, but in %q", dir, SearchDirs())
	}
	t.Setenv(SearchPathEnv, ":/some/where:/else")
	if dir, err := DefaultDir(); err != nil || filepath.ToSlash(dir) != "/some/where" && runtime.GOOS != "windows" {
		t.Errorf("with %s: %q, %v", SearchPathEnv, dir, err)
	}
	t.Setenv(SearchPathEnv, "")
	if dir, err := DefaultDir(); err == nil {
		t.Errorf("with %s empty: %q, want an error", SearchPathEnv, dir)
	}
}
