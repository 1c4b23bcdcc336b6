package main

import (
	"math"
	"os"
	"runtime"
	"testing"
	"time"
)

func TestParseTicks(t *testing.T) {
	got := parseSystem("cpu  10 20 30 400 50 6 7 8 9 1\ncpu0 1 2 3 4 5 6 7 8 9 1\n")
	if want := (ticks{all: 10 + 20 + 30 + 400 + 50 + 6 + 7 + 8, busy: 10 + 20 + 30 + 6 + 7 + 8}); got != want {
		t.Errorf("the system: %+v, want %+v", got, want)
	}
	if got := parseProcess("42 (a) 1 b) S 1 2 3 4 5 6 7 8 9 10 700 30 1 1 20 0"); got != 730 {
		t.Errorf("a process used %d ticks, want 730", got)
	}
	for _, broken := range []string{"", "cpu", "42 (a"} {
		if got := parseProcess(broken); got != 0 {
			t.Errorf("%q: %d ticks", broken, got)
		}
	}
}

func TestOthers(t *testing.T) {
	before := ticks{all: 1000, busy: 500, ours: 100}
	if share, ok := (ticks{all: 1200, busy: 650, ours: 200}).others(before); !ok || math.Abs(share-0.25) > 1e-12 {
		t.Errorf("others used %v, %v; want 0.25: 50 of 200 ticks", share, ok)
	}
	if _, ok := (ticks{}).others(ticks{}); ok {
		t.Error("a system that tells nothing has told something")
	}
}

// TestReadTicks keeps one CPU busy until the time is found as that of this process.
func TestReadTicks(t *testing.T) {
	if runtime.GOOS != "linux" {
		if got := readTicks(os.Getpid()); got != (ticks{}) {
			t.Errorf("%+v where no system tells", got)
		}
		return
	}
	before := readTicks(os.Getpid())
	after := before
	for started := time.Now(); (after.ours == before.ours || after.busy == before.busy) && time.Since(started) < 20*time.Second; {
		after = readTicks(os.Getpid())
	}
	if after.ours <= before.ours || after.busy <= before.busy || after.all <= before.all {
		t.Errorf("before %+v, after %+v", before, after)
	}
}
