// Package processor names the CPU.
package processor

import (
	"os"
	"strings"
)

// Model returns the model of the CPU, such as "AMD EPYC", where the system tells: Linux in /proc/cpuinfo; else "".
func Model() string {
	info, _ := os.ReadFile("/proc/cpuinfo") // missing elsewhere
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
