package main

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
)

// report is all that was measured. Its JSON form is what -json writes.
type report struct {
	Problem    problem   `json:"problem"`
	Machine    machine   `json:"machine"`
	Threads    int       `json:"threads"`
	MatmulSize int       `json:"matmul_size"`
	Others     *float64  `json:"others_cpu_share,omitempty"` // of all CPUs, used by other processes during the rounds; nil if not known
	Results    []*result `json:"results"`
	LeftOut    []string  `json:"left_out,omitempty"`
}

// quietEnough is the share of the CPUs that others may use before the report warns. Whoever waits for all of its threads at
// every step, as PyTorch does, suffers much more from a busy machine than the others, so that even the ratios change.
const quietEnough = 0.03

// median returns the middle of the values, or the mean of the two in the middle; NaN if there are none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// ratio returns the median of values[i]/reference[i]. The two were measured one after the other in round i, so that
// whatever slowed the whole machine down during a round drops out.
func ratio(values, reference []float64) float64 {
	ratios := make([]float64, len(values))
	for i := range values {
		ratios[i] = values[i] / reference[i]
	}
	return median(ratios)
}

// peak returns the highest rate of a product of two matrices, in FLOP/s, and who reached it.
func (r *report) peak() (rate float64, by *result) {
	n := float64(r.MatmulSize)
	for _, result := range r.Results {
		for _, seconds := range result.Matmul {
			if 2*n*n*n/seconds > rate {
				rate, by = 2*n*n*n/seconds, result
			}
		}
	}
	return rate, by
}

// print writes the report in Markdown.
func (r *report) print(w io.Writer) error {
	var b strings.Builder
	p, first := r.Problem, r.Results[0]
	rounds := len(first.Steps)
	fmt.Fprintf(&b, "One training step: vocabulary %d, %d + %d units, %d time steps, batch %d. Median of %d rounds of %d steps.\n\n",
		p.Vocabulary, p.Hidden, p.Hidden, p.Steps, p.Batch, rounds, p.epoch())
	fmt.Fprintf(&b, "Machine: %s, %d threads for each contender.\n\n", r.Machine, r.Threads)

	peak, by := r.peak()
	fmt.Fprint(&b, "| | step, ms | ratio | fastest round, ms | first call, s | of the matmul peak |\n| --- | ---: | ---: | ---: | ---: | ---: |\n")
	var notes []string
	for _, result := range r.Results {
		name := result.Name
		if result.Note != "" {
			notes = append(notes, result.Note)
			name += fmt.Sprintf(" (%d)", len(notes))
		}
		step, ofPeak := median(result.Steps), "?"
		if peak > 0 {
			ofPeak = fmt.Sprintf("%.0f%%", 100*p.flops()/step/peak)
		}
		fmt.Fprintf(&b, "| %s | %.1f | %.2f | %.1f | %.2f | %s |\n",
			name, 1000*step, ratio(result.Steps, first.Steps), 1000*slices.Min(result.Steps), result.FirstCall, ofPeak)
	}
	b.WriteByte('\n')
	for i, note := range notes {
		fmt.Fprintf(&b, "(%d) %s.\n\n", i+1, note)
	}
	fmt.Fprintf(&b, "Ratio: the median, over the rounds, of the time over that of %s in the same round. First call: the first step, with what is compiled for it.\n\n", first.Name)
	if peak > 0 {
		fmt.Fprintf(&b, "A step has %.2f GFLOP of matrix products; the peak is %.0f GFLOP/s, reached by %s with a product of two float32 matrices of size %d.\n\n",
			p.flops()/1e9, peak/1e9, by.Ready, r.MatmulSize)
	}
	for _, result := range r.Results {
		fmt.Fprintf(&b, "- %s: %s; losses of the first two steps %.4f, %.4f\n", result.Name, result.Ready, result.Losses[0], result.Losses[1])
	}
	for _, left := range r.LeftOut {
		fmt.Fprintf(&b, "- %s\n", left)
	}
	if r.Others != nil {
		fmt.Fprintf(&b, "\nOther processes used %.1f%% of the CPUs during the rounds.", 100**r.Others)
		if *r.Others > quietEnough {
			b.WriteString(" That is too much for these figures to mean anything: repeat this on an idle machine.")
		}
		b.WriteByte('\n')
	}
	if verdict := r.verdict(); verdict != "" {
		fmt.Fprintf(&b, "\n%s\n", verdict)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// verdict tells whether this library on XLA is no slower than PyTorch at its fastest; "" if one of them was not there.
func (r *report) verdict() string {
	var xla, torch *result
	for _, result := range r.Results {
		switch {
		case result.Key == "xla":
			xla = result
		case strings.HasPrefix(result.Key, "torch") && (torch == nil || median(result.Steps) < median(torch.Steps)):
			torch = result
		}
	}
	if xla == nil || torch == nil {
		return ""
	}
	than, of := "no slower than", ratio(xla.Steps, torch.Steps)
	if of > 1 {
		than = "slower than"
	}
	return fmt.Sprintf("%s is %s PyTorch: a step takes %.2f times that of %s, the faster one here.", xla.Name, than, of, torch.Name)
}

func (m machine) String() string {
	s := fmt.Sprintf("%d CPUs, %s/%s", m.CPUs, m.OS, m.Arch)
	for _, more := range []string{m.CPU, m.SIMD} {
		if more != "" {
			s += ", " + more
		}
	}
	if m.Load != "" {
		s += ", load averages before " + m.Load
	}
	return s
}

func (r *report) writeJSON(path string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
