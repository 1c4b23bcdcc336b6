package tag_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"birnn/birnnlib/examples/tag"
	"birnn/internal/backendtest"
)

func newBatcher(t *testing.T, m *tag.Model) *tag.Batcher {
	t.Helper()
	b, err := tag.NewBatcher(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// TestBatcher: many goroutines get the scores that the model gives to each of their sequences alone.
func TestBatcher(t *testing.T) {
	m := newModel(t, backendtest.Go(t), small())
	examples := draw(40, 1)
	examples = append(examples, tag.Example{Features: [][]int32{make([]int32, 21), make([]int32, 21)}}) // longer than all lengths
	var want [][][]float32
	for _, e := range examples {
		alone, err := m.Scores(t.Context(), []tag.Example{e})
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, alone...)
	}
	b := newBatcher(t, m)
	var callers sync.WaitGroup
	for caller := range 12 {
		callers.Go(func() {
			from, to := caller, len(examples)-2*(caller%5)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if caller%4 == 3 {
				time.AfterFunc(time.Duration(caller)*100*time.Microsecond, cancel)
			}
			got, err := b.Scores(ctx, examples[from:to])
			if err != nil {
				if caller%4 != 3 || !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				return
			}
			for i := range got {
				if len(got[i]) != len(want[from+i]) {
					t.Errorf("sequence %d has %d scores, want %d", from+i, len(got[i]), len(want[from+i]))
					continue
				}
				for step, row := range got[i] {
					for class, score := range row {
						if d := math.Abs(float64(score - want[from+i][step][class])); d > 1e-6 {
							t.Errorf("sequence %d, time step %d: a difference of %g", from+i, step, d)
						}
					}
				}
			}
		})
	}
	callers.Wait()
}

// TestBatcherEnds: calls end when the batcher is closed, or their context cancelled; wrong features disturb nobody.
func TestBatcherEnds(t *testing.T) {
	b := newBatcher(t, newModel(t, backendtest.Go(t), small()))
	examples := draw(5, 1)
	if got, err := b.Scores(t.Context(), nil); err != nil || len(got) != 0 {
		t.Errorf("no sequences: %v, %v", got, err)
	}
	wrong := []tag.Example{examples[0], {Features: [][]int32{{5}, {0}}}}
	if _, err := b.Scores(t.Context(), wrong); err == nil || !strings.Contains(err.Error(), "sequence 2: feature 1 is 5") {
		t.Errorf("wrong features: error %v", err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tag.NewBatcher(cancelled, newModel(t, backendtest.Go(t), small())); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while it compiles: error %v", err)
	}
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			for {
				if got, err := b.Scores(t.Context(), examples); errors.Is(err, tag.ErrClosed) {
					return
				} else if err != nil || len(got) != len(examples) {
					t.Errorf("%d scores, %v", len(got), err)
					return
				}
			}
		})
	}
	b.Close()
	callers.Wait()
	if _, err := b.Scores(t.Context(), examples); !errors.Is(err, tag.ErrClosed) {
		t.Errorf("closed: error %v", err)
	}
}
