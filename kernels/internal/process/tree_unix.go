//go:build unix

package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Descendants returns the descendants of the process pid.
func Descendants(pid int) []int {
	children := map[int][]int{}
	for child, parent := range parents() {
		children[parent] = append(children[parent], child)
	}
	var all []int
	queue := []int{pid}
	for len(queue) > 0 {
		next := children[queue[0]]
		queue = append(queue[1:], next...)
		all = append(all, next...)
	}
	return all
}

// parents maps every process to its parent.
func parents() map[int]int {
	all := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // the process has ended
		}
		// "pid (name) state parent …"; the name may contain any character.
		stat := string(data)
		fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if len(fields) > 1 && fields[0] != "Z" {
			all[pid], _ = strconv.Atoi(fields[1])
		}
	}
	if len(stats) > 0 {
		return all
	}
	out, _ := exec.Command("ps", "-axo", "pid=,ppid=").Output() // no /proc: macOS
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if len(fields) == 2 {
			pid, _ := strconv.Atoi(fields[0])
			all[pid], _ = strconv.Atoi(fields[1])
		}
	}
	return all
}

// KillDescendants kills the descendants of pid, including those started meanwhile.
func KillDescendants(pid int) {
	for range 20 {
		all := Descendants(pid)
		if len(all) == 0 {
			return
		}
		for _, p := range all {
			syscall.Kill(p, syscall.SIGKILL)
		}
	}
}

// KillTree kills a process and its descendants. It stops them first: a running one could start another that KillTree
// would miss.
func KillTree(pid int) {
	stopped := map[int]bool{}
	for quiet := 0; quiet < 2; quiet++ {
		for _, p := range append(Descendants(pid), pid) {
			if !stopped[p] {
				syscall.Kill(p, syscall.SIGSTOP)
				stopped[p] = true
				quiet = 0
			}
		}
		time.Sleep(10 * time.Millisecond) // until they have stopped
	}
	for p := range stopped {
		syscall.Kill(p, syscall.SIGKILL)
	}
}
