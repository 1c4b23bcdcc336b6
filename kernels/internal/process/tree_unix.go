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

// Descendants returns the processes that come from pid, itself not included.
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

// parents returns the parent of every process.
func parents() map[int]int {
	all := map[int]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		// "pid (name) state parent …", and the name may have anything in it.
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

// KillDescendants kills all that comes from pid, and what that starts meanwhile.
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

// KillTree kills a process and all that comes from it. First it stops them, for
// one that still runs may start another that nobody would find.
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
		time.Sleep(10 * time.Millisecond) // until they stand still
	}
	for p := range stopped {
		syscall.Kill(p, syscall.SIGKILL)
	}
}
