package charlm_test

import (
	"context"
	"errors"
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
func TestResume(t *testing.T) { whole(t, testResume) }

func TestLongResume(t *testing.T) { long(t, testResume) }

func testResume(t *testing.T, b compute.Backend, whole bool) {
	for _, random := range []bool{false, true} {
		if random && !whole {
			continue
		}
		config := small()
		config.Random = random
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
		uninterrupted, want := m, slices.Clone(got) // one graph less
		if whole {
			uninterrupted, want = newModel(t, b, config), nil
		}
		want = append(want, train(t, uninterrupted, 6)...)
		if got = append(got, train(t, resumed, 6)...); !slices.Equal(got, want) {
			t.Errorf("random %t: perplexities %v when resumed, %v when not interrupted", random, got, want)
		}
		for v := range uninterrupted.Store().IterVariables() {
			other := resumed.Store().GetVariable(v.Path())
			if other == nil || !other.MustValue().Equal(v.MustValue()) {
				t.Errorf("random %t: %s differs after resuming", random, v.Path())
			}
		}
	}
}

// TestInterruptedTrainGoesOn calls Train again on the same model after a cancellation.
func TestInterruptedTrainGoesOn(t *testing.T) {
	b := backendtest.Go(t)
	want := train(t, newModel(t, b, small()), 3)
	m := newModel(t, b, small())
	got := append(trainFor(t, m, 6, 3), train(t, m, 3)...)
	if !slices.Equal(got, want) {
		t.Errorf("perplexities %v after an interruption, %v without", got, want)
	}
}

// TestCheckpoints: what a checkpoint of this package holds besides what package checkpoints tests.
func TestCheckpoints(t *testing.T) {
	b := backendtest.Go(t)
	checkpoints, m := open(t, t.TempDir()), newModel(t, b, small())
	if _, _, err := checkpoints.Load(b, poem); !errors.Is(err, charlm.ErrNoCheckpoint) {
		t.Errorf("empty directory: error %v, want ErrNoCheckpoint", err)
	}
	train(t, m, 1)
	if err := checkpoints.Save(m); err != nil {
		t.Fatal(err)
	}
	if _, _, err := checkpoints.Load(b, poem+"x"); err == nil || !strings.Contains(err.Error(), "another text") {
		t.Errorf("another corpus: error %v", err)
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
