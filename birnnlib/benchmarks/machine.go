package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/cpu"
)

// machine is what the figures hold for.
type machine struct {
	OS   string `json:"os"`
	Arch string `json:"arch"`
	CPUs int    `json:"cpus"` // that this process may use
	CPU  string `json:"cpu,omitempty"`
	SIMD string `json:"simd,omitempty"` // the widest instructions, on amd64
	Load string `json:"load,omitempty"` // the system's load averages, before anything was started
}

func thisMachine() machine {
	m := machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU()}
	switch {
	case cpu.X86.HasAVX512F:
		m.SIMD = "AVX-512"
	case cpu.X86.HasAVX2:
		m.SIMD = "AVX2"
	}
	// Only Linux has these files; elsewhere the report does without.
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			m.CPU = strings.TrimSpace(value)
			break
		}
	}
	load, _ := os.ReadFile("/proc/loadavg")
	if fields := strings.Fields(string(load)); len(fields) >= 3 {
		m.Load = strings.Join(fields[:3], " ")
	}
	return m
}

// String describes the machine in one line.
func (m machine) String() string {
	s := fmt.Sprintf("%d CPUs, %s/%s", m.CPUs, m.OS, m.Arch)
	for _, more := range []string{m.CPU, m.SIMD} {
		if more != "" {
			s += ", " + more
		}
	}
	if m.Load != "" {
		s += ", load averages before " + m.Load
	}
	return s
}
