//go:build unix

package process

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
)

// Guard runs a command until it ends, or until Guard's standard input ends, which happens when the process at its other
// end is gone, however it ended. Then Guard kills the command and all its descendants. It writes the command's process
// ID to the file pid and returns an exit code.
func Guard(pid string, name string, args ...string) int {
	adopt()
	// The owner handles signals to the terminal's process group.
	signal.Ignore(syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		io.WriteString(os.Stderr, err.Error()+"\n")
		return 1
	}
	if err := os.WriteFile(pid, []byte(strconv.Itoa(cmd.Process.Pid)), 0o600); err != nil {
		io.WriteString(os.Stderr, err.Error()+"\n")
	}
	owner := make(chan struct{})
	go func() {
		io.Copy(io.Discard, os.Stdin)
		close(owner)
	}()
	ended := make(chan int, 1)
	go func() {
		for { // reaps adopted processes too
			var status syscall.WaitStatus
			pid, err := syscall.Wait4(-1, &status, 0, nil)
			if err == syscall.EINTR {
				continue
			}
			if err != nil {
				return
			}
			if pid == cmd.Process.Pid {
				ended <- status.ExitStatus()
			}
		}
	}()
	code := 1
	select {
	case code = <-ended:
	case <-owner:
	case <-terminated:
	}
	KillDescendants(os.Getpid())
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // for systems on which descendants are not adopted
	return code
}
