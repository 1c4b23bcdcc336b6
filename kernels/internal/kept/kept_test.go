package kept_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"birnn/kernels/internal/kept"
)

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := kept.Put(dir, kept.Info{Name: name}, writer(text)); err != nil {
		t.Fatal(err)
	}
}

func writer(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	}
}

func get(dir, name string) (info kept.Info, text string, err error) {
	err = kept.Get(dir, name, func(i kept.Info, r *bufio.Reader) error {
		data, err := io.ReadAll(r)
		info, text = i, string(data)
		return err
	})
	return info, text, err
}

func mustGet(t *testing.T, dir, name string) (kept.Info, string) {
	t.Helper()
	info, text, err := get(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	return info, text
}

func files(t *testing.T, dir string) int {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestFolder(t *testing.T) {
	for _, test := range []struct{ keep, gonb, want string }{
		{"a", "b", "a"}, {"", "b", filepath.Join("b", "keep")}, {"", "", ""},
	} {
		t.Setenv(kept.Env, test.keep)
		t.Setenv("GONB_TMP_DIR", test.gonb)
		if got := kept.Folder(); got != test.want {
			t.Errorf("%q, want %q", got, test.want)
		}
	}
}

// TestNames uses names of any script and length, with characters that file systems forbid or do not distinguish.
func TestNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new [1]")
	names := []string{"params", "Params", "PARAMS", "参数", "訓練済みモデル", "../../x", "a/b\\c:d*?", "CON", ".", "..", "a\x00b", "é", "e\u0301",
		"a\nb", strings.Repeat("很长的名字", 100)}
	for i, name := range names {
		put(t, dir, name, fmt.Sprint(i))
	}
	for i, name := range names {
		if info, text := mustGet(t, dir, name); text != fmt.Sprint(i) || info.Name != name {
			t.Errorf("%q has %q under the name %q", name, text, info.Name)
		}
	}
	infos, err := kept.List(dir)
	if err != nil || len(infos) != len(names) {
		t.Fatalf("%d values (%v), want %d", len(infos), err, len(names))
	}
	for i := range infos[1:] {
		if infos[i].Name >= infos[i+1].Name {
			t.Errorf("%q is listed before %q", infos[i].Name, infos[i+1].Name)
		}
	}
	if others, _ := os.ReadDir(filepath.Dir(dir)); len(others) != 1 {
		t.Error("a name led out of the folder")
	}
}

func TestReplaceAndDrop(t *testing.T) {
	dir := t.TempDir()
	want := kept.Info{Name: "a", Type: "main.T", Signature: "s", Kept: time.Now().UTC().Round(0), Took: time.Minute}
	put(t, dir, "a", "old")
	if err := kept.Put(dir, want, writer("new!")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "b", "other")
	want.Size = 4
	if got, text := mustGet(t, dir, "a"); text != "new!" || got != want {
		t.Errorf("%q with %+v, want %+v", text, got, want)
	}
	if infos, err := kept.List(dir); err != nil || len(infos) != 2 || infos[0] != want || infos[1].Name != "b" || infos[1].Size != 5 {
		t.Errorf("listed: %+v (%v)", infos, err)
	}
	if err := kept.Drop(dir, "a"); err != nil {
		t.Error(err)
	}
	if err := kept.Drop(dir, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dropped twice: %v", err)
	}
	if n := files(t, dir); n != 1 {
		t.Errorf("one value, and %d files", n)
	}
}

func TestAbsent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	if infos, err := kept.List(dir); len(infos) > 0 || err != nil {
		t.Error(infos, err)
	}
	if _, _, err := get(dir, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if err := kept.Drop(dir, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a", "old")
	failure := errors.New("no more")
	err := kept.Put(dir, kept.Info{Name: "a"}, func(w io.Writer) error {
		io.WriteString(w, "half of the ne")
		return failure
	})
	if _, text := mustGet(t, dir, "a"); !errors.Is(err, failure) || text != "old" || files(t, dir) != 1 {
		t.Errorf("error %v, %q is kept, %d files", err, text, files(t, dir))
	}
}

// TestTogether writes, drops and reads at the same time: every value read is complete.
func TestTogether(t *testing.T) {
	dir := t.TempDir()
	var group sync.WaitGroup
	for i := range 6 {
		group.Go(func() {
			for j := range 30 {
				put(t, dir, "x", strings.Repeat(string(rune('a'+i)), 1000+j))
				if i == 0 {
					kept.Drop(dir, "x")
				}
				info, text, err := get(dir, "x")
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				if int64(len(text)) != info.Size || strings.Trim(text, text[:1]) != "" {
					t.Errorf("%d bytes of %d read", len(text), info.Size)
				}
			}
		})
	}
	group.Wait()
}

const (
	killedIn = "KEPT_TEST_KILLED_IN" // the directory
	killedAt = "KEPT_TEST_KILLED_AT" // the number of bytes of a value after which the program kills itself
)

// TestMain runs the tests, or the program that kills itself while it writes a value.
func TestMain(m *testing.M) {
	dir := os.Getenv(killedIn)
	if dir == "" {
		os.Exit(m.Run())
	}
	n, err := strconv.Atoi(os.Getenv(killedAt))
	if err == nil {
		err = kept.Put(dir, kept.Info{Name: "值"}, func(w io.Writer) error {
			if _, err := io.WriteString(w, strings.Repeat("新", n/3)); err != nil {
				return err
			}
			self, err := os.FindProcess(os.Getpid())
			if err != nil {
				return err
			}
			self.Kill()
			select {}
		})
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// TestKilled kills a program while it writes a value: the old value stays.
func TestKilled(t *testing.T) {
	for _, at := range []int{0, 3, 30_000} {
		dir := t.TempDir()
		put(t, dir, "值", "old")
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), killedIn+"="+dir, fmt.Sprintf("%s=%d", killedAt, at))
		command.Stderr = os.Stderr
		if command.Run(); command.ProcessState == nil || command.ProcessState.Exited() && runtime.GOOS != "windows" {
			t.Fatalf("at %d bytes: it ended by itself: %v", at, command.ProcessState)
		}
		if files(t, dir) != 2 {
			t.Fatalf("at %d bytes: it has not begun to write", at)
		}
		if _, text := mustGet(t, dir, "值"); text != "old" {
			t.Errorf("at %d bytes: %q is kept", at, text)
		}
		put(t, dir, "值", "new")
		if infos, err := kept.List(dir); err != nil || len(infos) != 1 || infos[0].Size != 3 {
			t.Errorf("at %d bytes: then %+v (%v)", at, infos, err)
		}
	}
}
