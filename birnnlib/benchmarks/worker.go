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
	"time"

	"birnn/birnnlib/backend"
	"birnn/birnnlib/charlm"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// workerCommand, as the first argument, makes this program a contender; the second one is the backend.
const workerCommand = "worker"

// work trains on the backend named by args as long as it is asked to.
func work(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) != 1 {
		return usageError{fmt.Errorf("%s takes one argument, the backend, and got %q", workerCommand, args)}
	}
	return workOn(ctx, post(), args[0], stdin, stdout)
}

func workOn(ctx context.Context, p problem, ask string, stdin io.Reader, stdout io.Writer) error {
	w := &worker{requests: bufio.NewScanner(stdin), answers: json.NewEncoder(stdout)}
	b, err := backend.Open(ctx, backend.Options{Ask: ask})
	if err != nil {
		return w.answers.Encode(hello{Error: err.Error()})
	}
	defer b.Backend.Finalize()
	w.backend = b.Backend
	if w.model, err = charlm.New(b.Backend, p.corpus(), p.config()); err != nil {
		return w.answers.Encode(hello{Error: err.Error()})
	}
	if err := w.answers.Encode(hello{Ready: b.String()}); err != nil {
		return err
	}
	return w.serve(ctx)
}

// worker answers requests with the training of a model.
type worker struct {
	backend  compute.Backend
	model    *charlm.Model
	requests *bufio.Scanner
	answers  *json.Encoder

	started time.Time // when the running request was read
	left    int       // its steps that are still to do
}

var errNoMoreRequests = errors.New("no more requests")

// serve answers requests until there are no more. The training runs without an end; it waits for the next request after
// the last step of each.
func (w *worker) serve(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if err := w.next(); err != nil {
		return noMore(err)
	}
	err := w.model.Train(ctx, math.MaxInt, charlm.Callbacks{Batch: func(charlm.Position, int) {
		if w.left--; w.left > 0 {
			return
		}
		if err := w.trained(); err != nil {
			cancel(err)
		}
	}})
	if cause := context.Cause(ctx); cause != nil {
		return noMore(cause)
	}
	return err
}

func noMore(err error) error {
	if errors.Is(err, errNoMoreRequests) {
		return nil
	}
	return err
}

// trained answers a request for training and reads the next one.
func (w *worker) trained() error {
	const path = "/train/loss_sum"
	lossSum := w.model.Store().GetVariable(path)
	if lossSum == nil {
		return fmt.Errorf("charlm keeps no variable %s any more; this benchmark reads the loss there", path)
	}
	value, err := lossSum.Value() // waits for the device
	if err != nil {
		return err
	}
	loss := tensors.ToScalar[float32](value)
	if err := w.answers.Encode(answer{Seconds: time.Since(w.started).Seconds(), Loss: float64(loss)}); err != nil {
		return err
	}
	return w.next()
}

// next reads requests up to the next one for training; the others it answers itself.
func (w *worker) next() error {
	for w.requests.Scan() {
		var r request
		if err := json.Unmarshal(w.requests.Bytes(), &r); err != nil {
			return err
		}
		switch {
		case r.Steps > 0:
			w.started, w.left = time.Now(), r.Steps
			return nil
		case r.Matmul > 0:
			seconds, err := matmul(w.backend, r.Matmul)
			if err != nil {
				return err
			}
			if err := w.answers.Encode(answer{Seconds: seconds}); err != nil {
				return err
			}
		default:
			return fmt.Errorf("the request %s asks for nothing", w.requests.Bytes())
		}
	}
	return errors.Join(errNoMoreRequests, w.requests.Err())
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
