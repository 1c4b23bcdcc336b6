package charlm_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/charlm"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
)

func open(t *testing.T, dir string) *charlm.Checkpoints {
	t.Helper()
	c, err := charlm.OpenCheckpoints(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// trainFor trains m for a number of mini-batches, interrupts it as Ctrl-C does, and returns the epochs' perplexities.
func trainFor(t *testing.T, m *charlm.Model, batches, epochs int) (perplexities []float64) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	err := m.Train(ctx, epochs, charlm.Callbacks{
		Batch: func(charlm.Position, int) {
			if batches--; batches == 0 {
				cancel()
			}
		},
		Epoch: func(e charlm.Epoch) error {
			perplexities = append(perplexities, e.Perplexity)
			return nil
		},
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: error %v", err)
	}
	return perplexities
}

// TestResume interrupts a training in the middle of an epoch, saves it, loads it into a new model, as a new process
// would, and compares with a training that was never interrupted: the same to the last bit.
func TestResume(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for _, random := range []bool{false, true} {
			config := small()
			config.Random = random
			whole := newModel(t, b, config)
			want := train(t, whole, 6)

			m := newModel(t, b, config)
			got := trainFor(t, m, 10, 6) // of 4 or 5 batches an epoch
			checkpoints := open(t, t.TempDir())
			if err := checkpoints.Save(m); err != nil {
				t.Fatal(err)
			}
			resumed, damaged, err := checkpoints.Load(b, poem)
			if err != nil || damaged != nil {
				t.Fatal(err, damaged)
			}
			if resumed.Position() != m.Position() || m.Position().Batch == 0 {
				t.Fatalf("position %+v after loading, %+v before; it should be inside an epoch", resumed.Position(), m.Position())
			}
			if d := resumed.Config().Difference(config); d != "" {
				t.Errorf("the settings changed: %s", d)
			}
			if got = append(got, train(t, resumed, 6)...); !slices.Equal(got, want) {
				t.Errorf("random %t: perplexities %v when resumed, %v when not interrupted", random, got, want)
			}
			for v := range whole.Store().IterVariables() {
				other := resumed.Store().GetVariable(v.Path())
				if other == nil || !other.MustValue().Equal(v.MustValue()) {
					t.Errorf("random %t: %s differs after resuming", random, v.Path())
				}
			}
		}
	})
}

// TestInterruptedTrainGoesOn calls Train again on the same model after a cancellation.
func TestInterruptedTrainGoesOn(t *testing.T) {
	b := backendtest.One(t)
	want := train(t, newModel(t, b, small()), 3)
	m := newModel(t, b, small())
	got := append(trainFor(t, m, 6, 3), train(t, m, 3)...)
	if !slices.Equal(got, want) {
		t.Errorf("perplexities %v after an interruption, %v without", got, want)
	}
}

func TestCheckpointsKeepTwo(t *testing.T) {
	b, dir := backendtest.One(t), t.TempDir()
	checkpoints, m := open(t, dir), newModel(t, b, small())
	if _, _, err := checkpoints.Load(b, poem); !errors.Is(err, charlm.ErrNoCheckpoint) {
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

// TestDamagedCheckpoint damages the latest checkpoint in several ways: the one before is loaded, and the damage told.
func TestDamagedCheckpoint(t *testing.T) {
	b := backendtest.One(t)
	truncate := func(pattern string, size int64) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			files, _ := filepath.Glob(filepath.Join(dir, pattern))
			if len(files) != 1 {
				t.Fatalf("%d files match %s", len(files), pattern)
			}
			if err := os.Truncate(files[0], size); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, damage := range map[string]func(t *testing.T, dir string){
		"data cut off":     truncate("*.bin", 100),
		"data empty":       truncate("*.bin", 0),
		"metadata cut off": truncate("*.json", 50),
		"files gone": func(t *testing.T, dir string) {
			truncate("*.bin", 0)(t, dir)
			files, _ := filepath.Glob(filepath.Join(dir, "*"))
			for _, file := range files {
				if err := os.Remove(file); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			checkpoints, m := open(t, dir), newModel(t, b, small())
			for epoch := range 2 {
				train(t, m, epoch+1)
				if err := checkpoints.Save(m); err != nil {
					t.Fatal(err)
				}
			}
			damage(t, filepath.Join(dir, "00000002"))
			loaded, damaged, err := checkpoints.Load(b, poem)
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Position().Epoch != 1 || len(damaged) != 1 || !strings.Contains(damaged[0].Error(), "00000002") {
				t.Errorf("loaded epoch %d, damaged %v; want epoch 1 and checkpoint 2 named", loaded.Position().Epoch, damaged)
			}
			damage(t, filepath.Join(dir, "00000001"))
			if _, _, err := checkpoints.Load(b, poem); err == nil || errors.Is(err, charlm.ErrNoCheckpoint) {
				t.Errorf("nothing can be read: error %v", err)
			}
		})
	}
}

// TestCheckpointErrors: two processes, another corpus, a file in the way, and what a kill leaves.
func TestCheckpointErrors(t *testing.T) {
	b, dir := backendtest.One(t), t.TempDir()
	checkpoints, m := open(t, dir), newModel(t, b, small())
	train(t, m, 1)
	if err := checkpoints.Save(m); err != nil {
		t.Fatal(err)
	}
	if _, err := charlm.OpenCheckpoints(dir); err == nil || !strings.Contains(err.Error(), "another process") {
		t.Errorf("opened twice: error %v", err)
	}
	if _, _, err := checkpoints.Load(b, poem+"x"); err == nil || !strings.Contains(err.Error(), "another text") {
		t.Errorf("another corpus: error %v", err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := charlm.OpenCheckpoints(file); err == nil {
		t.Error("a file is no error")
	}
	// What a kill in the middle of a save leaves is removed by the next process, and never counted.
	if err := checkpoints.Close(); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, ".incomplete-123")
	if err := os.MkdirAll(left, 0o777); err != nil {
		t.Fatal(err)
	}
	if got := names(t, open(t, dir).Dir()); slices.Contains(got, ".incomplete-123") {
		t.Errorf("the directory has %q: what an interrupted save left is still there", got)
	}
}

func TestConfigDifference(t *testing.T) {
	a, b := charlm.Post(), charlm.Post()
	if d := a.Difference(b); d != "" {
		t.Errorf("equal settings differ: %s", d)
	}
	b.Hidden, b.Seed = []birnnlib.Sizes{{Forward: 1, Backward: 2}}, 7
	if got, want := b.Difference(a), "hidden sizes 1+2 instead of 256, seed 7 instead of 1"; got != want {
		t.Errorf("difference %q, want %q", got, want)
	}
}
