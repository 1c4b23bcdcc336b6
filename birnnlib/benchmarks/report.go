package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// report is all that was measured. Its JSON form is what -json writes.
type report struct {
	Machine    machine     `json:"machine"`
	Threads    int         `json:"threads"`
	MatmulSize int         `json:"matmul_size"`
	Workloads  []*measured `json:"workloads"`
	Preemption *preemption `json:"preemption,omitempty"` // in programs with SIMD instructions
	LeftOut    []string    `json:"left_out,omitempty"`
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
// whatever slowed the whole machine down during a round drops out. The shorter one may have the first rounds only.
func ratio(values, reference []float64) float64 {
	ratios := make([]float64, min(len(values), len(reference)))
	for i := range ratios {
		ratios[i] = values[i] / reference[i]
	}
	return median(ratios)
}

// step returns the median time of a step, in seconds.
func (r *result) step() float64 { return median(r.Steps) }

// peak returns the highest rate of a product of two matrices, in FLOP/s, and who reached it.
func (r *report) peak(m *measured) (rate float64, by *result) {
	n := float64(r.MatmulSize)
	for _, result := range m.Results {
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
	fmt.Fprintf(&b, "Machine: %s, %d threads for each contender.\n\n", r.Machine, r.Threads)
	b.WriteString("Step: the median over the rounds; ratio: the median, over the rounds, of the time over that of the first contender in the same round. " +
		"First call: the first step, with what is compiled for it; compile: only that. ")
	if r.tellsMemory() {
		b.WriteString("Memory: the most that the process had resident (VmHWM) less what it had before the first step (VmRSS); " +
			"what a framework takes to start is not in it, what its compiler takes is. ")
	}
	if slices.ContainsFunc(r.Workloads, func(m *measured) bool { return m.has(func(r *result) bool { return r.Plan > 0 }) }) {
		b.WriteString("Working: what XLA plans to take for a step beyond inputs, parameters and results, less the outputs and their gradient.")
	}
	b.WriteString("\n\n")
	for _, m := range r.Workloads {
		r.printWorkload(&b, m)
	}
	for _, left := range r.LeftOut {
		fmt.Fprintf(&b, "- %s\n", left)
	}
	if r.Preemption != nil {
		fmt.Fprintf(&b, "%s\n\n", r.Preemption)
	}
	b.WriteString("## Targets\n\nOf birnnlib on XLA, where nothing else is said.\n\n| wanted | measured | |\n| --- | --- | --- |\n")
	for _, t := range r.targets() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", t.wanted, t.measured, t.outcome)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *report) tellsMemory() bool {
	return slices.ContainsFunc(r.Workloads, func(m *measured) bool { return m.has(func(r *result) bool { return r.Memory > 0 }) })
}

func (m *measured) has(what func(*result) bool) bool { return slices.ContainsFunc(m.Results, what) }

// tableColumn is one of a table's, and what it says of a contender.
type tableColumn struct {
	title string
	cell  func(*result) string
}

func (r *report) printWorkload(b *strings.Builder, m *measured) {
	first := m.Results[0]
	fmt.Fprintf(b, "## %s\n\n%d rounds of %d steps.\n\n", m.Title, len(first.Steps), m.Turn)
	peak, by := r.peak(m)
	columns := []tableColumn{
		{"step, ms", func(r *result) string { return fmt.Sprintf("%.1f", 1000*r.step()) }},
		{"ratio", func(r *result) string { return fmt.Sprintf("%.2f", ratio(r.Steps, first.Steps)) }},
		{"fastest round, ms", func(r *result) string { return fmt.Sprintf("%.1f", 1000*slices.Min(r.Steps)) }},
		{"first call, s", func(r *result) string { return fmt.Sprintf("%.2f", r.FirstCall) }},
	}
	if m.has(func(r *result) bool { return r.Compile > 0 }) {
		columns = append(columns, tableColumn{"compile, s", func(r *result) string { return fmt.Sprintf("%.2f", r.Compile) }})
	}
	if r.tellsMemory() {
		columns = append(columns, tableColumn{"memory, MiB", func(r *result) string { return strconv.FormatInt(r.Memory>>20, 10) }})
	}
	if m.has(func(r *result) bool { return r.Plan > 0 }) {
		columns = append(columns, tableColumn{"working, MiB", func(r *result) string {
			if r.Plan == 0 {
				return "–"
			}
			return strconv.FormatInt((r.Plan-m.Outputs)>>20, 10)
		}})
	}
	if m.Flops > 0 {
		columns = append(columns, tableColumn{"of the matmul peak", func(r *result) string {
			if peak == 0 {
				return "?"
			}
			return fmt.Sprintf("%.0f%%", 100*m.Flops/r.step()/peak)
		}})
	}
	header, rule := "| |", "| --- |"
	for _, c := range columns {
		header, rule = header+" "+c.title+" |", rule+" ---: |"
	}
	fmt.Fprintf(b, "%s\n%s\n", header, rule)
	var notes []string
	for _, result := range m.Results {
		name := result.Name
		if result.Note != "" {
			notes = append(notes, result.Note)
			name += fmt.Sprintf(" (%d)", len(notes))
		}
		fmt.Fprintf(b, "| %s |", name)
		for _, c := range columns {
			fmt.Fprintf(b, " %s |", c.cell(result))
		}
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	for i, note := range notes {
		fmt.Fprintf(b, "(%d) %s.\n\n", i+1, note)
	}
	if peak > 0 {
		fmt.Fprintf(b, "A step has %.2f GFLOP of matrix products; the peak is %.0f GFLOP/s, reached by %s with a product of two float32 matrices of size %d.\n\n",
			m.Flops/1e9, peak/1e9, by.Ready, r.MatmulSize)
	}
	for _, result := range m.Results {
		fmt.Fprintf(b, "- %s: %s; losses of the first two steps %.5g, %.5g\n", result.Name, result.Ready, result.Losses[0], result.Losses[1])
	}
	for _, left := range m.LeftOut {
		fmt.Fprintf(b, "- %s\n", left)
	}
	b.WriteByte('\n')
	if m.Others != nil {
		fmt.Fprintf(b, "Other processes used %.1f%% of the CPUs during the rounds.", 100**m.Others)
		if *m.Others > quietEnough {
			b.WriteString(" That is too much for these figures to mean anything: repeat this on an idle machine.")
		}
		b.WriteString("\n\n")
	}
}
