//go:build unix

package process

import (
	"os/exec"
	"syscall"
)

func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
}

// End kills the rest of the command's process group.
func End(cmd *exec.Cmd) {
	if cmd.Process != nil {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails if nothing is left
	}
}

// Interrupt sends SIGINT to a process.
func Interrupt(pid int) { syscall.Kill(pid, syscall.SIGINT) }

// Alive reports whether a process exists.
func Alive(pid int) bool { return syscall.Kill(pid, 0) != syscall.ESRCH }
