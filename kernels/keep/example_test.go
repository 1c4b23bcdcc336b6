package keep_test

import (
	"fmt"
	"strings"

	"birnn/kernels/keep"
)

// In a notebook the call stands outside of functions, and later cells read the counts. Here the second call returns the
// result of the first.
func ExampleValue() {
	count := func() (map[string]int, error) {
		fmt.Println("counting")
		counts := map[string]int{}
		for _, word := range strings.Fields("the cat and the dog") {
			counts[word]++
		}
		return counts, nil
	}
	fmt.Println(keep.Value("counts", count)["the"])
	fmt.Println(keep.Value("counts", count)["cat"])
	// Output:
	// counting
	// 2
	// 1
}

// The first lines stand in one cell, the others in a later one.
func ExamplePut() {
	losses := []float64{0.9, 0.4}
	if err := keep.Put("losses", losses); err != nil {
		fmt.Println(err)
	}

	last, err := keep.Get[[]float64]("losses")
	fmt.Println(last, err)
}
