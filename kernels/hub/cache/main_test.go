package main

import (
	"crypto/rand"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestLayer(t *testing.T) {
	l := layer(t.TempDir())
	id := func(text string) []byte { sum := sha256.Sum256([]byte(text)); return sum[:] }
	for _, test := range []struct {
		name   string
		damage func(action, output string) error
		hit    bool
	}{
		{"whole", func(_, _ string) error { return nil }, true},
		{"an output cut short", func(_, output string) error { return os.Truncate(output, 3) }, false},
		{"no output", func(_, output string) error { return os.Remove(output) }, false},
		{"an entry cut short", func(action, _ string) error { return os.Truncate(action, 100) }, false},
		{"another entry", func(action, _ string) error { return os.WriteFile(action, []byte("v2 of the format\n"), 0o600) }, false},
		{"no entry", func(action, _ string) error { return os.Remove(action) }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			action, output := id(test.name), id("its output")
			for range 2 { // the second time the cache has it
				path, err := l.put(action, output, []byte("its output"))
				if data, readErr := os.ReadFile(path); err != nil || readErr != nil || string(data) != "its output" {
					t.Fatalf("put: %q, %v, %v", data, err, readErr)
				}
			}
			if err := test.damage(l.file(action, "a"), l.file(output, "d")); err != nil {
				t.Fatal(err)
			}
			got, size, path := l.get(action)
			if hit := path != ""; hit != test.hit || hit && (string(got) != string(output) || size != 10 || path != l.file(output, "d")) {
				t.Errorf("got %x, %d bytes, %q", got, size, path)
			}
		})
	}
}

// TestGo has the go command build with its cache as the shared layer and checks that this stays unchanged.
func TestGo(t *testing.T) {
	dir, own := t.TempDir(), t.TempDir()
	program := filepath.Join(dir, "cache.exe")
	shared, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Skip("needs the go command")
	}
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module new\n\ngo 1.26\n")
	text := rand.Text() // so that no cache has it
	write("main.go", "package main\n\nfunc main() { print(\""+text+"\") }\n")
	goCommand := func(args ...string) {
		t.Helper()
		// The user's directories on various systems.
		cmd := exec.Command("go", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOCACHE="+filepath.Join(own, "not used"), "GOCACHEPROG='"+program+"' '"+strings.TrimSpace(string(shared))+"'",
			"HOME="+own, "XDG_CACHE_HOME="+own, "XDG_CONFIG_HOME="+own, "LocalAppData="+own, "AppData="+own, "GOMODCACHE="+filepath.Join(own, "modules"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %v: %v: %s", args, err, out)
		}
	}
	goCommand("telemetry", "off") // or its telemetry process would write there later
	build := func() string {
		t.Helper()
		goCommand("build", "-o", "new.exe")
		out, err := exec.Command(filepath.Join(dir, "new.exe")).CombinedOutput()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	kept := func() int {
		root := own
		if runtime.GOOS == "darwin" {
			root = filepath.Join(own, "Library", "Caches")
		}
		files, _ := filepath.Glob(filepath.Join(root, "birnn-build", "*", "*-d"))
		return len(files)
	}
	if out := build(); out != text {
		t.Errorf("the program writes %q, want %q", out, text)
	}
	first := kept()
	if first == 0 || first > 20 {
		t.Errorf("%d files in the user's own layer, want the few of one new package", first)
	}
	if err := os.Remove(filepath.Join(dir, "new.exe")); err != nil {
		t.Fatal(err)
	}
	if out := build(); out != text || kept() != first {
		t.Errorf("the second time: %q, %d files and %d before", out, kept(), first)
	}
}
