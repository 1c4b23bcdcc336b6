package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticks is CPU time since the system started, in the system's clock ticks. Only Linux tells it; elsewhere it stays zero.
type ticks struct {
	all, busy int64 // of all CPUs: passed, and used by whomever
	ours      int64 // used by the processes of this benchmark
}

// readTicks reads the CPU time of the system and of the processes with these ids.
func readTicks(pids ...int) ticks {
	system, err := os.ReadFile("/proc/stat")
	if err != nil {
		return ticks{}
	}
	t := parseSystem(string(system))
	for _, pid := range pids {
		process, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return ticks{}
		}
		t.ours += parseProcess(string(process))
	}
	return t
}

// parseSystem reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. What follows is
// part of these.
func parseSystem(stat string) (t ticks) {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	for i := 1; i < min(len(fields), 9); i++ {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		t.all += n
		if i != 4 && i != 5 {
			t.busy += n
		}
	}
	return t
}

// parseProcess reads utime and stime, the 14th and 15th field of /proc/PID/stat. The second one is the program's name in
// parentheses, which may contain anything.
func parseProcess(stat string) (sum int64) {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	for i := 11; i < min(len(fields), 13); i++ {
		n, _ := strconv.ParseInt(fields[i], 10, 64)
		sum += n
	}
	return sum
}

// others returns which share of the CPUs others used between before and t; not ok where the system does not tell.
func (t ticks) others(before ticks) (share float64, ok bool) {
	all := t.all - before.all
	if all <= 0 || before.all == 0 {
		return 0, false
	}
	return max(0, float64((t.busy-before.busy)-(t.ours-before.ours))/float64(all)), true
}
