package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"

	"birnn/internal/processor"

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
	m := machine{OS: runtime.GOOS, Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), CPU: processor.Model()}
	switch {
	case cpu.X86.HasAVX512F:
		m.SIMD = "AVX-512"
	case cpu.X86.HasAVX2:
		m.SIMD = "AVX2"
	}
	load, _ := os.ReadFile("/proc/loadavg") // only Linux has it; elsewhere the report does without
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
