package kept_test

import (
	"bufio"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
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

func get(t *testing.T, dir, name string) (kept.Info, string) {
	t.Helper()
	info, file, err := kept.Open(dir, name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := io.ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	return info, string(text)
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

// TestNames uses names of any script and length, with characters that file systems forbid or do not distinguish.
func TestNames(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	names := []string{"params", "Params", "PARAMS", "参数", "訓練済みモデル", "../../x", "a/b\\c:d*?", "CON", ".", "..", "a\x00b", "é", "e\u0301",
		strings.Repeat("很长的名字", 100)}
	for i, name := range names {
		put(t, dir, name, fmt.Sprint(i))
	}
	for i, name := range names {
		if info, text := get(t, dir, name); text != fmt.Sprint(i) || info.Name != name {
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

func TestReplaceDropClear(t *testing.T) {
	dir := t.TempDir()
	want := kept.Info{Name: "a", Type: "main.T", Signature: "s", Computed: time.Now().UTC().Round(0), Took: time.Minute, Fingerprint: "f"}
	put(t, dir, "a", "old")
	if err := kept.Put(dir, want, writer("new!")); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "b", "other")
	got, text := get(t, dir, "a")
	want.Size, want.Data = 4, got.Data
	if text != "new!" || got != want {
		t.Errorf("%q with %+v, want %+v", text, got, want)
	}
	if total, err := kept.Total(dir); err != nil || total != 9 {
		t.Errorf("total %d (%v), want 9", total, err)
	}
	if names := files(t, dir); len(names) != 4 {
		t.Errorf("two values, and the files %q", names)
	}
	if err := kept.Drop(dir, "a"); err != nil {
		t.Error(err)
	}
	if err := kept.Drop(dir, "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("dropped twice: %v", err)
	}
	if names := files(t, dir); len(names) != 2 {
		t.Errorf("one value, and the files %q", names)
	}
	if err := kept.SetLimit(dir, 77); err != nil {
		t.Fatal(err)
	}
	if err := kept.Clear(dir); err != nil {
		t.Error(err)
	}
	if limit, err := kept.Limit(dir); err != nil || limit != 77 || len(files(t, dir)) != 1 {
		t.Errorf("limit %d (%v) and %q after Clear", limit, err, files(t, dir))
	}
}

func TestAbsent(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "absent")
	infos, err := kept.List(dir)
	total, err2 := kept.Total(dir)
	limit, err3 := kept.Limit(dir)
	fingerprints, err4 := kept.Fingerprints(dir)
	if len(infos) > 0 || total != 0 || limit != kept.DefaultLimit || len(fingerprints) > 0 ||
		errors.Join(err, err2, err3, err4, kept.Clear(dir)) != nil {
		t.Error(infos, total, limit, fingerprints, err, err2, err3, err4)
	}
	if _, _, err := kept.Open(dir, "a"); !errors.Is(err, fs.ErrNotExist) {
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
	if _, text := get(t, dir, "a"); !errors.Is(err, failure) || text != "old" || len(files(t, dir)) != 2 {
		t.Errorf("error %v, %q is kept, files %q", err, text, files(t, dir))
	}
}

func TestLimit(t *testing.T) {
	dir := t.TempDir()
	if err := kept.SetLimit(dir, 10); err != nil {
		t.Fatal(err)
	}
	put(t, dir, "a", "12345")
	put(t, dir, "b", "12345")
	var full *kept.FullError
	if err := kept.Put(dir, kept.Info{Name: "c"}, writer("1")); !errors.As(err, &full) || *full != (kept.FullError{Others: 10, Limit: 10}) {
		t.Errorf("beyond the limit: %v", err)
	}
	put(t, dir, "a", "1234") // replacing the old value makes room
	if err := kept.Put(dir, kept.Info{Name: "a"}, writer("123456")); !errors.As(err, &full) {
		t.Errorf("a replacement beyond the limit: %v", err)
	}
	if _, text := get(t, dir, "a"); text != "1234" {
		t.Errorf("%q is kept", text)
	}
	if err := kept.SetLimit(dir, -1); err == nil {
		t.Error("a negative limit is no error")
	}
}

func TestDamaged(t *testing.T) {
	for _, test := range []struct {
		name string
		with func(path string) error
	}{
		{"cut metadata", func(path string) error { return os.Truncate(path, 20) }},
		{"other metadata", func(path string) error { return os.WriteFile(path, []byte(`{"name":"other","data":"x"}`), 0o600) }},
		{"data elsewhere", func(path string) error { return os.WriteFile(path, []byte(`{"name":"a","data":"../x"}`), 0o600) }},
		{"no data", func(path string) error { return os.Remove(path[:len(path)-len(".json")] + ".data") }},
		{"cut data", func(path string) error { return os.Truncate(path[:len(path)-len(".json")]+".data", 2) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			put(t, dir, "a", "first")
			metadata, err := filepath.Glob(filepath.Join(dir, "a-*.json"))
			data, err2 := filepath.Glob(filepath.Join(dir, "a-*.data"))
			if err != nil || err2 != nil || len(metadata) != 1 || len(data) != 1 {
				t.Fatal(metadata, data)
			}
			put(t, dir, "b", "second")
			path := metadata[0]
			if strings.HasSuffix(test.name, " data") {
				path = data[0][:len(data[0])-len(".data")] + ".json"
			}
			if err := test.with(path); err != nil {
				t.Fatal(err)
			}
			if _, _, err := kept.Open(dir, "a"); !errors.Is(err, kept.ErrDamaged) {
				t.Errorf("error %v, want ErrDamaged", err)
			}
			infos, err := kept.List(dir)
			if cut := strings.HasSuffix(test.name, " data"); !cut && (!errors.Is(err, kept.ErrDamaged) || len(infos) != 1 || infos[0].Name != "b") {
				t.Errorf("%v (%v), want b and an error", infos, err)
			}
			put(t, dir, "b", "third") // others can be replaced
			if _, text := get(t, dir, "b"); text != "third" {
				t.Errorf("%q is kept as b", text)
			}
			put(t, dir, "a", "again")
			if _, text := get(t, dir, "a"); text != "again" {
				t.Errorf("%q is kept as a", text)
			}
			if err := test.with(path); err == nil {
				if err := kept.Drop(dir, "a"); err != nil {
					t.Errorf("dropping it: %v", err)
				}
			}
			if err := kept.Clear(dir); err != nil || len(files(t, dir)) > 0 {
				t.Errorf("cleared (%v): %q", err, files(t, dir))
			}
		})
	}
}

func TestFingerprints(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	if err := kept.SetFingerprints(dir, map[string]string{"参数": "1", "x": "2"}); err != nil {
		t.Fatal(err)
	}
	got, err := kept.Fingerprints(dir)
	if err != nil || len(got) != 2 || got["参数"] != "1" || got["x"] != "2" {
		t.Errorf("%v (%v)", got, err)
	}
	if infos, err := kept.List(dir); err != nil || len(infos) != 0 {
		t.Errorf("they are listed as values: %v (%v)", infos, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "fingerprints.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Fingerprints(dir); err == nil {
		t.Error("damaged fingerprints are no error")
	}
}

func TestParseBytes(t *testing.T) {
	for text, want := range map[string]int64{"4GB": 4e9, "4gb": 4e9, "4 G": 4e9, "0": 0, "123": 123, "1.5kB": 1500, "500 MB": 5e8, "7B": 7, "1MiB": 1 << 20} {
		if got, err := kept.ParseBytes(text); got != want || err != nil {
			t.Errorf("ParseBytes(%q) is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "GB", "-1", "4 XB", "GB4", "4 GB of", "NaN", "Inf", "1e300TB", "1,5GB", "18EB"} {
		if got, err := kept.ParseBytes(text); err == nil {
			t.Errorf("ParseBytes(%q) is %d, want an error", text, got)
		}
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
				info, file, err := kept.Open(dir, "x")
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(file)
				file.Close()
				if err != nil || int64(len(text)) != info.Size || len(bytes.Trim(text, string(text[:1]))) > 0 {
					t.Errorf("%d bytes of %d read (%v)", len(text), info.Size, err)
				}
			}
		})
	}
	group.Wait()
}

const (
	killedIn   = "KEPT_TEST_KILLED_IN"   // the directory
	killedSeed = "KEPT_TEST_KILLED_SEED" // for the sizes of values
	killedAt   = "KEPT_TEST_KILLED_AT"   // the number of bytes of a value after which the program kills itself
)

var seed = flag.Uint64("seed", rand.Uint64(), "seed of the kills at random moments")

// TestMain runs the tests, or the program that is killed.
func TestMain(m *testing.M) {
	dir := os.Getenv(killedIn)
	if dir == "" {
		os.Exit(m.Run())
	}
	var err error
	if at := os.Getenv(killedAt); at != "" {
		err = killItself(dir, at)
	} else {
		err = replaceForever(dir, os.Getenv(killedSeed))
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// killItself kills itself after writing at bytes of a value.
func killItself(dir, at string) error {
	n, err := strconv.Atoi(at)
	if err != nil {
		return err
	}
	return kept.Put(dir, kept.Info{Name: "值"}, func(w io.Writer) error {
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

// replaceForever replaces a value again and again and prints a line each time.
func replaceForever(dir, seed string) error {
	s, err := strconv.ParseUint(seed, 10, 64)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(s, 1))
	for i := 0; ; i++ {
		text := strings.Repeat(fmt.Sprintf("%08d", i), 1+rng.IntN(100_000))
		err := kept.Put(dir, kept.Info{Name: "值", Signature: text[:8]}, func(w io.Writer) error {
			for text := text; text != ""; {
				n := min(len(text), 1<<14)
				if _, err := io.WriteString(w, text[:n]); err != nil {
					return err
				}
				text = text[n:]
			}
			return nil
		})
		if err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func killable(env ...string) *exec.Cmd {
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), env...)
	command.Stderr = os.Stderr
	return command
}

// TestKilledWriting kills a program while it writes a value: the old value stays, and the next Put removes the remains.
func TestKilledWriting(t *testing.T) {
	for _, at := range []int{0, 3, 30_000} {
		dir := t.TempDir()
		put(t, dir, "值", "old")
		command := killable(killedIn+"="+dir, fmt.Sprintf("%s=%d", killedAt, at))
		if command.Run(); command.ProcessState == nil || command.ProcessState.Exited() && runtime.GOOS != "windows" {
			t.Fatalf("at %d bytes: it ended by itself: %v", at, command.ProcessState)
		}
		if _, text := get(t, dir, "值"); text != "old" || len(files(t, dir)) != 3 {
			t.Errorf("at %d bytes: %q is kept, files %q", at, text, files(t, dir))
		}
		put(t, dir, "别的", "another")
		if names := files(t, dir); len(names) != 4 {
			t.Errorf("at %d bytes: not swept: %q", at, names)
		}
	}
}

// TestKilled kills a program that replaces a value again and again, at random moments.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	rng := rand.New(rand.NewPCG(*seed, 0))
	t.Logf("-seed %d", *seed)
	leftovers := 0
	last := ""
	for round := range 20 {
		command := killable(killedIn+"="+dir, fmt.Sprintf("%s=%d", killedSeed, rng.Uint64()))
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		puts := bufio.NewScanner(out)
		for range 1 + rng.IntN(4) {
			puts.Scan()
		}
		time.Sleep(time.Duration(rng.IntN(5_000)) * time.Microsecond)
		command.Process.Kill()
		if command.Wait(); command.ProcessState.Exited() && runtime.GOOS != "windows" {
			t.Fatalf("round %d: it ended by itself: %v", round, command.ProcessState)
		}
		leftovers += max(0, len(files(t, dir))-2)
		info, text := get(t, dir, "值")
		if strings.ReplaceAll(text, info.Signature, "") != "" || text == "" {
			t.Fatalf("round %d: %d bytes are not all of value %s", round, len(text), info.Signature)
		}
		last = text
	}
	put(t, dir, "值", last)
	if names := files(t, dir); len(names) != 2 {
		t.Errorf("not swept: %q", names)
	}
	t.Logf("%d leftovers swept", leftovers)
}
