package checkpoints

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

const kind = "test"

// metadata of the tests' checkpoints: how many saves there were.
type metadata struct{ Saves int }

// storeOf returns a store whose values are all the number of the save.
func storeOf(saves, size int) *model.Store {
	store := model.NewStore()
	values := make([]float32, size)
	for i := range values {
		values[i] = float32(saves)
	}
	for _, path := range []string{"/layer_1/W", "/b"} {
		if _, err := store.CreateVariable(path, tensors.FromFlatDataAndDimensions(slices.Clone(values), size)); err != nil {
			panic(err)
		}
	}
	return store
}

func open(t *testing.T, dir string) *Directory {
	t.Helper()
	d, err := Open(dir, kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func save(t *testing.T, d *Directory, saves int) {
	t.Helper()
	if err := d.Save(storeOf(saves, 5), metadata{saves}); err != nil {
		t.Fatal(err)
	}
}

// load returns of which save the newest readable checkpoint is, all of it.
func load(t *testing.T, d *Directory) (saves int, damaged []error) {
	t.Helper()
	saved, damaged, err := Load[metadata](d)
	if errors.Is(err, ErrNone) {
		return 0, damaged
	}
	if err != nil {
		t.Fatal(err)
	}
	saves = saved.Metadata.Saves
	for _, path := range []string{"/layer_1/W", "/b"} {
		v := saved.Store.GetVariable(path)
		if v == nil {
			t.Errorf("%s of save %d is missing", path, saves)
			continue
		}
		for _, value := range tensors.MustCopyFlatData[float32](v.MustValue()) {
			if value != float32(saves) {
				t.Errorf("%s of save %d has the value %g", path, saves, value)
			}
		}
	}
	return saves, damaged
}

func names(t *testing.T, dir string) (names []string) {
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

// Modes of the processes that the tests start.
const (
	modeEnv = "BIRNN_CHECKPOINTS_TEST"
	dirEnv  = "BIRNN_CHECKPOINTS_DIR"
	killed  = 77
)

func TestMain(m *testing.M) {
	dir := os.Getenv(dirEnv)
	mode, at, _ := strings.Cut(os.Getenv(modeEnv), ":")
	must := func(err error) {
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	}
	switch mode {
	case "":
		os.Exit(m.Run())
	case "save": // and end, as if killed, at a step
		step = func(name string) {
			if name == at {
				os.Exit(killed) // nothing deferred runs
			}
		}
		d, err := Open(dir, kind)
		must(err)
		saves := 1
		if saved, _, err := Load[metadata](d); err == nil {
			saves = saved.Metadata.Saves + 1
		}
		must(d.Save(storeOf(saves, 5), metadata{saves}))
	case "hold": // the directory, until standard input ends
		d, err := Open(dir, kind)
		must(err)
		fmt.Println("open")
		_, _ = bufio.NewReader(os.Stdin).ReadByte()
		must(d.Close())
	case "full":
		must(fillDisk(dir))
	}
}

func child(mode, dir string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), modeEnv+"="+mode, dirEnv+"="+dir)
	return cmd
}

// TestKilled ends a process at every step of a save, with none to several checkpoints before it: the one before it or the
// new one is there, complete, the next process removes what is left over and goes on.
func TestKilled(t *testing.T) {
	var steps []string
	step = func(name string) { steps = append(steps, name) }
	d := open(t, t.TempDir())
	for saves := range 3 {
		steps = nil
		save(t, d, saves+1)
	}
	step = func(string) {}
	if want := []string{"start", "made", "written", "synced", "read back", "renamed", "old one renamed", "end"}; !slices.Equal(steps, want) {
		t.Fatalf("a save has the steps %q, want %q", steps, want)
	}
	renamed := slices.Index(steps, "renamed")
	for before := range 4 {
		for i, at := range steps {
			if at == "old one renamed" && before < kept {
				continue // nothing is removed
			}
			dir := t.TempDir()
			d := open(t, dir)
			for saves := range before {
				save(t, d, saves+1)
			}
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			cmd := child("save:"+at, dir)
			if out, _ := cmd.CombinedOutput(); cmd.ProcessState.ExitCode() != killed {
				t.Fatalf("killed at %q: %v, %s", at, cmd.ProcessState, out)
			}
			d = open(t, dir) // the lock of a killed process does not stay
			want := before
			if i >= renamed {
				want++
			}
			if got, damaged := load(t, d); got != want || damaged != nil {
				t.Errorf("%d saves, then killed at %q: loaded save %d, want %d; damaged %v", before, at, got, want, damaged)
			}
			for _, name := range names(t, dir) {
				if strings.HasPrefix(name, stagingPrefix) {
					t.Errorf("%d saves, then killed at %q: %s is left over", before, at, name)
				}
			}
			save(t, d, want+1)
			if got, damaged := load(t, d); got != want+1 || damaged != nil {
				t.Errorf("the next save: loaded save %d, want %d; damaged %v", got, want+1, damaged)
			}
			if n := len(names(t, dir)); n > 1+kept { // the lock file
				t.Errorf("%d saves, then killed at %q, then one more: the directory has %q", before, at, names(t, dir))
			}
			_ = d.Close()
		}
	}
}

// TestPartlyWritten: whatever part of its files a killed save has written under the temporary name, it does not count.
func TestPartlyWritten(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	save(t, d, 1)
	whole := map[string][]byte{}
	for _, name := range names(t, d.of(1)) {
		data, err := os.ReadFile(filepath.Join(d.of(1), name))
		if err != nil {
			t.Fatal(err)
		}
		whole[name] = data
	}
	if len(whole) != 2 {
		t.Fatalf("a checkpoint has %d files, want 2", len(whole))
	}
	for name, data := range whole {
		for _, size := range []int{0, len(data) / 2, len(data)} {
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			staging := filepath.Join(dir, stagingPrefix+"1")
			if err := os.Mkdir(staging, 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(staging, name), data[:size], 0o666); err != nil {
				t.Fatal(err)
			}
			d = open(t, dir)
			if got, damaged := load(t, d); got != 1 || damaged != nil {
				t.Errorf("%s with %d bytes: loaded save %d, damaged %v", name, size, got, damaged)
			}
			if got, want := names(t, dir), []string{".lock", "00000001"}; !slices.Equal(got, want) {
				t.Errorf("the directory has %q, want %q", got, want)
			}
		}
	}
}

// TestDamaged damages the newest checkpoint, then the one before it, in several ways.
func TestDamaged(t *testing.T) {
	truncate := func(pattern string, size int64) func(dir string) error {
		return func(dir string) error {
			files, _ := filepath.Glob(filepath.Join(dir, pattern))
			if len(files) != 1 {
				return fmt.Errorf("%d files match %s", len(files), pattern)
			}
			return os.Truncate(files[0], size)
		}
	}
	for name, damage := range map[string]func(dir string) error{
		"data cut off":     truncate("*.bin", 10),
		"data empty":       truncate("*.bin", 0),
		"metadata cut off": truncate("*.json", 50),
		"metadata empty":   truncate("*.json", 0),
		"files gone": func(dir string) error {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
			return os.Mkdir(dir, 0o777)
		},
	} {
		d := open(t, t.TempDir())
		for saves := range 3 {
			save(t, d, saves+1)
		}
		if err := damage(d.of(3)); err != nil {
			t.Fatal(err)
		}
		got, damaged := load(t, d)
		if got != 2 || len(damaged) != 1 || !strings.Contains(damaged[0].Error(), d.of(3)) {
			t.Errorf("%s: loaded save %d, damaged %v; want 2, and the third named", name, got, damaged)
		}
		if err := damage(d.of(2)); err != nil {
			t.Fatal(err)
		}
		if _, damaged, err := Load[metadata](d); err == nil || errors.Is(err, ErrNone) || len(damaged) != 2 {
			t.Errorf("%s, both: error %v, damaged %v", name, err, damaged)
		}
		save(t, d, 4) // it can still be saved
		if got, _ := load(t, d); got != 4 {
			t.Errorf("%s: after another save, save %d is loaded", name, got)
		}
	}
}

// TestKeepsTwo: older checkpoints are removed; other files stay.
func TestKeepsTwo(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "[when] needed*")
	d := open(t, dir)
	if _, _, err := Load[metadata](d); !errors.Is(err, ErrNone) {
		t.Errorf("an empty directory: error %v", err)
	}
	for _, name := range []string{"7", "notes.txt", "00000009x"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for saves := range 4 {
		save(t, d, saves+1)
	}
	if got, want := names(t, dir), []string{".lock", "00000003", "00000004", "00000009x", "7", "notes.txt"}; !slices.Equal(got, want) {
		t.Errorf("the directory has %q, want %q", got, want)
	}
	if d.Dir() != dir {
		t.Errorf("Dir is %s", d.Dir())
	}
}

// TestOtherKind: checkpoints of another kind are an error that names it.
func TestOtherKind(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir)
	save(t, d, 1)
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := Open(dir, "other")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, _, err := Load[metadata](other); err == nil || errors.Is(err, ErrNone) || !strings.Contains(err.Error(), `not a checkpoint of kind "other"`) {
		t.Errorf("error %v", err)
	}
}

