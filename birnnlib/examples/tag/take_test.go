package tag

import (
	"slices"
	"testing"
)

// TestTake: a mini-batch has the part that has waited longest and the others of its length that fit, in their order.
func TestTake(t *testing.T) {
	b := &Batcher{}
	for _, p := range []struct{ length, sequences int }{{8, 1}, {4, 5}, {8, 2}, {8, 2}, {4, 4}, {8, 1}, {4, 3}} {
		b.waiting = append(b.waiting, &part{batch: batch{length: p.length, size: 32 / p.length}, examples: make([]Example, p.sequences)})
	}
	for _, want := range [][]int{{8, 1, 2, 1}, {4, 5, 3}, {8, 2}, {4, 4}} {
		parts := b.take()
		got := []int{parts[0].batch.length}
		for _, p := range parts {
			got = append(got, len(p.examples))
		}
		if !slices.Equal(got, want) {
			t.Errorf("length and sequences of the parts %v, want %v", got, want)
		}
	}
	b.closed = true
	if parts := b.take(); parts != nil {
		t.Errorf("after the end: %v", parts)
	}
}

func TestSizes(t *testing.T) {
	for full, want := range map[int][]int{128: {2, 16, 128}, 32: {1, 4, 32}, 8: {1, 8}, 1: {1}} {
		if got := sizes(full); !slices.Equal(got, want) {
			t.Errorf("at most %d sequences: %v, want %v", full, got, want)
		}
	}
}
