package main

import (
	"fmt"
	"math"
	"slices"
)

// target is what this library is to reach, and whether it did in this run.
type target struct{ wanted, measured, outcome string }

// The shortest and the longest sequences of the layers' training.
const short, long = 35, 1000

// targets returns all targets; of those for which this run lacks something, that they were not measured.
func (r *report) targets() []target {
	var targets []target
	// limit adds a target that value is at most limit; NaN is for not measured.
	limit := func(wanted string, value, limit float64, measured string, args ...any) {
		t := target{wanted: wanted, measured: "not measured"}
		if !math.IsNaN(value) {
			t.measured, t.outcome = fmt.Sprintf(measured, args...), "missed"
			if value <= limit {
				t.outcome = "reached"
			}
		}
		targets = append(targets, t)
	}
	limitRatio := func(wanted, workload string, most float64) {
		value, best := r.toBestPeer(workload, func(r *result) float64 { return r.step() }, ratio)
		limit(wanted, value, most, "%.2f × %s", value, best)
	}

	limitRatio("post: a step takes at most 0.9 × the best peer's", "post", 0.9)
	share := r.shareOfPeak()
	limit("post: at least 75% of the matmul peak", -share, -0.75, "%.0f%%", 100*share)
	for _, cell := range []string{"lstm", "gru"} {
		for _, T := range []int{short, 280, long} {
			workload := fmt.Sprintf("%s-%d", cell, T)
			limitRatio(workload+": a step takes no longer than the best peer's", workload, 1)
		}
	}
	for _, cell := range []string{"lstm", "gru"} {
		limitRatio(cell+"-infer: one sequence takes at most 0.9 × the best peer's", cell+"-infer", 0.9)
	}
	for _, T := range []int{short, 280, long} {
		workload := fmt.Sprintf("ugrnn-%d", T)
		same := r.ratioTo(workload, xla.key, jax.key)
		limit(workload+": a Scan with a user's cell takes no longer than JAX's lax.scan of the same cell", same, 1, "%.2f ×", same)
	}
	for _, cell := range []string{"lstm", "gru"} {
		at := func(T int) float64 {
			return r.value(fmt.Sprintf("%s-%d", cell, T), xla.key, func(r *result) float64 { return measuredAs(r.Compile) })
		}
		most := math.Max(at(short), math.Max(at(280), at(long)))
		limit(cell+": compiles in less than 1.5 s at every T", most, 1.5, "at most %.2f s", most)
		flat := at(long) / at(short)
		limit(fmt.Sprintf("%s: compiles at T = %d in at most 1.3 × the time at T = %d", cell, long, short), flat, 1.3, "%.2f ×", flat)
	}
	for _, cell := range []string{"lstm", "gru"} {
		workload := fmt.Sprintf("%s-%d", cell, long)
		value, best := r.toBestPeer(workload, func(r *result) float64 { return measuredAs(float64(r.Memory)) }, nil)
		limit(workload+": no more memory than the best peer", value, 1, "%.2f × %s", value, best)
		share := r.working(workload, again.key) / r.working(workload, xla.key)
		limit(workload+": Recompute needs at most a third of the working memory", share, 1./3, "%.2f ×", share)
	}
	var µs []any // of a time step
	for _, T := range flatSteps {
		µs = append(µs, 1e6*r.value(flatKey(T), xla.key, (*result).step)/float64(T))
	}
	limit("one unit: a time step takes at most 1.5 × as long at T = 10,000 as at T = 1,000", µs[2].(float64)/µs[1].(float64), 1.5,
		"%.2f, %.2f, %.2f µs at T = 100, 1,000, 10,000", µs...)
	pure := r.ratioTo("post", goSIMD.key, torch.key)
	limit("post, on pure Go with SIMD: a step takes at most 3 × PyTorch's by hand", pure, 3, "%.2f ×", pure)
	return targets
}

// measuredAs returns NaN for 0, which stands for not measured.
func measuredAs(value float64) float64 {
	if value == 0 {
		return math.NaN()
	}
	return value
}

// working returns the working memory that XLA plans for the workload's contender; NaN if it is not known.
func (r *report) working(workload, key string) float64 {
	for _, m := range r.Workloads {
		if m.Key == workload {
			return r.value(workload, key, func(r *result) float64 { return measuredAs(float64(r.Plan)) - float64(m.Outputs) })
		}
	}
	return math.NaN()
}

func (r *report) results(workload string) []*result {
	for _, m := range r.Workloads {
		if m.Key == workload {
			return m.Results
		}
	}
	return nil
}

func (r *report) find(workload, key string) *result {
	results := r.results(workload)
	if at := slices.IndexFunc(results, func(r *result) bool { return r.Key == key }); at >= 0 {
		return results[at]
	}
	return nil
}

// value returns of of the workload's contender; NaN if it was not there.
func (r *report) value(workload, key string, of func(*result) float64) float64 {
	if result := r.find(workload, key); result != nil {
		return of(result)
	}
	return math.NaN()
}

// ratioTo returns the ratio of two contenders' steps; NaN if one was not there.
func (r *report) ratioTo(workload, key, reference string) float64 {
	a, b := r.find(workload, key), r.find(workload, reference)
	if a == nil || b == nil {
		return math.NaN()
	}
	return ratio(a.Steps, b.Steps)
}

// toBestPeer relates this library on XLA to the peer with the smallest value, and names that: by ratioOf of their steps,
// or, if that is nil, by the quotient of the values. It is NaN if one of them was not there.
func (r *report) toBestPeer(workload string, value func(*result) float64, ratioOf func(a, b []float64) float64) (float64, string) {
	own := r.find(workload, xla.key)
	var best *result
	for _, peer := range r.results(workload) {
		if v := value(peer); !peer.Ours && !math.IsNaN(v) && (best == nil || v < value(best)) {
			best = peer
		}
	}
	switch {
	case own == nil || best == nil:
		return math.NaN(), ""
	case ratioOf != nil:
		return ratioOf(own.Steps, best.Steps), best.Name
	}
	return value(own) / value(best), best.Name
}

// shareOfPeak returns the share of the machine's matmul peak that this library reaches in the post's training.
func (r *report) shareOfPeak() float64 {
	for _, m := range r.Workloads {
		if peak, _ := r.peak(m); m.Key == "post" && peak > 0 {
			return r.value("post", xla.key, func(r *result) float64 { return m.Flops / r.step() / peak })
		}
	}
	return math.NaN()
}
