package atomicfile_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"birnn/internal/atomicfile"
)

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	write := func(text string, err error) error {
		return atomicfile.Write(path, func(w io.Writer) error {
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
			t.Errorf("the file has %q (%v), beside %d others; want %q alone", got, err, len(entries)-1, want)
		}
	}
	check("first")
	if err := write("second", nil); err != nil {
		t.Fatal(err)
	}
	check("second")
	if err := atomicfile.Write(filepath.Join(dir, "absent", "file"), func(io.Writer) error { return nil }); err == nil {
		t.Error("a folder that is not there is no error")
	}
}
