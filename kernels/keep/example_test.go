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

// Types declares the types that the interfaces hold.
func ExampleTypes() {
	type circle struct{ Radius float64 }
	shapes := keep.Value("shapes", func() ([]any, error) {
		return []any{circle{1}, circle{2}}, nil
	}, keep.Types(circle{}))
	fmt.Println(shapes)
	// Output: [{1} {2}]
}
