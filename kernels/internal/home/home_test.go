package home

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestDataDir(t *testing.T) {
	for _, test := range []struct{ goos, xdg, want string }{
		{"linux", "", "/h/.local/share"},
		{"linux", "/data", "/data"},
		{"linux", "relative", "/h/.local/share"},
		{"darwin", "/data", "/h/Library/Application Support"},
	} {
		if got := dataDir(test.goos, "/h", test.xdg); filepath.ToSlash(got) != test.want && runtime.GOOS != "windows" {
			t.Errorf("dataDir(%s, %q) = %s, want %s", test.goos, test.xdg, got, test.want)
		}
	}
}

func TestLocate(t *testing.T) {
	t.Setenv(Env, filepath.Join(t.TempDir(), "env"))
	if h, err := Locate(""); err != nil || h.Dir != os.Getenv(Env) {
		t.Errorf("by %s: %v, %v", Env, h, err)
	}
	if h, err := Locate("here"); err != nil || !filepath.IsAbs(h.Dir) || filepath.Base(h.Dir) != "here" {
		t.Errorf("asked for: %v, %v", h, err)
	}
}

func open(t *testing.T, h Home) (*Manifest, func()) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the folder is for Unix")
	}
	m, unlock, err := h.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return m, unlock
}

func write(t *testing.T, elem ...string) string {
	t.Helper()
	path := filepath.Join(elem...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func listing(t *testing.T, root string) []string {
	t.Helper()
	var paths []string
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// TestRemove installs into a home directory with other files and checks that removing leaves exactly those.
func TestRemove(t *testing.T) {
	user := t.TempDir()
	write(t, user, ".local", "share", "jupyter", "kernels", "python3", "kernel.json")
	write(t, user, "notes.txt")
	before := listing(t, user)

	h := Home{filepath.Join(user, ".local", "share", "deep", "birnn")}
	m, unlock := open(t, h)
	write(t, h.Bin(), "gonb")
	write(t, h.Path("env-1234"), "bin", "python")
	spec := filepath.Join(user, ".local", "share", "jupyter", "kernels", "birnn-go")
	other := filepath.Join(user, "Library", "Jupyter", "kernels", "birnn-go")
	for _, dir := range []string{spec, other} {
		if err := m.MakeDirs(filepath.Dir(dir)); err != nil {
			t.Fatal(err)
		}
		if err := m.Note(&m.Outside, dir); err != nil {
			t.Fatal(err)
		}
		write(t, dir, "kernel.json")
	}
	m.Steps["one"] = "stamp"
	if err := m.ListFiles(); err != nil {
		t.Fatal(err)
	}
	unlock()

	m, err := h.ReadManifest()
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"bin/gonb", "env-1234/bin/python", manifestName}; !slices.Equal(m.Files, want) {
		t.Errorf("the manifest lists %q, want %q", m.Files, want)
	}
	if m.Steps["one"] != "stamp" {
		t.Errorf("the stamp is lost: %v", m.Steps)
	}
	during := listing(t, user)
	if _, err := m.Remove(true, func(string) {}); err != nil || !slices.Equal(during, listing(t, user)) {
		t.Errorf("a dry run changed something (%v)", err)
	}
	stayed, err := m.Remove(false, func(string) {})
	if err != nil || len(stayed) != 0 {
		t.Errorf("stayed %q, %v", stayed, err)
	}
	if got := listing(t, user); !slices.Equal(got, before) {
		t.Errorf("left\n%q\nwant\n%q", got, before)
	}
}

func TestRemoveLeavesForeign(t *testing.T) {
	h := Home{filepath.Join(t.TempDir(), "birnn")}
	m, unlock := open(t, h)
	defer unlock()
	foreign := write(t, h.Path("thesis.tex"))
	stayed, err := m.Remove(false, func(string) {})
	if err != nil || !slices.Equal(stayed, []string{foreign}) {
		t.Errorf("stayed %q, %v", stayed, err)
	}
	if got := listing(t, h.Dir); !slices.Equal(got, []string{h.Dir, foreign}) {
		t.Errorf("left %q", got)
	}
}

func TestOpenRefusesForeign(t *testing.T) {
	dir := t.TempDir()
	open(t, Home{filepath.Join(dir, "sub")}) // skips where there is no lock
	write(t, dir, "thesis.tex")
	if _, _, err := (Home{dir}).Open(t.Context(), nil); !errors.Is(err, errForeign) {
		t.Errorf("got error %v, want errForeign", err)
	}
}

func TestOpenWaits(t *testing.T) {
	h := Home{filepath.Join(t.TempDir(), "birnn")}
	_, unlock := open(t, h)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	told := 0
	if _, _, err := h.Open(ctx, func() { told++ }); !errors.Is(err, context.DeadlineExceeded) || told != 1 {
		t.Errorf("a second one: %v, told %d times", err, told)
	}
	unlock()
	_, unlock = open(t, h)
	unlock()
}
