package main

import (
	"strings"
	"testing"
)

// TestFlat checks what the report says of a plugin that copies whole arrays, and of Go's slow math.Exp.
func TestFlat(t *testing.T) {
	for _, test := range []struct {
		seconds [3]float64 // of a step at each of flatSteps
		outcome string
	}{
		{[3]float64{1e-4, 4e-4, 4e-3}, "reached"},
		{[3]float64{1e-4, 4e-4, 4e-2}, "missed"},
	} {
		r := &report{}
		for i, T := range flatSteps {
			r.Workloads = append(r.Workloads, &measured{Key: flatKey(T), Results: []*result{{Key: xla.key, Steps: []float64{test.seconds[i]}}}})
		}
		found := false
		for _, target := range r.targets() {
			if strings.HasPrefix(target.wanted, "one unit:") {
				found = true
				if target.outcome != test.outcome {
					t.Errorf("%v s: %s (%s), want %s", test.seconds, target.outcome, target.measured, test.outcome)
				}
			}
		}
		if !found {
			t.Error("the report has no target for a time step of one unit")
		}
	}
	if got := (&preemption{Before: 8, After: 1200, Off: 8}).String(); !strings.Contains(got, "150.0 ×") || !strings.Contains(got, "Run such programs") {
		t.Errorf("a slow math.Exp: %s", got)
	}
	if got := (&preemption{Before: 6, After: 6.1, Off: 6}).String(); !strings.Contains(got, "No slowdown") {
		t.Errorf("a fast math.Exp: %s", got)
	}
}
