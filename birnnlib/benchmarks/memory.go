package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// beginPeak returns the memory that the process has resident now, in bytes, and lets its peak start here; 0 where the
// system does not say (only Linux does).
func beginPeak(pid int) int64 {
	// What was used to start, such as for imports, would hide what the first step needs. Where the kernel does not allow
	// it, the peak stays the one since the start.
	_ = os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", pid), []byte("5"), 0)
	return readStatus(pid, "VmRSS")
}

// readPeak returns the most memory that the process has had resident since beginPeak; 0 where the system does not say.
func readPeak(pid int) int64 { return readStatus(pid, "VmHWM") }

func readStatus(pid int, field string) int64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	return parseStatus(string(status), field)
}

// parseStatus returns a field of /proc/PID/status that is in KiB, such as "VmHWM:	  102400 kB".
func parseStatus(status, field string) int64 {
	for line := range strings.Lines(status) {
		if key, value, _ := strings.Cut(line, ":"); key == field {
			kib, _ := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 10, 64)
			return kib << 10
		}
	}
	return 0
}