// TestTwoProcesses: only one process can open a directory, until it ends, however it does.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	for _, kill := range []bool{false, true} {
		cmd := child("hold", dir)
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "open\n" {
			t.Fatalf("the other process says %q, %v", line, err)
		}
		if _, err := Open(dir, kind); err == nil || !strings.Contains(err.Error(), "another process uses "+dir) {
			t.Errorf("open twice: error %v", err)
		}
		if kill {
			_ = cmd.Process.Kill()
		}
		stdin.Close()
		_ = cmd.Wait()
		d, err := Open(dir, kind)
		if err != nil {
			t.Fatalf("after its end, killed %t: %v", kill, err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOpenErrors: a file in the way, and metadata that cannot be written.
func TestOpenErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(file, kind); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file: error %v", err)
	}
	if _, err := Open("", kind); err == nil || !strings.Contains(err.Error(), "is empty; name a directory") {
		t.Errorf("no path: error %v", err)
	}
	d := open(t, t.TempDir())
	save(t, d, 1)
	if err := d.Save(storeOf(2, 5), func() {}); err == nil {
		t.Error("a function as metadata is no error")
	}
	if got, _ := load(t, d); got != 1 || len(names(t, d.Dir())) != 2 {
		t.Errorf("after it, save %d is loaded, and the directory has %q", got, names(t, d.Dir()))
	}
}

// TestFullDisk: a save on a disk that is full is an error, and the checkpoint before it stays.
func TestFullDisk(t *testing.T) {
	cmd := child("full", t.TempDir())
	if !ownMounts(cmd) {
		t.Skip("no file system can be mounted for the test here")
	}
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte(cannotMount)) || errors.Is(err, os.ErrPermission) {
		t.Skipf("no file system can be mounted for the test here: %v %s", err, out)
	}
	if err != nil || !bytes.Contains(out, []byte("no space left on device")) {
		t.Errorf("%v, %s", err, out)
	}
}

const cannotMount = "cannot mount"

// TestCopy: existing variables get the values, the others are created.
func TestCopy(t *testing.T) {
	to := model.NewStore()
	if _, err := to.CreateVariable("/b", tensors.FromFlatDataAndDimensions(make([]float32, 5), 5)); err != nil {
		t.Fatal(err)
	}
	if err := Copy(to, storeOf(3, 5)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/b", "/layer_1/W"} {
		if got := tensors.MustCopyFlatData[float32](to.GetVariable(path).MustValue()); !slices.Equal(got, []float32{3, 3, 3, 3, 3}) {
			t.Errorf("%s is %v", path, got)
		}
	}
}
