package main

import (
	"math"
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
	if got := ratio([]float64{3}, []float64{1, 10, 2}); got != 3 {
		t.Errorf("ratio of the only round is %v, want 3", got)
	}
}

// sample is a report with round figures: a peak of 100 GFLOP/s.
func sample() *report {
	matmul := 2 * float64(matmulSize*matmulSize*matmulSize) / 100e9
	return &report{
		Threads: 2, MatmulSize: matmulSize,
		Machine: machine{OS: "plan9", Arch: "amd64", CPUs: 2, CPU: "Test CPU", SIMD: "AVX2", Load: "0.10 0.20 0.30"},
		Workloads: []*measured{{
			Key: "post", Title: "The post", Turn: 8, Flops: 4.4e9,
			Results: []*result{
				{Key: "xla", Name: "birnnlib on XLA", Ours: true, Ready: "backend xla:cpu", FirstCall: 1.5, Losses: [2]float64{6.9, 43.1}, Memory: 200 << 20,
					Steps: []float64{0.040, 0.050, 0.060}, Matmul: []float64{2 * matmul, 1.5 * matmul}},
				{Key: "jax", Name: "JAX", Ready: "JAX 0", FirstCall: 2, Losses: [2]float64{6.9, 43.1}, Memory: 100 << 20,
					Steps: []float64{0.080, 0.100, 0.120}, Matmul: []float64{matmul, 3 * matmul}},
				{Key: "torch", Name: "PyTorch", Ready: "PyTorch 0", FirstCall: 0.05, Losses: [2]float64{6.9, 43.1}, Memory: 300 << 20,
					Steps: []float64{0.050, 0.060, 0.070}},
				{Key: "torch-nn", Name: "nn.RNN", Ready: "PyTorch 0", Note: "It computes tanh", Differs: true, FirstCall: 3, Losses: [2]float64{6.9, 6.1}, Memory: 400 << 20,
					Steps: []float64{0.070, 0.080, 0.090}},
			},
			LeftOut: []string{"birnnlib on pure Go is left out: a reason"},
		}},
	}
}

func TestPrint(t *testing.T) {
	var b strings.Builder
	if err := sample().print(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Machine: 2 CPUs, plan9/amd64, Test CPU, AVX2, load averages before 0.10 0.20 0.30, 2 threads",
		"(VmHWM)",
		"## The post\n\n3 rounds of 8 steps.\n",
		"| birnnlib on XLA | 50.0 | 1.00 | 40.0 | 1.50 | 200 | 88% |\n", // 4.4 GFLOP in 50 ms is 88 GFLOP/s
		"| JAX | 100.0 | 2.00 | 80.0 | 2.00 | 100 | 44% |\n",
		"| PyTorch | 60.0 | 1.20 | 50.0 | 0.05 | 300 | 73% |\n",
		"| nn.RNN (1) | 80.0 | 1.60 | 70.0 | 3.00 | 400 | 55% |\n",
		"\n(1) It computes tanh.\n",
		"4.40 GFLOP of matrix products; the peak is 100 GFLOP/s, reached by JAX 0 ",
		"- JAX: JAX 0; losses of the first two steps 6.9, 43.1\n",
		"- birnnlib on pure Go is left out: a reason\n",
		"| post: at least 75% of the matmul peak | 88% | reached |\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the report lacks %q:\n%s", want, b.String())
		}
	}
}

// TestPrintLayers has neither matmul peak nor memory, but compiling apart and, of one, a plan.
func TestPrintLayers(t *testing.T) {
	r := sample()
	m := r.Workloads[0]
	m.Flops, m.Outputs, m.Results[0].Plan, m.Results[1].Compile = 0, 3<<20, 10<<20, 0.5
	for _, result := range m.Results {
		result.Memory, result.Matmul = 0, nil
	}
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, "| 40.0 | 1.50 | 0.00 | 7 |\n| JAX | 100.0 | 2.00 | 80.0 | 2.00 | 0.50 | – |\n") || strings.Contains(s, "GFLOP") || strings.Contains(s, "VmHWM") {
		t.Errorf("there is neither peak nor memory, and the report is\n%s", s)
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
		r.Workloads[0].Others = &test.share
		var b strings.Builder
		if err := r.print(&b); err != nil || !strings.Contains(b.String(), test.want) {
			t.Errorf("error %v; the report lacks %q:\n%s", err, test.want, b.String())
		}
	}
}

func TestPrintWithoutPeak(t *testing.T) {
	r := sample()
	r.Workloads[0].Results = r.Workloads[0].Results[2:3] // who has measured no products
	var b strings.Builder
	if err := r.print(&b); err != nil {
		t.Fatal(err)
	}
	if s := b.String(); !strings.Contains(s, "| PyTorch | 60.0 | 1.00 | 50.0 | 0.05 | 300 | ? |") || strings.Contains(s, "GFLOP") {
		t.Errorf("nobody measured the peak, and the report is\n%s", s)
	}
}

func TestWriteJSON(t *testing.T) {
	path := filepath.Join(t.TempDir(), "report.json")
	if err := writeJSON(path, sample()); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := readJSON(path, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&back, sample()) {
		t.Errorf("read back: %+v", back)
	}
}

func TestSameLosses(t *testing.T) {
	r := sample().Workloads[0].Results
	if err := sameLosses(r); err != nil {
		t.Errorf("nn.RNN, of which a note says that it differs, may: %v", err)
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
