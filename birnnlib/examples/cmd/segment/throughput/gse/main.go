// Command gse segments standard input with gse, line by line, and writes how many seconds that took, and how many of CPU time,
// without the loading of the dictionary.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/go-ego/gse"
)

func main() {
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		log.Fatal(err)
	}
	seg := gse.Segmenter{SkipLog: true}
	if err := seg.LoadDict(); err != nil {
		log.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	seg.Cut("他从马上下来", true) // what it loads at first use
	start, cpu := time.Now(), cpuSeconds()
	words := 0
	for _, line := range lines {
		words += len(seg.Cut(line, true))
	}
	seconds, cpu := time.Since(start).Seconds(), cpuSeconds()-cpu
	if words == 0 {
		log.Fatal("there is no text")
	}
	fmt.Println(seconds, cpu)
}

// cpuSeconds returns the CPU time of the process.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		log.Fatal(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
}
