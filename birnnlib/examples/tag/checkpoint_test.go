package tag_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
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
func TestResume(t *testing.T) { whole(t, testResume) }

func TestLongResume(t *testing.T) { long(t, testResume) }

func testResume(t *testing.T, b compute.Backend, whole bool) {
	examples := func(epoch int) []tag.Example { return draw(30+epoch, 1) }
	config := small()
	if !whole {
		config.Hidden, config.Lengths, config.Batch = []birnnlib.Sizes{{Forward: 6}}, []int{8}, 64 // one small graph
	}
	m := newModel(t, b, config)
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
	if !reflect.DeepEqual(resumed.Task(), task) || !reflect.DeepEqual(resumed.Config(), config) {
		t.Errorf("task %+v and settings %+v after loading", resumed.Task(), resumed.Config())
	}
	uninterrupted := m // one graph less
	if whole {
		uninterrupted = newModel(t, b, config)
	}
	if err := uninterrupted.Train(t.Context(), examples, tag.Callbacks{}); err != nil {
		t.Fatal(err)
	}
	epochs := 0
	if err := resumed.Train(t.Context(), examples, tag.Callbacks{Epoch: func(tag.Epoch) error { epochs++; return nil }}); err != nil {
		t.Fatal(err)
	}
	if got, want := losses(resumed), losses(uninterrupted); !slices.Equal(got, want) || len(got) != 4 || epochs == 0 || epochs == 4 {
		t.Errorf("losses %v when resumed, %v when not interrupted", got, want)
	}
	for v := range uninterrupted.Store().IterVariables() {
		other := resumed.Store().GetVariable(v.Path())
		if other == nil || !other.MustValue().Equal(v.MustValue()) {
			t.Errorf("%s differs after resuming", v.Path())
		}
	}
}

func TestNoCheckpoint(t *testing.T) {
	if _, _, err := open(t, t.TempDir()).Load(backendtest.Go(t)); !errors.Is(err, tag.ErrNoCheckpoint) {
		t.Errorf("empty directory: error %v, want ErrNoCheckpoint", err)
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
