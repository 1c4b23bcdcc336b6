package tag

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"birnn/birnnlib/examples/crf"
)

// Batcher lets many goroutines use a model at once. One goroutine owns the model; whenever it becomes free, it takes the
// sequence that has waited longest and others of the same padded length into one mini-batch. Nothing waits for a
// mini-batch to fill: the fewer sequences are waiting, the smaller it is.
//
// A mini-batch has Config.Batch time steps, an eighth or a 64th of them, but at least one sequence, so that there are at most
// three shapes for each of Config.Lengths. [NewBatcher] compiles them; those of longer sequences are compiled when one comes.
type Batcher struct {
	model       *Model
	transitions crf.Transitions

	mutex   sync.Mutex
	wake    *sync.Cond // when waiting or closed changes
	waiting []*part    // in the order of their arrival
	closed  bool
	ended   chan struct{} // closed when nothing uses the model any more
}

// ErrClosed is returned by [Batcher.Scores] after [Batcher.Close].
var ErrClosed = errors.New("tag: the batcher is closed")

// part is sequences of one padded length, at most a full mini-batch, of one call of Scores.
type part struct {
	batch    batch
	examples []Example
	scores   [][][]float32
	err      error
	done     chan struct{}
}

// window is how many parts of a call wait at once. It bounds how long a call with many sequences holds up the others.
const window = 4

// NewBatcher compiles the graphs that the batcher needs. Until [Batcher.Close] returns, the model must be used through the
// batcher alone.
func NewBatcher(ctx context.Context, m *Model) (*Batcher, error) {
	m.score.SetMaxCache(-1)
	for _, length := range m.config.Lengths {
		for _, size := range sizes(max(1, m.config.Batch/length)) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if _, err := m.scoreBatch(nil, batch{length: length, size: size}); err != nil {
				return nil, err
			}
		}
	}
	transitions, err := m.Transitions()
	if err != nil {
		return nil, err
	}
	b := &Batcher{model: m, transitions: transitions, ended: make(chan struct{})}
	b.wake = sync.NewCond(&b.mutex)
	go b.run()
	return b, nil
}

// sizes returns how many sequences a mini-batch can have, from the fewest to full.
func sizes(full int) []int {
	return slices.Compact([]int{max(1, full/64), max(1, full/8), full})
}

// Transitions is [Model.Transitions].
func (b *Batcher) Transitions() (crf.Transitions, error) {
	t := crf.Transitions{Start: slices.Clone(b.transitions.Start), End: slices.Clone(b.transitions.End)}
	for _, row := range b.transitions.A {
		t.A = append(t.A, slices.Clone(row))
	}
	return t, nil
}

// Scores is [Model.Scores] for any number of goroutines. In the last bits, scores can depend on the size of the mini-batch
// in which they are computed.
//
// When the context is cancelled, what is waiting is withdrawn, and Scores returns the context's error after the running
// mini-batch at the latest.
func (b *Batcher) Scores(ctx context.Context, examples []Example) ([][][]float32, error) {
	for i, e := range examples {
		if err := b.model.task.checkFeatures(e); err != nil {
			return nil, fmt.Errorf("tag: sequence %d: %w", i+1, err)
		}
	}
	batches := b.model.batches(examples, 0)
	scores := make([][][]float32, len(examples))
	var begun []*part
	for len(batches) > 0 || len(begun) > 0 {
		for len(batches) > 0 && len(begun) < window {
			p, err := b.begin(examples, batches[0])
			if err != nil {
				b.withdraw(begun)
				return nil, err
			}
			begun, batches = append(begun, p), batches[1:]
		}
		first := begun[0]
		select {
		case <-first.done:
		case <-ctx.Done():
			b.withdraw(begun)
			return nil, ctx.Err()
		}
		begun = begun[1:]
		if first.err != nil {
			b.withdraw(begun)
			return nil, first.err
		}
		for k, i := range first.batch.examples {
			scores[i] = first.scores[k]
		}
	}
	return scores, nil
}

// begin queues a mini-batch of the examples.
func (b *Batcher) begin(examples []Example, of batch) (*part, error) {
	p := &part{batch: of, done: make(chan struct{})}
	for _, i := range of.examples {
		p.examples = append(p.examples, examples[i])
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.closed {
		return nil, ErrClosed
	}
	b.waiting = append(b.waiting, p)
	b.wake.Signal()
	return p, nil
}

// withdraw removes the parts from the queue and waits for those that are running.
func (b *Batcher) withdraw(parts []*part) {
	b.mutex.Lock()
	var running []*part
	for _, p := range parts {
		if i := slices.Index(b.waiting, p); i >= 0 {
			b.waiting = slices.Delete(b.waiting, i, i+1)
		} else {
			running = append(running, p)
		}
	}
	b.mutex.Unlock()
	for _, p := range running {
		<-p.done
	}
}

// run owns the model until the end.
func (b *Batcher) run() {
	defer close(b.ended)
	for {
		parts := b.take()
		if parts == nil {
			return
		}
		var examples []Example
		for _, p := range parts {
			examples = append(examples, p.examples...)
		}
		together := batch{length: parts[0].batch.length}
		for i := range examples {
			together.examples = append(together.examples, i)
		}
		for _, together.size = range sizes(parts[0].batch.size) {
			if together.size >= len(examples) {
				break
			}
		}
		scores, err := b.model.scoreBatch(examples, together)
		for _, p := range parts {
			if p.err = err; err == nil {
				p.scores, scores = scores[:len(p.examples)], scores[len(p.examples):]
			}
			close(p.done)
		}
	}
}

// take waits until something is waiting, and removes the parts for the next mini-batch from the queue: the oldest, and the
// others of its length that still fit. It returns nil after Close.
func (b *Batcher) take() (parts []*part) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	for len(b.waiting) == 0 && !b.closed {
		b.wake.Wait()
	}
	if b.closed {
		return nil
	}
	first, n := b.waiting[0].batch, 0
	b.waiting = slices.DeleteFunc(b.waiting, func(p *part) bool {
		if p.batch.length != first.length || n+len(p.examples) > first.size {
			return false
		}
		parts, n = append(parts, p), n+len(p.examples)
		return true
	})
	return parts
}

// Close ends the batcher after the running mini-batch. Calls of Scores that still wait return [ErrClosed].
func (b *Batcher) Close() {
	b.mutex.Lock()
	b.closed = true
	waiting := b.waiting
	b.waiting = nil
	b.wake.Signal()
	b.mutex.Unlock()
	for _, p := range waiting {
		p.err = ErrClosed
		close(p.done)
	}
	<-b.ended
}
