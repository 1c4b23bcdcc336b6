package main

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"birnn/birnnlib/examples/charlm"
	"birnn/internal/backendtest"
)

// conversation is one with a worker on pure Go.
type conversation struct {
	t     *testing.T
	stdin io.WriteCloser
	lines *bufio.Reader
	done  chan error
}

// talk starts a worker on the problem.
func talk(t *testing.T, p problem, layer string) *conversation {
	t.Helper()
	dir := t.TempDir()
	if err := p.write(dir); err != nil {
		t.Fatal(err)
	}
	requests, stdin := io.Pipe()
	stdout, answers := io.Pipe()
	c := &conversation{t, stdin, bufio.NewReader(stdout), make(chan error, 1)}
	go func() {
		err := work(t.Context(), []string{"go", layer, dir}, requests, answers)
		answers.Close()
		c.done <- err
	}()
	var h hello
	if c.read(&h); !strings.HasPrefix(h.Ready, "backend go (pure Go") {
		t.Errorf("the worker says %+v, want its backend", h)
	}
	return c
}

func (c *conversation) read(v any) {
	c.t.Helper()
	line, err := c.lines.ReadBytes('\n')
	if err != nil {
		c.t.Fatalf("no answer: %v, %v", err, <-c.done)
	}
	if err := json.Unmarshal(line, v); err != nil {
		c.t.Fatalf("%s: %v", line, err)
	}
}

func (c *conversation) ask(request string) (a answer) {
	c.t.Helper()
	if _, err := io.WriteString(c.stdin, request+"\n"); err != nil {
		c.t.Fatal(err)
	}
	c.read(&a)
	if !(a.Seconds > 0) {
		c.t.Errorf("%s took %g seconds", request, a.Seconds)
	}
	return a
}

func (c *conversation) end() {
	c.t.Helper()
	c.stdin.Close()
	if err := <-c.done; err != nil {
		c.t.Errorf("at the end of the requests: %v", err)
	}
}

// TestWorkerPost compares what a worker answers with a training of the test's own.
func TestWorkerPost(t *testing.T) {
	p := small()
	const epochs = 3
	var want []float64 // the mean loss of each epoch
	m, err := charlm.New(backendtest.Go(t), p.corpus(), p.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Train(t.Context(), epochs, charlm.Callbacks{Epoch: func(e charlm.Epoch) error {
		want = append(want, math.Log(e.Perplexity))
		return nil
	}}); err != nil {
		t.Fatal(err)
	}

	c := talk(t, p, ownLayer)
	one, two := c.ask(`{"steps":1}`).Loss, c.ask(`{"steps":1}`).Loss
	if math.Abs(one-math.Log(20)) > 0.1 || two == one {
		t.Errorf("losses %v and %v; a network that knows nothing starts with ln 20 = 3.0", one, two)
	}
	c.ask(`{"matmul":64}`)
	first := (one + two + 17*c.ask(`{"steps":17}`).Loss) / 19
	for i, got := range []float64{first, c.ask(`{"steps":19}`).Loss, c.ask(`{"steps":19}`).Loss} {
		if math.Abs(got-want[i]) > 1e-4*want[i] {
			t.Errorf("epoch %d: the mean loss is %v, want %v", i+1, got, want[i])
		}
	}
	c.end()
}

// TestWorkerLayers compares this library's LSTM with GoMLX's own, step by step, and its ways to do the same with each other,
// and sees that the others learn. Inference returns the first loss again and again.
func TestWorkerLayers(t *testing.T) {
	losses := func(p layersProblem, layer string) (losses []float64) {
		c := talk(t, p, layer)
		c.ask(`{"compile":true}`)
		for range 5 {
			losses = append(losses, c.ask(`{"steps":1}`).Loss)
		}
		c.end()
		return losses
	}
	own := make(map[string][]float64)
	for cell := range cells {
		l := losses(smallLayers(cell), ownLayer)
		if own[cell] = l; !(l[4] < 0.95*l[0]) {
			t.Errorf("%s: the losses are %v; it does not learn", cell, l)
		}
	}
	for cell, layers := range map[string][]string{
		"lstm": {"gomlx", recomputeLayer, derivedLayer}, "gru": {derivedLayer}, "ugrnn": {recomputeLayer},
		"mingru": {sequentialLayer, associativeLayer}, "minlstm": {sequentialLayer, associativeLayer},
	} {
		for _, layer := range layers {
			for i, want := range losses(smallLayers(cell), layer) {
				if math.Abs(own[cell][i]-want) > 1e-5*want {
					t.Errorf("%s, step %d: the loss is %v, with %s %v", cell, i+1, own[cell][i], layer, want)
				}
			}
		}
	}
	inference := smallLayers("lstm")
	inference.Inference = true
	for i, got := range losses(inference, ownLayer) {
		if want := own["lstm"][0]; math.Abs(got-want) > 1e-6 {
			t.Errorf("inference %d: the loss is %v, want the first one of the training, %v", i+1, got, want)
		}
	}
}

func TestWorkerRefuses(t *testing.T) {
	post, layers, chess := t.TempDir(), t.TempDir(), t.TempDir()
	if err := small().write(post); err != nil {
		t.Fatal(err)
	}
	if err := smallLayers("gru").write(layers); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(chess, problemFile), []byte(`{"kind":"chess"}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ layer, dir, requests, want string }{
		{ownLayer, post, "{}\n", "asks for nothing"},
		{ownLayer, post, `{"compile":true}` + "\n", "cannot compile"},
		{ownLayer, post, "train!\n", "invalid character"},
		{ownLayer, post, `{"steps":1}` + "\n[]\n", "cannot unmarshal array"},
		{ownLayer, chess, "", `kind of problem "chess"`},
		{ownLayer, t.TempDir(), "", problemFile},
		{"abacus", layers, "", `unknown layers "abacus"`},
	} {
		err := work(t.Context(), []string{"go", test.layer, test.dir}, strings.NewReader(test.requests), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s in %s, %q: error %v, want one with %q", test.layer, test.dir, test.requests, err, test.want)
		}
	}
	var out strings.Builder
	if err := work(t.Context(), []string{"nosuch", ownLayer, post}, strings.NewReader(""), &out); err != nil || !strings.Contains(out.String(), `"error":"unknown backend`) {
		t.Errorf("the backend nosuch: wrote %q, error %v", out.String(), err)
	}
	if err := run(t.Context(), []string{workerCommand}, strings.NewReader(""), io.Discard, io.Discard); err == nil {
		t.Error("a worker without a backend runs")
	}
}
