package lesson7

import (
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"time"

	"birnn/birnnlib/backend"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// The solutions, as in the notebook.

func ofLSTM(T, n, d, h int) int {
	return 2 * 2 * T * n * 4 * (d*h + h*h)
}

func ofTraining(T, n, d, h int) int {
	return 2 * 2 * T * n * (2*d*h + 3*h*h)
}

func products(T, u int) int {
	steps := T
	if u < T {
		steps = u + T%u
	}
	return 2 + 2*steps
}

func combined(g1, g2 []float32, n1, n2 int) (g []float32) {
	share := float32(n1) / float32(n1+n2)
	for i := range g1 {
		g = append(g, share*g1[i]+(1-share)*g2[i])
	}
	return g
}

func threefold(b *backend.Opened) (T int) {
	X := func() *tensors.Tensor { return noise(T, 2, 3) }
	T = 2
	measure(b, training(4, loop), X()) // the first time takes longer
	for {
		slow, _ := measure(b, training(4, unrolled), X())
		fast, _ := measure(b, training(4, loop), X())
		if slow >= 3*fast {
			fmt.Println("T =", T)
			return T
		}
		T *= 2
	}
}

// What the lesson declares, and threefold uses.

func must[T any](result T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return result
}

func noise(dims ...int) *tensors.Tensor {
	values, rng := make([]float32, f32(dims...).Size()), rand.New(rand.NewPCG(1, 1))
	for i := range values {
		values[i] = float32(rng.NormFloat64())
	}
	return tensors.FromFlatDataAndDimensions(values, dims...)
}

func measure(b *backend.Opened, f function, X *tensors.Tensor) (compile, call float64) {
	exec := must(model.NewExec(b.Backend, model.NewStore(), f))
	defer exec.Finalize()
	started := time.Now()
	must(exec.Compile(X.Shape()))
	compile, call = time.Since(started).Seconds(), math.Inf(1)
	for i, begin := 0, time.Now(); i < 7 || time.Since(begin) < 300*time.Millisecond; i++ {
		started = time.Now()
		for _, y := range must(exec.Call(X)) {
			must(0, y.ConstBytes(func([]byte) {})) // wait for the result
		}
		call = min(call, time.Since(started).Seconds())
	}
	return compile, call
}
