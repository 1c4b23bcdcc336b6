// Command preempt shows what an asynchronous preemption costs a program built with GOEXPERIMENT=simd on amd64:
//
//	GOEXPERIMENT=simd go run ./birnnlib/benchmarks/preempt
//	GOEXPERIMENT=simd GODEBUG=asyncpreemptoff=1 go run ./birnnlib/benchmarks/preempt
//
// It prints the nanoseconds that math.Exp takes before and after a garbage collection has stopped the goroutine by a
// signal. On Intel processors with AVX-512 (Go 1.26.8, 1.26.11 and 1.27.4) the second figure was 5 to 150 times the first,
// depending on the model: the runtime restores the whole vector registers and leaves their upper halves in use, so that
// every switch between VEX and legacy encodings costs cycles, and math.Exp has several. On AMD the two figures are alike.
// golang/go#80835 is of the same kind.
//
// The benchmarks run this program and print the ratio, to show when Go no longer needs GODEBUG=asyncpreemptoff=1.
package main

import (
	"fmt"
	"math"
	"runtime"
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

// exp returns the nanoseconds that a call of math.Exp takes, in the fastest of some batches: others on the machine can only
// make a batch slower.
func exp() float64 {
	const calls = 10_000 // 0.1 ms; 10 ms where each call is slow
	fastest, sum := math.Inf(1), 0.0
	for range 50 {
		start := time.Now()
		for range calls {
			sum += math.Exp(-1.5)
		}
		fastest = min(fastest, float64(time.Since(start).Nanoseconds())/calls)
	}
	runtime.KeepAlive(sum)
	return fastest
}
