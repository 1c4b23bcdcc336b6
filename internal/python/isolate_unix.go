//go:build unix

package python

import (
	"os/exec"
	"syscall"
)

// isolate starts cmd in a new process group, so that its context ends it and its children, and the terminal's Ctrl-C
// does not end it first.
func isolate(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}
