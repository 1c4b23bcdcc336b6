package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestParseStatus(t *testing.T) {
	const status = "Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t  102400 kB\nVmRSS:\t    1024 kB\nThreads:\t2\n"
	for field, want := range map[string]int64{"VmHWM": 100 << 20, "VmRSS": 1 << 20, "VmSwap": 0} {
		if got := parseStatus(status, field); got != want {
			t.Errorf("%s is %d bytes, want %d", field, got, want)
		}
	}
}

// TestPeak takes 64 MiB, and finds them in the peak of this process.
func TestPeak(t *testing.T) {
	debug.FreeOSMemory() // what tests before have left would be taken again
	before := beginPeak(os.Getpid())
	if runtime.GOOS != "linux" {
		if before != 0 {
			t.Errorf("%d bytes where no system tells", before)
		}
		return
	}
	taken := make([]byte, 64<<20)
	for i := range taken {
		taken[i] = 1
	}
	if more := readPeak(os.Getpid()) - before; more < 32<<20 || more > 256<<20 {
		t.Errorf("64 MiB more have raised the peak by %d bytes", more)
	}
	runtime.KeepAlive(taken)
}
