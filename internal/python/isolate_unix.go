//go:build unix

package python

import (
	"os/exec"
	"syscall"
)

// isolate puts cmd in a process group of its own, so that it is ended through
// its context alone, with its children, and not also by the terminal's Ctrl-C
// half-way through what we do about it.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
