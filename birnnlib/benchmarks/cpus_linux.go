package main

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// onCPUs calls start so that the process which it starts may run on the first n CPUs of this one's alone. A process
// inherits the CPUs of the thread that starts it, and whatever counts them in it, as Go and XLA do, finds n.
func onCPUs(n int, start func() error) error {
	if n == runtime.NumCPU() {
		return start()
	}
	runtime.LockOSThread()
	var all, some unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	for cpu := 0; some.Count() < n && some.Count() < all.Count(); cpu++ {
		if all.IsSet(cpu) {
			some.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &some); err != nil {
		runtime.UnlockOSThread()
		return err
	}
	err := start()
	if unix.SchedSetaffinity(0, &all) == nil {
		runtime.UnlockOSThread() // else the thread ends with this goroutine, and nothing else runs on few CPUs
	}
	return err
}
