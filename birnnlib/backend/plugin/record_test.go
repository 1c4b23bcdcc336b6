package plugin

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

func TestVerify(t *testing.T) {
	dir := t.TempDir()
	path := write(t, []byte("first content"), dir, "pjrt_c_api_cpu_plugin.so")
	if err := Verify(path); err != nil { // makes the record
		t.Fatal(err)
	}
	r, err := ReadRecord(path)
	if err != nil || r.SHA256 != sha([]byte("first content")) || r.Installed || r.Source != "" {
		t.Fatalf("record %+v, %v", r, err)
	}

	later := time.Now().Add(time.Hour).Truncate(time.Second)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if err := Verify(path); err != nil {
		t.Errorf("touched, with the same content: %v", err)
	}
	if r, err := ReadRecord(path); err != nil || !r.ModTime.Equal(later) {
		t.Errorf("the record has the time %v, want %v (%v)", r.ModTime, later, err)
	}

	write(t, []byte("other content"), path)
	if err := Verify(path); !errors.Is(err, ErrChanged) {
		t.Errorf("changed: got %v, want ErrChanged", err)
	}
	// With the recorded size and time, only VerifyFull finds the change.
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if err := Verify(path); err != nil {
		t.Errorf("Verify hashed although size and time are the recorded ones: %v", err)
	}
	if err := VerifyFull(path); !errors.Is(err, ErrChanged) {
		t.Errorf("changed behind its back: VerifyFull says %v, want ErrChanged", err)
	}

	if err := os.Remove(RecordPath(path)); err != nil {
		t.Fatal(err)
	}
	if err := VerifyFull(path); err != nil {
		t.Errorf("after its record was removed: %v", err)
	}
	if err := Verify(filepath.Join(dir, "absent.so")); !os.IsNotExist(err) {
		t.Errorf("absent: %v", err)
	}
	write(t, []byte("{"), RecordPath(path))
	if err := Verify(path); err == nil {
		t.Error("a damaged record goes unnoticed")
	}
}

func TestVerifyReadOnly(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may write anywhere")
	}
	dir := t.TempDir()
	path := write(t, []byte("x"), dir, "pjrt_c_api_cpu_plugin.so")
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o755)
	if err := Verify(path); err != nil {
		t.Errorf("a directory of the system's: %v", err)
	}
}

func TestUninstall(t *testing.T) {
	root := t.TempDir()
	dir := filepath.Join(root, "lib", "go-xla")
	record := func(name, content string, installed bool) string {
		path := write(t, []byte(content), dir, name)
		err := writeRecord(path, Record{File: name, SHA256: sha([]byte("as installed")), Installed: installed,
			MadeDirs: []string{dir, filepath.Dir(dir)}})
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	ours := record("pjrt_c_api_cpu_plugin.so", "as installed", true)
	changed := record("pjrt_c_api_changed_plugin.so", "changed since", true)
	theirs := record("pjrt_c_api_theirs_plugin.so", "as installed", false)
	if runtime.GOOS != "windows" { // there it may be in use
		write(t, []byte("half"), dir, stagingPrefix+"1", "half.whl") // of a killed installer
	}

	planned, err := Installed(dir)
	if err != nil {
		t.Fatal(err)
	}
	removed, err := Uninstall(dir)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(planned, removed) {
		t.Errorf("Installed said %q, Uninstall removed %q", planned, removed)
	}
	slices.Sort(removed)
	want := []string{RecordPath(changed), ours, RecordPath(ours), RecordPath(theirs)}
	if !slices.Equal(removed, want) {
		t.Errorf("removed %q\nwant %q", removed, want)
	}
	if got := listing(t, dir); !slices.Equal(got, []string{dir, changed, theirs}) {
		t.Errorf("left %q", got)
	}
	if removed, err := Uninstall(dir); err != nil || len(removed) != 0 {
		t.Errorf("a second time: %q, %v", removed, err)
	}
}
