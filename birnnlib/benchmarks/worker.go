package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"birnn/birnnlib/backend"
	"birnn/internal/cli"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// workerCommand, as the first argument, makes this program a contender; the others are the backend, whose layers to use,
// and the directory of the problem.
const workerCommand = "worker"

// keepMallocEnv, if set, has a worker leave malloc as it is.
const keepMallocEnv = "BIRNN_BENCHMARK_KEEP_MALLOC"

// A trainer computes a problem step by step.
type trainer interface {
	// step does one step.
	step() error
	// loss returns the mean loss of the steps since the last call, and so waits for them.
	loss() (float64, error)
	close()
}

// A compiler is a trainer that can compile apart from its first step.
type compiler interface {
	// compile returns the memory that XLA plans to take for a step; 0 where something else computes.
	compile() (plan int64, err error)
}

// work answers requests, on the backend and the problem named by args, until there are no more.
func work(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 3 {
		return cli.Usage("%s takes three arguments, the backend, the layers and the problem's directory, and got %q", workerCommand, args)
	}
	ask, layer, dir := args[0], args[1], args[2]
	answers := json.NewEncoder(stdout)
	b, err := backend.Open(ctx, backend.Options{Ask: ask, KeepMalloc: os.Getenv(keepMallocEnv) != ""})
	if err != nil {
		return answers.Encode(hello{Error: err.Error()})
	}
	defer b.Backend.Finalize()
	t, err := newTrainer(ctx, b.Backend, layer, dir)
	if err != nil {
		return err
	}
	defer t.close()
	if err := answers.Encode(hello{Ready: b.String()}); err != nil {
		return err
	}
	requests := bufio.NewScanner(stdin)
	for requests.Scan() {
		var r request
		if err := json.Unmarshal(requests.Bytes(), &r); err != nil {
			return err
		}
		var a answer
		switch {
		case r.Steps > 0:
			a, err = train(t, r.Steps)
		case r.Compile:
			a, err = compile(t)
		case r.Matmul > 0:
			a.Seconds, err = matmul(b.Backend, r.Matmul)
		default:
			err = fmt.Errorf("the request %s asks for nothing", requests.Bytes())
		}
		if err != nil {
			return err
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
	return requests.Err()
}

// newTrainer returns a trainer of the problem in dir.
func newTrainer(ctx context.Context, b compute.Backend, layer, dir string) (trainer, error) {
	var kind struct{ Kind string }
	path := filepath.Join(dir, problemFile)
	if err := readJSON(path, &kind); err != nil {
		return nil, err
	}
	switch kind.Kind {
	case postKind:
		var p postProblem
		if err := readJSON(path, &p); err != nil {
			return nil, err
		}
		return newPostTrainer(ctx, b, p)
	case layersKind:
		var p layersProblem
		if err := readJSON(path, &p); err != nil {
			return nil, err
		}
		return newLayersTrainer(b, layer, p, dir)
	}
	return nil, fmt.Errorf("%s: unknown kind of problem %q", path, kind.Kind)
}

func train(t trainer, steps int) (a answer, err error) {
	started := time.Now()
	for range steps {
		if err := t.step(); err != nil {
			return a, err
		}
	}
	a.Loss, err = t.loss()
	a.Seconds = time.Since(started).Seconds()
	return a, err
}

func compile(t trainer) (a answer, err error) {
	c, ok := t.(compiler)
	if !ok {
		return a, fmt.Errorf("%T cannot compile without a step", t)
	}
	started := time.Now()
	a.Plan, err = c.compile()
	a.Seconds = time.Since(started).Seconds()
	return a, err
}

// matmul returns the time of the fastest of a few products of two matrices.
func matmul(b compute.Backend, size int) (seconds float64, err error) {
	exec, err := NewExec(b, func(x, y *Node) *Node { return Dot(x, y).Product() })
	if err != nil {
		return 0, err
	}
	defer exec.Finalize()
	x, y := randomMatrix(size), randomMatrix(size)
	if err := errors.Join(x.ToDevice(b, 0), y.ToDevice(b, 0)); err != nil {
		return 0, err
	}
	seconds = math.Inf(1)
	for range 5 { // the first one compiles, and is never the fastest
		started := time.Now()
		product, err := exec.Call1(x, y) // returns when the result is there
		if err != nil {
			return 0, err
		}
		seconds = min(seconds, time.Since(started).Seconds())
		if err := product.FinalizeAll(); err != nil {
			return 0, err
		}
	}
	return seconds, errors.Join(x.FinalizeAll(), y.FinalizeAll())
}

func randomMatrix(size int) *tensors.Tensor {
	values := make([]float32, size*size)
	for i := range values {
		values[i] = rand.Float32() - 0.5
	}
	return tensors.FromFlatDataAndDimensions(values, size, size)
}
