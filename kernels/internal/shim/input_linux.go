package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// identity returns what /proc calls the pipe of a file.
func identity(f *os.File) string {
	name := ""
	if raw, err := f.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { name, _ = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd)) })
	}
	return name
}

// waits reports whether a thread of a process or its descendants is in a read of the pipe, and whether the system shows
// that.
func waits(pid int, pipe string) (reads, known bool) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/[0-9]*", pid))
	for _, thread := range threads {
		call, err := os.ReadFile(filepath.Join(thread, "syscall")) // "0 0x3 …": its number and arguments
		if err != nil {
			continue
		}
		known = true
		fields := strings.Fields(string(call))
		if len(fields) > 1 && fields[0] == strconv.Itoa(unix.SYS_READ) {
			fd, _ := strconv.ParseInt(fields[1], 0, 64)
			if file, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd)); file == pipe {
				return true, true
			}
		}
		children, _ := os.ReadFile(filepath.Join(thread, "children"))
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				if reads, _ := waits(n, pipe); reads {
					return true, true
				}
			}
		}
	}
	return false, known
}
