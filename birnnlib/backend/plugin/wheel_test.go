package plugin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
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

	"birnn/internal/python"
)

func sha(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// fakeWheel returns a wheel with plugin and its pin.
func fakeWheel(t *testing.T, plugin []byte) ([]byte, pin) {
	t.Helper()
	wheel := zipFile(t, map[string][]byte{
		"some_xla_cpu/libpjrt.so":               plugin,
		"some_xla_cpu-1.2.3.dist-info/METADATA": []byte("Metadata-Version: 2.1\nName: some-xla-cpu\nVersion: 1.2.3\n"),
		"some_xla_cpu-1.2.3.dist-info/WHEEL":    []byte("Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-manylinux_2_27_x86_64\n"),
		"some_xla_cpu-1.2.3.dist-info/RECORD":   nil,
	})
	return wheel, pin{
		name: "some-xla-cpu", version: "1.2.3", platform: "manylinux_2_27_x86_64",
		sha256: sha(wheel), size: int64(len(wheel)),
		member: "some_xla_cpu/libpjrt.so", memberSHA256: sha(plugin),
		file: "pjrt_c_api_cpu_plugin.so",
	}
}

// index is a package index (PEP 503) with the one wheel of fakeWheel.
type index struct {
	*httptest.Server
	downloads atomic.Int32
	serve     func(w http.ResponseWriter, r *http.Request) // answers for the wheel
}

const wheelName = "some_xla_cpu-1.2.3-py3-none-manylinux_2_27_x86_64.whl"

func newIndex(t *testing.T, wheel []byte) *index {
	t.Helper()
	x := &index{serve: func(w http.ResponseWriter, _ *http.Request) { w.Write(wheel) }}
	mux := http.NewServeMux()
	mux.HandleFunc("/simple/some-xla-cpu/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<html><body><a href=\"/files/%s\">%s</a></body></html>", wheelName, wheelName)
	})
	mux.HandleFunc("/files/"+wheelName, func(w http.ResponseWriter, r *http.Request) {
		x.downloads.Add(1)
		x.serve(w, r)
	})
	x.Server = httptest.NewServer(mux)
	t.Cleanup(x.Close)
	return x
}

// options returns the options to install from x into dir.
func (x *index) options(dir string) Options {
	return Options{Dir: dir, Source: Wheel, PipArgs: []string{
		"--isolated", "--no-cache-dir", "--retries", "0", "--timeout", "20", "--index-url", x.URL + "/simple/"}}
}

func needsPip(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skipf("the wheel is for linux/amd64, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	if _, err := python.Find(t.Context(), python.Output, "", "", "pip"); err != nil {
		t.Skip(err)
	}
}

func TestInstallWheel(t *testing.T) {
	needsPip(t)
	plugin := fakePlugin(t, entryPoint, strings.Repeat("content ", 1000))
	wheel, pin := fakeWheel(t, plugin)
	x := newIndex(t, wheel)
	home := t.TempDir()
	dir := filepath.Join(home, ".local", "lib", "go-xla")
	var progress bytes.Buffer
	opts := x.options(dir)
	opts.Progress = &progress

	path, err := install(t.Context(), opts, pin)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "pjrt_c_api_cpu_plugin.so"); path != want {
		t.Errorf("installed %s, want %s", path, want)
	}
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, plugin) {
		t.Errorf("the installed plugin is not the wheel's (%v)", err)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{dir, path, RecordPath(path)}) {
		t.Errorf("%s holds %q", dir, got)
	}
	if r, err := ReadRecord(path); err != nil || r.Source != Wheel || r.Version != "1.2.3" || r.SHA256 != pin.memberSHA256 {
		t.Errorf("record %+v, %v", r, err)
	}
	if err := VerifyFull(path); err != nil {
		t.Error(err)
	}
	if !strings.Contains(progress.String(), "some-xla-cpu 1.2.3") {
		t.Errorf("progress said %q", progress.String())
	}

	if again, err := install(t.Context(), opts, pin); err != nil || again != path || x.downloads.Load() != 1 {
		t.Errorf("a second install: %s, %v, %d downloads", again, err, x.downloads.Load())
	}
	opts.Force = true
	if _, err := install(t.Context(), opts, pin); err != nil || x.downloads.Load() != 2 {
		t.Errorf("a forced install: %v, %d downloads", err, x.downloads.Load())
	}

	removed, err := Uninstall(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, home); !slices.Equal(got, []string{home}) {
		t.Errorf("uninstall removed %q and left %q", removed, got)
	}
}

