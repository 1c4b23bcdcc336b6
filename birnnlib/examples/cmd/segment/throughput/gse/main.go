// Command gse segments standard input with gse, line by line, and writes how many seconds that took, without the loading of
// the dictionary.
package main

import (
	"fmt"
	"io"
	"log"
	"os"
	"strings"
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
	start := time.Now()
	words := 0
	for _, line := range lines {
		words += len(seg.Cut(line, true))
	}
	seconds := time.Since(start).Seconds()
	if words == 0 {
		log.Fatal("there is no text")
	}
	fmt.Println(seconds)
}
