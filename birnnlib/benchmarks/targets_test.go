package main

import (
	"strings"
	"testing"
)

// outcomes returns how each target came out, by what is wanted.
func outcomes(r *report) map[string]target {
	all := make(map[string]target)
	for _, t := range r.targets() {
		all[t.wanted] = t
	}
	return all
}

// three is a workload of this library and two peers, with a single round.
func three(key string, own, ownCompile float64, ownMemory int64, jax, torch float64) *measured {
	return &measured{Key: key, Results: []*result{
		{Key: "xla", Name: "birnnlib", Ours: true, Steps: []float64{own}, Compile: ownCompile, Memory: ownMemory},
		{Key: "jax", Name: "JAX", Steps: []float64{jax}, Compile: 9, Memory: 800},
		{Key: "torch", Name: "PyTorch", Steps: []float64{torch}, Compile: 9, Memory: 900},
	}}
}

func TestTargets(t *testing.T) {
	post := three("post", 0.9, 2, 0, 2, 1)
	post.Results = append(post.Results, &result{Key: "go-simd", Name: "pure Go", Ours: true, Steps: []float64{0.5}})
	post.Flops, post.Results[0].Matmul = 0.9e9, []float64{1} // 1 GFLOP/s, half of the peak of matrices of size 1000
	r := &report{MatmulSize: 1000, Workloads: []*measured{
		post,
		three("lstm-35", 1, 1, 0, 2, 1.1), three("lstm-280", 1, 1, 0, 0.9, 1.1), three("lstm-1000", 4, 1.2, 700, 5, 5),
		three("lstm-infer", 0.89, 1, 0, 2, 1), three("gru-infer", 0.91, 1, 0, 1, 2),
		three("ugrnn-35", 1, 1, 0, 1, 0.5), three("ugrnn-280", 1.1, 1, 0, 1, 2),
		three("gru-35", 1, 1, 0, 2, 2), three("gru-280", 1, 2, 0, 2, 2), three("gru-1000", 4, 1.4, 1600, 5, 5),
	}}
	for i, m := range []*measured{r.Workloads[3], r.Workloads[10]} { // 330 of 1,000 and 350 of 1,000 beyond the outputs
		m.Outputs, m.Results[0].Plan = 100, 1100
		m.Results = append(m.Results, &result{Key: "xla-recompute", Ours: true, Steps: []float64{9}, Memory: 9, Plan: 430 + 20*int64(i)})
	}
	got := outcomes(r)
	for wanted, want := range map[string]target{
		"post: a step takes at most 0.9 × the best peer's":                                           {measured: "0.90 × PyTorch", outcome: "reached"},
		"post: at least 75% of the matmul peak":                                                      {measured: "50%", outcome: "missed"},
		"lstm-35: a step takes no longer than the best peer's":                                       {measured: "0.91 × PyTorch", outcome: "reached"},
		"lstm-280: a step takes no longer than the best peer's":                                      {measured: "1.11 × JAX", outcome: "missed"},
		"lstm: compiles in less than 1.5 s at every T":                                               {measured: "at most 1.20 s", outcome: "reached"},
		"gru: compiles in less than 1.5 s at every T":                                                {measured: "at most 2.00 s", outcome: "missed"},
		"lstm: compiles at T = 1000 in at most 1.3 × the time at T = 35":                             {measured: "1.20 ×", outcome: "reached"},
		"gru: compiles at T = 1000 in at most 1.3 × the time at T = 35":                              {measured: "1.40 ×", outcome: "missed"},
		"lstm-1000: no more memory than the best peer":                                               {measured: "0.88 × JAX", outcome: "reached"},
		"gru-1000: no more memory than the best peer":                                                {measured: "2.00 × JAX", outcome: "missed"},
		"lstm-1000: Recompute needs at most a third of the working memory":                           {measured: "0.33 ×", outcome: "reached"},
		"gru-1000: Recompute needs at most a third of the working memory":                            {measured: "0.35 ×", outcome: "missed"},
		"lstm-infer: one sequence takes at most 0.9 × the best peer's":                               {measured: "0.89 × PyTorch", outcome: "reached"},
		"gru-infer: one sequence takes at most 0.9 × the best peer's":                                {measured: "0.91 × JAX", outcome: "missed"},
		"ugrnn-35: a Scan with a user's cell takes no longer than JAX's lax.scan of the same cell":   {measured: "1.00 ×", outcome: "reached"},
		"ugrnn-280: a Scan with a user's cell takes no longer than JAX's lax.scan of the same cell":  {measured: "1.10 ×", outcome: "missed"},
		"ugrnn-1000: a Scan with a user's cell takes no longer than JAX's lax.scan of the same cell": {measured: "not measured"},
		"post, on pure Go with SIMD: a step takes at most 3 × PyTorch's by hand":                     {measured: "0.50 ×", outcome: "reached"},
	} {
		if want.wanted = wanted; got[wanted] != want {
			t.Errorf("%s: %+v, want %+v", wanted, got[wanted], want)
		}
	}

	// Without peers, or without a workload, nothing can be said.
	r.Workloads[0].Results = r.Workloads[0].Results[:1]
	r.Workloads = r.Workloads[:3]
	for wanted, target := range outcomes(r) {
		if strings.Contains(wanted, "gru") || strings.Contains(wanted, "1000") || strings.HasPrefix(wanted, "post: a step") {
			if target.measured != "not measured" || target.outcome != "" {
				t.Errorf("%+v, want that it was not measured", target)
			}
		}
	}
}
