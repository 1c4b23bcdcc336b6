//go:build !unix

package process

import "os/exec"

func group(*exec.Cmd) {}

// End has nothing to do where there are no process groups.
func End(*exec.Cmd) {}
