// Command probe computes something small on the backend that GOMLX_BACKEND
// names and prints what it was and how it went, as JSON. It is a program of its
// own, since a broken plugin ends the process that loads it.
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

// Answer is what the probe prints.
type Answer struct {
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
	json.NewEncoder(os.Stdout).Encode(Answer{
		Backend:     backend.Name(),
		Description: backend.Description(),
		Dot:         result.Value().(float32),
		Seconds:     time.Since(start).Seconds(),
	})
}
