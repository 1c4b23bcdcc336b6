package tag_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/tag"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
)

func open(t *testing.T, dir string) *tag.Checkpoints {
	t.Helper()
	c, err := tag.OpenCheckpoints(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// losses returns the losses of all epochs.
func losses(m *tag.Model) (all []float64) {
	for _, e := range m.History() {
		all = append(all, e.Loss)
	}
	return all
}

// trainFor trains m for a number of mini-batches and interrupts it as Ctrl-C does.
func trainFor(t *testing.T, m *tag.Model, batches int, examples func(int) []tag.Example) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := m.Train(ctx, examples, tag.Callbacks{Batch: func(tag.Position, int) {
		if batches--; batches == 0 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: error %v", err)
	}
}

// TestResume interrupts a training in the middle of an epoch, saves it, loads it into a new model, as a new process
// would, and compares with a training that was never interrupted: the same to the last bit, dropout and all. The examples
// of an epoch depend on its number.
func TestResume(t *testing.T) {
	examples := func(epoch int) []tag.Example { return draw(30+epoch, 1) }
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		whole := newModel(t, b, small())
		if err := whole.Train(t.Context(), examples, tag.Callbacks{}); err != nil {
			t.Fatal(err)
		}
		m := newModel(t, b, small())
		trainFor(t, m, 13, examples)
		trainFor(t, m, 2, examples) // calling Train again on the same model goes on as well
		checkpoints := open(t, t.TempDir())
		if err := checkpoints.Save(m); err != nil {
			t.Fatal(err)
		}
		resumed, damaged, err := checkpoints.Load(b)
		if err != nil || damaged != nil {
			t.Fatal(err, damaged)
		}
		if resumed.Position() != m.Position() || m.Position().Batch == 0 || m.Position().Epoch == 0 {
			t.Fatalf("position %+v after loading, %+v before; it should be inside an epoch that is not the first", resumed.Position(), m.Position())
		}
		if !reflect.DeepEqual(resumed.Task(), task) || !reflect.DeepEqual(resumed.Config(), small()) {
			t.Errorf("task %+v and settings %+v after loading", resumed.Task(), resumed.Config())
		}
		epochs := 0
		if err := resumed.Train(t.Context(), examples, tag.Callbacks{Epoch: func(tag.Epoch) error { epochs++; return nil }}); err != nil {
			t.Fatal(err)
		}
		if got, want := losses(resumed), losses(whole); !slices.Equal(got, want) || len(got) != 4 || epochs == 0 || epochs == 4 {
			t.Errorf("losses %v when resumed, %v when not interrupted", got, want)
		}
		for v := range whole.Store().IterVariables() {
			other := resumed.Store().GetVariable(v.Path())
			if other == nil || !other.MustValue().Equal(v.MustValue()) {
				t.Errorf("%s differs after resuming", v.Path())
			}
		}
	})
}

func TestCheckpointsKeepTwo(t *testing.T) {
	b, dir := backendtest.Go(t), t.TempDir()
	checkpoints, m := open(t, dir), newModel(t, b, small())
	if _, _, err := checkpoints.Load(b); !errors.Is(err, tag.ErrNoCheckpoint) {
		t.Errorf("empty directory: error %v, want ErrNoCheckpoint", err)
	}
	for range 4 {
		if err := checkpoints.Save(m); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := names(t, dir), []string{".lock", "00000003", "00000004"}; !slices.Equal(got, want) {
		t.Errorf("the directory has %q, want %q", got, want)
	}
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

// TestDamagedCheckpoint damages the latest checkpoint: the one before is loaded, and the damage told.
func TestDamagedCheckpoint(t *testing.T) {
	b := backendtest.Go(t)
	for _, pattern := range []string{"*.bin", "*.json"} {
		for _, size := range []int64{0, 50} {
			damage := func(dir string) {
				files, _ := filepath.Glob(filepath.Join(dir, pattern))
				if len(files) != 1 {
					t.Fatalf("%d files match %s", len(files), pattern)
				}
				if err := os.Truncate(files[0], size); err != nil {
					t.Fatal(err)
				}
			}
			dir := t.TempDir()
			checkpoints, m := open(t, dir), newModel(t, b, small())
			for range 2 {
				trainFor(t, m, 5, always(draw(30, 1)))
				if err := checkpoints.Save(m); err != nil {
					t.Fatal(err)
				}
			}
			latest := m.Position()
			damage(filepath.Join(dir, "00000002"))
			loaded, damaged, err := checkpoints.Load(b)
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Position() == latest || len(damaged) != 1 || !strings.Contains(damaged[0].Error(), "00000002") {
				t.Errorf("loaded %+v, damaged %v; want the one before %+v and checkpoint 2 named", loaded.Position(), damaged, latest)
			}
			damage(filepath.Join(dir, "00000001"))
			if _, _, err := checkpoints.Load(b); err == nil || errors.Is(err, tag.ErrNoCheckpoint) {
				t.Errorf("nothing can be read: error %v", err)
			}
		}
	}
}

// TestCheckpointErrors: two processes, a file in the way, and what a kill leaves.
func TestCheckpointErrors(t *testing.T) {
	b, dir := backendtest.Go(t), t.TempDir()
	checkpoints := open(t, dir)
	if err := checkpoints.Save(newModel(t, b, small())); err != nil {
		t.Fatal(err)
	}
	if _, err := tag.OpenCheckpoints(dir); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: error %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := tag.OpenCheckpoints(file); err == nil {
		t.Error("a file is no error")
	}
	if err := checkpoints.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, ".incomplete-123"), 0o777); err != nil {
		t.Fatal(err)
	}
	if got := names(t, open(t, dir).Dir()); slices.Contains(got, ".incomplete-123") {
		t.Errorf("the directory has %q: what an interrupted save left is still there", got)
	}
}

func TestConfigDifference(t *testing.T) {
	a, b := small(), small()
	if d := a.Difference(b); d != "" {
		t.Errorf("equal settings differ: %s", d)
	}
	b.Hidden, b.Seed = []birnnlib.Sizes{{Forward: 1, Backward: 2}}, 7
	if got, want := b.Difference(a), "hidden sizes 1+2 instead of 6+5, seed 7 instead of 3"; got != want {
		t.Errorf("difference %q, want %q", got, want)
	}
}
