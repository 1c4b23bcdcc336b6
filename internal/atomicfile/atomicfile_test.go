package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"birnn/internal/atomicfile"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write := func(text string, err error) error {
		return atomicfile.Write(path, 0o640, func(w io.Writer) error {
			_, writeErr := io.WriteString(w, text)
			return errors.Join(writeErr, err)
		})
	}
	if err := write("first", nil); err != nil {
		t.Fatal(err)
	}
	failure := errors.New("no more")
	if err := write("half of the sec", failure); !errors.Is(err, failure) {
		t.Errorf("error %v, want %v", err, failure)
	}
	check := func(want string) {
		t.Helper()
		got, err := os.ReadFile(path)
		entries, _ := os.ReadDir(dir)
		if err != nil || string(got) != want || len(entries) != 1 {
			t.Errorf("the file has %q (%v), among %d files; want %q alone", got, err, len(entries), want)
		}
		if info, err := os.Stat(path); err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
			t.Errorf("permissions %v, want %v", info.Mode().Perm(), fs.FileMode(0o640))
		}
	}
	check("first")
	if err := write("second", nil); err != nil {
		t.Fatal(err)
	}
	check("second")
	if err := atomicfile.WriteFile(path, []byte("third"), 0o640); err != nil {
		t.Fatal(err)
	}
	check("third")
	if err := atomicfile.WriteFile(filepath.Join(dir, "absent", "file"), nil, 0o640); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing directory: %v, want fs.ErrNotExist", err)
	}
}
