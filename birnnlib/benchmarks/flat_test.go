package main

import (
	"strings"
	"testing"
)

// TestFlat checks what the report says of a plugin that copies whole arrays.
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
}

func TestPreemption(t *testing.T) {
	for _, test := range []struct {
		preemption
		want string
	}{
		{preemption{Before: 8, After: 1200, Off: 8}, "150.0 ×; with GODEBUG=asyncpreemptoff=1 8.0 ns. Run such programs"},
		{preemption{Before: 7, After: 36.7, Off: 7.1}, "5.2 ×; with GODEBUG=asyncpreemptoff=1 7.1 ns. Run such programs"},
		{preemption{Before: 6, After: 13, Off: 6}, "2.2 ×; with GODEBUG=asyncpreemptoff=1 6.0 ns. There was no slowdown in this run."},
	} {
		if got := test.preemption.String(); !strings.Contains(got, test.want) {
			t.Errorf("%s\nwant %s", got, test.want)
		}
	}
}
