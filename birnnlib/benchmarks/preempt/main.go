// Command preempt shows what an asynchronous preemption costs a program built with GOEXPERIMENT=simd on amd64:
//
//	GOEXPERIMENT=simd go run ./birnnlib/benchmarks/preempt
//	GOEXPERIMENT=simd GODEBUG=asyncpreemptoff=1 go run ./birnnlib/benchmarks/preempt
//
// It prints the nanoseconds that math.Exp takes before and after a garbage collection has stopped the goroutine by a
// signal. On an Intel processor with AVX-512 (Go 1.26.8, 1.26.11 and 1.27.4) the second figure was 150 times the first: the
// runtime restores the whole vector registers and leaves their upper halves in use, so that every switch between VEX
// and legacy encodings costs tens of cycles, and math.Exp has several. On AMD the two figures are alike. golang/go#80835
// is of the same kind.
//
// The benchmarks run this program and print the ratio, to show when Go no longer needs GODEBUG=asyncpreemptoff=1.
package main

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync/atomic"
	"time"
)

func main() {
	before := exp()
	var collected atomic.Bool
	go func() {
		runtime.GC()
		collected.Store(true)
	}()
	// Without a call, only a signal stops this loop; if signals are off, the collection waits for its end.
	for range 1 << 28 {
		if collected.Load() {
			break
		}
	}
	fmt.Printf("%.1f %.1f\n", before, exp())
}

// exp returns the nanoseconds that a call of math.Exp takes, the median of some batches.
func exp() float64 {
	const calls = 10_000 // 0.1 ms; 10 ms where each call is slow
	var times [21]float64
	sum := 0.0
	for i := range times {
		start := time.Now()
		for range calls {
			sum += math.Exp(-1.5)
		}
		times[i] = float64(time.Since(start).Nanoseconds()) / calls
	}
	runtime.KeepAlive(sum)
	slices.Sort(times[:])
	return times[len(times)/2]
}
