//go:build !linux

package main

import (
	"fmt"
	"runtime"
)

// onCPUs calls start, for as many CPUs as there are.
func onCPUs(n int, start func() error) error {
	if n != runtime.NumCPU() {
		return fmt.Errorf("-threads is %d, but only on Linux can a process be kept to some of the %d CPUs; leave it out", n, runtime.NumCPU())
	}
	return start()
}
