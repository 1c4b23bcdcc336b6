// Command probe computes a dot product on the backend named by GOMLX_BACKEND and prints the result as JSON. It is a
// separate program because a broken plugin kills the process that loads it.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
)

// answer is the output of the probe.
type answer struct {
	Backend     string  `json:"backend"`
	Description string  `json:"description"`
	Dot         float32 `json:"dot"`     // (1, 2, 3) · (4, 5, 6)
	Seconds     float64 `json:"seconds"` // from opening the backend to the result
}

func main() {
	start := time.Now()
	backend, err := compute.NewWithConfig(os.Getenv("GOMLX_BACKEND"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	result, err := graph.CallOnce(backend, func(a, b *graph.Node) *graph.Node { return graph.Dot(a, b).Product() },
		[]float32{1, 2, 3}, []float32{4, 5, 6})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(answer{
		Backend:     backend.Name(),
		Description: backend.Description(),
		Dot:         result.Value().(float32),
		Seconds:     time.Since(start).Seconds(),
	})
}
