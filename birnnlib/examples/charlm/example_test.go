package charlm_test

import (
	"context"
	"fmt"
	"log"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/charlm"

	"github.com/gomlx/compute/gobackend"
)

// A small model learns a line by heart.
func ExampleModel_Train() {
	config := charlm.Post()
	config.AsPosted = true
	config.Hidden = []birnnlib.Sizes{{Forward: 16, Backward: 16}}
	config.Activation, config.Steps, config.Batch, config.LearningRate, config.Clip = "tanh", 10, 1, 1, 1
	m, err := charlm.New(gobackend.GetBackend(), "一二三四五六七八九十一二三四五六七八九十一", config)
	if err != nil {
		log.Fatal(err)
	}
	if err := m.Train(context.Background(), 100, charlm.Callbacks{}); err != nil {
		log.Fatal(err)
	}
	text, err := m.Continue(context.Background(), "三四", 5)
	fmt.Println(text, err)
	// Output: 三四五六七八九 <nil>
}
