package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		values []float64
		want   float64
	}{
		{[]float64{7}, 7},
		{[]float64{3, 1, 2}, 2},
		{[]float64{4, 1, 3, 2}, 2.5},
		{[]float64{1, 1, 1, 1000}, 1},
	} {
		before := append([]float64(nil), test.values...)
		if got := median(test.values); got != test.want {
			t.Errorf("median(%v) = %v, want %v", before, got, test.want)
		}
		if !reflect.DeepEqual(before, test.values) {
			t.Errorf("median changed its argument from %v to %v", before, test.values)
		}
	}
	if got := median(nil); !math.IsNaN(got) {
		t.Errorf("median of nothing is %v, want NaN", got)
	}
}

// TestRatio has a machine that is ten times slower in the second round, for both: the ratio of the medians would be 4,
// that of the times of the same round is 2 in each.
func TestRatio(t *testing.T) {
	if got := ratio([]float64{2, 20, 4}, []float64{1, 10, 2}); got != 2 {
		t.Errorf("ratio is %v, want 2", got)
	}
}

// sample is a report with round figures: a peak of 100 GFLOP/s.
func sample() *report {
	matmul := 2 * float64(matmulSize*matmulSize*matmulSize) / 100e9
	return &report{
		Problem: post(), MatmulSize: matmulSize, Threads: 2,
		Machine: machine{OS: "plan9", Arch: "amd64", CPUs: 2, CPU: "Test CPU", SIMD: "AVX2", Load: "0.10 0.20 0.30"},
		Results: []*result{
			{Key: "xla", Name: "birnnlib on XLA", Ready: "backend xla:cpu", FirstCall: 1.5, Losses: [2]float64{6.9, 43.1},
				Steps: []float64{0.040, 0.050, 0.060}, Matmul: []float64{2 * matmul, 1.5 * matmul}},
			{Key: "jax", Name: "JAX", Ready: "JAX 0", FirstCall: 2, Losses: [2]float64{6.9, 43.1},
				Steps: []float64{0.080, 0.100, 0.120}, Matmul: []float64{matmul, 3 * matmul}},
			{Key: "torch", Name: "PyTorch", Ready: "PyTorch 0", FirstCall: 2, Losses: [2]float64{6.9, 43.1}, Steps: []float64{0.050, 0.060, 0.070}},
			{Key: "torch-rnn", Name: "nn.RNN", Ready: "PyTorch 0", Note: "It computes tanh", FirstCall: 3, Losses: [2]float64{6.9, 6.1}, Steps: []float64{0.070, 0.080, 0.090}},
		},
		LeftOut: []string{"birnnlib on pure Go is left out: a reason"},
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	if err := sample().print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"vocabulary 1027, 256 + 256 units, 35 time steps, batch 32. Median of 3 rounds of 8 steps.\n",
		"2 CPUs, plan9/amd64, Test CPU, AVX2, load averages before 0.10 0.20 0.30, 2 threads",
		"| birnnlib on XLA | 50.0 | 1.00 | 40.0 | 1.50 | 88% |\n", // 4.41 GFLOP in 50 ms is 88 GFLOP/s
		"| JAX | 100.0 | 2.00 | 80.0 | 2.00 | 44% |\n",
		"| PyTorch | 60.0 | 1.20 | 50.0 | 2.00 | 74% |\n",
		"| nn.RNN (1) | 80.0 | 1.60 | 70.0 | 3.00 | 55% |\n",
		"\n(1) It computes tanh.\n",
		"4.41 GFLOP of matrix products; the peak is 100 GFLOP/s, reached by JAX 0 ",
		"- JAX: JAX 0; losses of the first two steps 6.9000, 43.1000\n",
		"- birnnlib on pure Go is left out: a reason\n",
		"birnnlib on XLA is no slower than PyTorch: a step takes 0.83 times that of PyTorch, the faster one here.\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

func TestPrintOthers(t *testing.T) {
	for _, test := range []struct {
		share float64
		want  string
	}{
		{0.012, "\nOther processes used 1.2% of the CPUs during the rounds.\n\n"},
		{0.25, "\nOther processes used 25.0% of the CPUs during the rounds. That is too much for these figures to mean anything: repeat this on an idle machine.\n\n"},
	} {
		r := sample()
		r.Others = &test.share
		var b strings.Builder
		if err := r.print(&b); err != nil || !strings.Contains(b.String(), test.want) {
			t.Errorf("error %v; the report lacks %q:\n%s", err, test.want, b.String())
		}
	}
}

func TestVerdict(t *testing.T) {
	r := sample()
	r.Results[3].Steps = []float64{0.030, 0.040, 0.030} // the faster PyTorch counts
	if got, want := r.verdict(), "birnnlib on XLA is slower than PyTorch: a step takes 1.33 times that of nn.RNN, the faster one here."; got != want {
		t.Errorf("%s\nwant: %s", got, want)
	}
	r.Results = r.Results[:2]
	if got := r.verdict(); got != "" {
		t.Errorf("without PyTorch: %q, want no verdict", got)
	}
}

func TestPrintWithoutPeak(t *testing.T) {
	r := sample()
	r.Results = r.Results[2:3]
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, "| PyTorch | 60.0 | 1.00 | 50.0 | 2.00 | ? |") || strings.Contains(s, "GFLOP") {
		t.Errorf("nobody measured the peak, and the report is\n%s", s)
	}
}

func TestWriteJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := sample().writeJSON(path); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, sample()) {
		t.Errorf("read back: %+v", back)
	}
}

func TestSameLosses(t *testing.T) {
	r := sample().Results
	if err := sameLosses(r); err != nil {
		t.Errorf("nn.RNN, which has a note, may differ: %v", err)
	}
	r[2].Losses[1] = 43.2
	if err := sameLosses(r); err == nil || !strings.Contains(err.Error(), "PyTorch does not compute what birnnlib on XLA does") {
		t.Errorf("error %v for another second loss", err)
	}
	r[2].Losses = [2]float64{6.9, math.NaN()}
	if err := sameLosses(r); err == nil {
		t.Error("NaN passes for the same loss")
	}
}
