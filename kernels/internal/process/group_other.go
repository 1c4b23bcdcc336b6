//go:build !unix

package process

import "os/exec"

func group(*exec.Cmd) {}

// End does nothing: this system has no process groups.
func End(*exec.Cmd) {}

// Interrupt does nothing: it is implemented only for Unix.
func Interrupt(int) {}

// Alive returns true: it is implemented only for Unix.
func Alive(int) bool { return true }
