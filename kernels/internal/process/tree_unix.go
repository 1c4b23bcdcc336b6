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
func Descendants(pid int) []int { return descendants(processes(), pid) }

func descendants(table map[int]entry, pid int) []int {
	children := map[int][]int{}
	for child, e := range table {
		children[e.parent] = append(children[e.parent], child)
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

// entry is an entry of the process table.
type entry struct {
	parent int
	state  string // begins with a letter, such as T for a stopped process
}

// processes returns the process table, without the processes that have ended.
func processes() map[int]entry {
	table := map[int]entry{}
	add := func(pid, state, parent string) {
		var e entry
		id, _ := strconv.Atoi(pid)
		e.parent, _ = strconv.Atoi(parent)
		if e.state = state; !strings.HasPrefix(state, "Z") {
			table[id] = e
		}
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		data, err := os.ReadFile(name)
		if err != nil {
			continue // the process has ended
		}
		// "pid (name) state parent …"; the name may contain any character.
		stat := string(data)
		if fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:]); len(fields) > 1 {
			add(filepath.Base(filepath.Dir(name)), fields[0], fields[1])
		}
	}
	if len(stats) > 0 {
		return table
	}
	out, _ := exec.Command("ps", "-axo", "pid=,state=,ppid=").Output() // no /proc: macOS
	for line := range strings.Lines(string(out)) {
		if fields := strings.Fields(line); len(fields) == 3 {
			add(fields[0], fields[1], fields[2])
		}
	}
	return table
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
// would miss. It looks twice, since the table is not read at one moment.
func KillTree(pid int) {
	told := map[int]bool{}
	begin := time.Now()
	for quiet := 0; quiet < 2 && time.Since(begin) < time.Second; quiet++ { // a process that waits for a disk stops late
		table := processes()
		for _, p := range append(descendants(table, pid), pid) {
			e, lives := table[p]
			if lives && !strings.HasPrefix(e.state, "T") {
				quiet = -1
			}
			if !told[p] {
				syscall.Kill(p, syscall.SIGSTOP)
				told[p] = true
			}
		}
		if quiet < 0 {
			time.Sleep(time.Millisecond)
		}
	}
	for p := range told {
		syscall.Kill(p, syscall.SIGKILL)
	}
}
