package training_test

import (
	"fmt"

	"birnn/birnnlib/examples/training"
)

func ExampleParseSizes() {
	sizes, err := training.ParseSizes("256+128,64")
	fmt.Println(sizes, err)
	_, err = training.ParseSizes("256,0")
	fmt.Println(err)
	// Output:
	// [256+128 64] <nil>
	// hidden sizes "256,0": layer 2 is "0"; write numbers, as in 256 or 256+128,64 (256+0 is forward only)
}