// TestInstallWheelRefuses checks the error for wheels that must not be installed, and that nothing is left, not even
// directories.
func TestInstallWheelRefuses(t *testing.T) {
	needsPip(t)
	plugin := fakePlugin(t, entryPoint, strings.Repeat("content ", 1000))
	wheel, pinned := fakeWheel(t, plugin)
	altered := slices.Clone(wheel)
	altered[len(altered)/2] ^= 1
	notPlugin, notPluginPin := fakeWheel(t, []byte("this is no shared library"))
	wrongMember := pinned
	wrongMember.memberSHA256 = strings.Repeat("0", 64)
	noMember := pinned
	noMember.member = "some_xla_cpu/other.so"

	// A pip that does not check hashes.
	trusting := write(t, []byte(`#!/bin/sh
case "$1" in -c) exit 0;; esac
while [ "$1" != "--dest" ]; do shift; done
cp "$WHEEL" "$2/`+wheelName+`"
`), t.TempDir(), "python")
	if err := os.Chmod(trusting, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WHEEL", write(t, altered, t.TempDir(), "altered"))

	tests := []struct {
		name  string
		wheel []byte
		pin   pin
		serve func(w http.ResponseWriter, r *http.Request)
		opts  func(*Options)
		want  string
	}{
		{name: "altered", wheel: altered, pin: pinned, want: "sha256 is not the pinned one"},
		{name: "cut short", wheel: wheel[:len(wheel)-100], pin: pinned, want: "sha256 is not the pinned one"},
		{name: "connection lost", pin: pinned, serve: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", fmt.Sprint(len(wheel)))
			w.Write(wheel[:len(wheel)/2])
			panic(http.ErrAbortHandler)
		}, want: "pip "},
		{name: "altered, past pip", wheel: wheel, pin: pinned, opts: func(o *Options) { o.Python = trusting }, want: "was altered on the way"},
		{name: "another file inside", wheel: wheel, pin: wrongMember, want: "expected 0000"},
		{name: "no such file inside", wheel: wheel, pin: noMember, want: "has no some_xla_cpu/other.so"},
		{name: "not a library", wheel: notPlugin, pin: notPluginPin, want: "is not a PJRT plugin"},
		{name: "server error", pin: pinned, serve: func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }, want: "pip could not download"},
		{name: "no network", wheel: wheel, pin: pinned, opts: func(o *Options) {
			o.PipArgs[len(o.PipArgs)-1] = "http://127.0.0.1:1/simple/"
		}, want: "network"},
		{name: "no Python", wheel: wheel, pin: pinned, opts: func(o *Options) { o.Python = "no-such-python" }, want: "no Python with the module pip"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			x := newIndex(t, test.wheel)
			if test.serve != nil {
				x.serve = test.serve
			}
			home := t.TempDir()
			opts := x.options(filepath.Join(home, "lib", "go-xla"))
			if test.opts != nil {
				test.opts(&opts)
			}
			path, err := install(t.Context(), opts, test.pin)
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

func TestInstallConcurrently(t *testing.T) {
	needsPip(t)
	plugin := fakePlugin(t, entryPoint, "")
	wheel, pin := fakeWheel(t, plugin)
	x := newIndex(t, wheel)
	dir := filepath.Join(t.TempDir(), "go-xla")
	// A killed installer leaves this; the next one removes it.
	write(t, []byte("half"), dir, stagingPrefix+"123", "tmp", "half.whl")

	const installers = 4
	errs := make([]error, installers)
	var wait sync.WaitGroup
	for i := range installers {
		wait.Go(func() { _, errs[i] = install(t.Context(), x.options(dir), pin) })
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	if n := x.downloads.Load(); n != 1 {
		t.Errorf("%d downloads for %d installers, want 1", n, installers)
	}
	path := filepath.Join(dir, pin.file)
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, plugin) {
		t.Errorf("the installed plugin is not the wheel's (%v)", err)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{dir, path, RecordPath(path)}) {
		t.Errorf("%s holds %q", dir, got)
	}
}

func TestInstallCancelled(t *testing.T) {
	needsPip(t)
	wheel, pin := fakeWheel(t, fakePlugin(t, entryPoint, strings.Repeat("content ", 100_000)))
	x := newIndex(t, wheel)
	ctx, cancel := context.WithCancel(t.Context())
	pipGone := make(chan struct{})
	x.serve = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(wheel)))
		w.Write(wheel[:len(wheel)/2])
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done() // pip has hung up
		close(pipGone)
	}
	home := t.TempDir()
	_, err := install(ctx, x.options(filepath.Join(home, "go-xla")), pin)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that it was cancelled", err)
	}
	<-pipGone
	if got := listing(t, home); !slices.Equal(got, []string{home}) {
		t.Errorf("left behind: %q", got)
	}
}

func TestInstallBesideBroken(t *testing.T) {
	needsPip(t)
	plugin := fakePlugin(t, entryPoint, "")
	wheel, pin := fakeWheel(t, plugin)
	x := newIndex(t, wheel)
	dir := t.TempDir()
	broken := write(t, plugin[:50], dir, pin.file)
	if _, err := install(t.Context(), x.options(dir), pin); err == nil || !strings.Contains(err.Error(), broken) {
		t.Errorf("got error %v, want one that names %s", err, broken)
	}
	opts := x.options(dir)
	opts.Force = true
	if _, err := install(t.Context(), opts, pin); err != nil || Check(broken) != nil {
		t.Errorf("forced: %v, %v", err, Check(broken))
	}
}

func TestUnknownSource(t *testing.T) {
	_, err := Install(t.Context(), Options{Dir: t.TempDir(), Source: "tarball"})
	if err == nil || !strings.Contains(err.Error(), `"tarball"`) {
		t.Errorf("got error %v, want one that names the source", err)
	}
}
