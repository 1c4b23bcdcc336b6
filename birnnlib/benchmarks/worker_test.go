package main

import (
	"bufio"
	"encoding/json"
	"io"
	"math"
	"strings"
	"testing"

	"birnn/birnnlib/backend"
	"birnn/birnnlib/charlm"
)

// TestWorker speaks the protocol with a worker on pure Go, and compares what it answers with a training of its own.
func TestWorker(t *testing.T) {
	p := small()
	const epochs = 3
	var want []float64 // the sum of losses of each epoch
	b, err := backend.Open(t.Context(), backend.Options{Ask: "go"})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Backend.Finalize()
	m, err := charlm.New(b.Backend, p.corpus(), p.config())
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Train(t.Context(), epochs, charlm.Callbacks{Epoch: func(e charlm.Epoch) error {
		want = append(want, math.Log(e.Perplexity)*float64(p.epoch()))
		return nil
	}}); err != nil {
		t.Fatal(err)
	}

	requests, stdin := io.Pipe()
	stdout, answers := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := workOn(t.Context(), p, "go", requests, answers)
		answers.Close()
		done <- err
	}()
	lines := bufio.NewReader(stdout)
	read := func(v any) {
		t.Helper()
		line, err := lines.ReadBytes('\n')
		if err != nil {
			t.Fatalf("no answer: %v, %v", err, <-done)
		}
		if err := json.Unmarshal(line, v); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	}
	ask := func(request string) (a answer) {
		t.Helper()
		if _, err := io.WriteString(stdin, request+"\n"); err != nil {
			t.Fatal(err)
		}
		read(&a)
		if !(a.Seconds > 0) {
			t.Errorf("%s took %g seconds", request, a.Seconds)
		}
		return a
	}
	var h hello
	if read(&h); !strings.HasPrefix(h.Ready, "backend go (pure Go") {
		t.Errorf("the worker says %+v, want its backend", h)
	}
	one := ask(`{"steps":1}`).Loss
	two := ask(`{"steps":1}`).Loss
	if math.Abs(one-math.Log(20)) > 0.1 || !(two > one) {
		t.Errorf("sums of losses %v and %v; a network that knows nothing starts with ln 20 = 3.0", one, two)
	}
	ask(`{"matmul":64}`)
	for i, steps := range []string{`{"steps":17}`, `{"steps":19}`, `{"steps":19}`} {
		if got := ask(steps).Loss; math.Abs(got-want[i]) > 1e-4*want[i] {
			t.Errorf("epoch %d: the sum of losses is %v, want %v", i+1, got, want[i])
		}
	}
	stdin.Close()
	if err := <-done; err != nil {
		t.Errorf("at the end of the requests: %v", err)
	}
}

func TestWorkerRefuses(t *testing.T) {
	for _, test := range []struct{ requests, want string }{
		{"{}\n", "asks for nothing"},
		{"train!\n", "invalid character"},
		{`{"steps":1}` + "\n[]\n", "cannot unmarshal array"},
	} {
		err := workOn(t.Context(), small(), "go", strings.NewReader(test.requests), io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: error %v, want one with %q", test.requests, err, test.want)
		}
	}
	var out strings.Builder
	if err := workOn(t.Context(), small(), "nosuch", strings.NewReader(""), &out); err != nil || !strings.Contains(out.String(), `"error":"there is no backend`) {
		t.Errorf("the backend nosuch: wrote %q, error %v", out.String(), err)
	}
	if err := run(t.Context(), []string{workerCommand}, strings.NewReader(""), io.Discard, io.Discard); err == nil {
		t.Error("a worker without a backend runs")
	}
}
