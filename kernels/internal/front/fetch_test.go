//go:build unix

package front

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// proxy makes a module proxy with modules, given by path as the content of their go.mod and of their only package, all
// of version v1.2.0. They leave the module cache after the test.
func proxy(t *testing.T, modules map[string][2]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range modules {
		versions := filepath.Join(dir, name, "@v")
		if err := os.MkdirAll(versions, 0o755); err != nil {
			t.Fatal(err)
		}
		var archive bytes.Buffer
		z := zip.NewWriter(&archive)
		for file, text := range map[string]string{"go.mod": content[0], "code.go": content[1]} {
			w, err := z.Create(name + "@v1.2.0/" + file)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(text))
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		for file, data := range map[string][]byte{
			"list": []byte("v1.2.0\n"), "v1.2.0.info": []byte(`{"Version":"v1.2.0","Time":"2026-01-02T03:04:05Z"}`),
			"v1.2.0.mod": []byte(content[0]), "v1.2.0.zip": archive.Bytes(),
		} {
			if err := os.WriteFile(filepath.Join(versions, file), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Cleanup(func() {
		cache := goEnv(t, "GOMODCACHE")
		for name := range modules {
			for _, place := range []string{path.Dir(name), "cache/download/" + path.Dir(name)} {
				place = filepath.Join(cache, place)
				filepath.WalkDir(place, func(path string, d fs.DirEntry, err error) error { return os.Chmod(path, 0o755) })
				os.RemoveAll(place)
			}
		}
	})
	return "file://" + dir
}

// goEnv returns a setting of the go command.
func goEnv(t *testing.T, key string) string {
	t.Helper()
	value, err := exec.Command(goCommand(), "env", key).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(value))
}

// TestModuleCache uses the module cache that GOMODCACHE names, and leaves that of the home directory alone.
func TestModuleCache(t *testing.T) {
	for _, key := range []string{"GOMODCACHE", "GOCACHE"} {
		t.Setenv(key, goEnv(t, key))
	}
	own := t.TempDir()
	k := startIn(t, t.TempDir(), func(*Config) {
		t.Setenv("HOME", own)
		t.Setenv("XDG_CACHE_HOME", own)
		t.Setenv("GOPATH", "")
	})
	eventually(t, "gopls has indexed the modules", func() bool { // goimports behaves otherwise then
		k.request("complete_request", map[string]any{"code": "fmt.Printl", "cursor_pos": 10}, new(any))
		index, _ := filepath.Glob(filepath.Join(own, "goimports", "index*"))
		return len(index) > 0
	})
	if o := k.run("fmt.Println(floats.Sum([]float64{1, 2}))"); o.stdout != "3\n" {
		t.Errorf("the cell: %+v", o)
	}
	if _, err := os.Stat(filepath.Join(own, "go")); err == nil {
		t.Error("there is a module cache in the home directory")
	}
}

// TestFetch imports packages of modules that are not there: they are fetched, for this session.
func TestFetch(t *testing.T) {
	t.Parallel()
	home := fmt.Sprintf("birnn%d.invalid/", time.Now().UnixNano())
	greet, other := home+"greet", home+"other"
	address := proxy(t, map[string][2]string{
		greet: {"module " + greet + "\n\ngo 1.26\n\nrequire " + other + " v1.2.0\n", "package greet\n\nfunc Hello() string { return \"hello\" }\n"},
		other: {"module " + other + "\n\ngo 1.26\n", "package other\n\nconst Other = 7\n"},
	})
	files := func() (content string) {
		for _, name := range []string{"go.mod", "go.sum", "go.work", "go.work.sum"} {
			data, _ := os.ReadFile(filepath.Join(root(t), name))
			content += string(data)
		}
		return content
	}
	before := files()
	k := startIn(t, t.TempDir(), func(c *Config) { c.Proxy = address })
	if o := k.run("%modules"); !strings.HasPrefix(o.stdout, "no module was fetched") {
		t.Errorf("before: %+v", o)
	}
	hello := "import \"" + greet + "\"\ngreet.Hello()"
	if o := k.run("%noautoget\n" + hello); o.name != "CompileError" || !strings.Contains(o.traceback, "no required module provides package") {
		t.Errorf("with %%noautoget: %+v", o)
	}
	if o := k.run("%autoget\n" + hello); o.result["text/plain"] != `"hello"` || !strings.Contains(o.stderr, "go: added "+greet+" v1.2.0") {
		t.Errorf("the first cell: %+v", o)
	}
	if o := k.run("import \"" + other + "\"\nother.Other"); o.result["text/plain"] != "7" { // only its go.mod was required
		t.Errorf("the module that the first one requires: %+v", o)
	}
	if o := k.run("%modules"); o.stdout != greet+" v1.2.0\n"+other+" v1.2.0\n" {
		t.Errorf("%%modules says %q", o.stdout)
	}
	var matches struct{ Matches []string }
	for began := time.Now(); !slices.Contains(matches.Matches, "Hello") && time.Since(began) < time.Minute; { // gopls loads it
		k.request("complete_request", map[string]any{"code": "greet.He", "cursor_pos": 8}, &matches)
	}
	if !slices.Contains(matches.Matches, "Hello") {
		t.Errorf("the completions of a fetched package are %q", matches.Matches)
	}
	child, _ := k.front.gonb.Process()
	syscall.Kill(child.PID(), syscall.SIGKILL)
	<-child.Ended
	if o := k.run("1"); o.name != "KernelError" {
		t.Errorf("GoNB lives on: %+v", o)
	}
	if o := k.run("greet.Hello()"); o.result["text/plain"] != `"hello"` || o.stderr != "" {
		t.Errorf("after a restart of GoNB: %+v", o)
	}
	if o := k.run("!go env GOPROXY"); o.stdout != address+"\n" {
		t.Errorf("a shell command has the proxy %q", o.stdout)
	}
	for _, reset := range []string{"%reset", "%reset go.mod"} {
		k.run(hello)
		k.run(reset)
		k.run("1")
		if o := k.run("%modules"); !strings.HasPrefix(o.stdout, "no module was fetched") {
			t.Errorf("after %s: %+v", reset, o)
		}
	}
	if files() != before {
		t.Error("a file of the repository has changed")
	}
}

// TestFetchFails imports packages that cannot be fetched.
func TestFetchFails(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"http://127.0.0.1:1": "cannot fetch birnn.invalid/a: the network cannot be reached",
		"off":                "cannot fetch birnn.invalid/a: GOPROXY=off forbids it",
		proxy(t, nil):        "cannot fetch birnn.invalid/a: the go command says why",
	} {
		k := startIn(t, t.TempDir(), func(c *Config) { c.Proxy = address })
		o := k.run("import \"birnn.invalid/a\"\na.A")
		if o.name != "FetchError" || !strings.HasPrefix(o.value, want) || !strings.Contains(o.stderr, "birnn.invalid/a") {
			t.Errorf("%s: %+v", address, o)
		}
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"main.go:4:2: no required module provides package a.b/c; to add it:\n\tgo get a.b/c\nmain.go:5:2: no required module provides package a.b/d; to add it:\n\tgo get a.b/d": {"a.b/c", "a.b/d"},
		"package x imports g/v1/mat from implicitly required module; to add missing requirements, run:\n\tgo get g/v1@v0.16.0":                                                   {"g/v1@v0.16.0"},
		"go: downloading g/v1 v0.16.0\nmain.go:2:9: module lookup disabled by GOPROXY=off":                                                                                       {"g/v1@v0.16.0"},
		"main.go:4:2: undefined: x": nil,
	} {
		if got := missing(&cellError{value: text}); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
