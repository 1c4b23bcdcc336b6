//go:build unix

package process

import (
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

// Guard runs a command until it ends, or until Guard's standard input ends, which happens when the process at its other
// end is gone, however it ended. Then Guard kills the command and all its descendants, and, unless the input ended in
// [Dismissed], removes the folder. It writes the command's process ID to the file pid and returns an exit code. It leaves
// its process group, which may be killed as a whole.
func Guard(folder, pid string, name string, args ...string) int {
	syscall.Setsid() // fails if it leads a group already
	Adopt()
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
	owner := make(chan bool, 1)
	go func() {
		last, _ := io.ReadAll(os.Stdin)
		owner <- string(last) == Dismissed
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
	code, alone := 1, false
	select {
	case code = <-ended:
	case dismissed := <-owner:
		alone = !dismissed
	case <-terminated:
	}
	KillDescendants(os.Getpid())
	syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // for systems on which descendants are not adopted
	for range 50 {                                  // other programs of the owner may still be ending and writing
		if !alone || os.RemoveAll(folder) == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	return code
}
