package crf_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"birnn/birnnlib/examples/crf"
	"birnn/internal/backendtest"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// field is a random field with n random sequences of up to T time steps.
type field struct {
	crf.Transitions
	o       [][][]float32 // [T, n, q]
	y       [][]int32     // [T, n]
	lengths []int32
}

// random returns a random field; its sequences have the lengths T, 0, 1, …
func random(seed uint64, T, n, q int) field {
	rng := rand.New(rand.NewPCG(seed, 0))
	f := field{Transitions: crf.Transitions{Start: make([]float64, q), End: make([]float64, q)}}
	for i := range q {
		f.Start[i], f.End[i] = rng.NormFloat64(), rng.NormFloat64()
		f.A = append(f.A, make([]float64, q))
		for j := range q {
			f.A[i][j] = rng.NormFloat64()
		}
	}
	for range T {
		var scores [][]float32
		var tags []int32
		for range n {
			row := make([]float32, q)
			for j := range row {
				row[j] = float32(rng.NormFloat64())
			}
			scores, tags = append(scores, row), append(tags, rng.Int32N(int32(q)))
		}
		f.o, f.y = append(f.o, scores), append(f.y, tags)
	}
	for i := range n {
		f.lengths = append(f.lengths, int32((T+i)%(T+1)))
	}
	return f
}

// scores returns the scores of sequence i, [T, q], without padding.
func (f field) scores(i int) (o [][]float32) {
	for t := range f.lengths[i] {
		o = append(o, f.o[t][i])
	}
	return o
}

// each calls do for every sequence of tags y of the scores o [T, q], with s(y).
func (f field) each(o [][]float32, do func(y []int32, score float64)) {
	q := len(f.Start)
	all := 1
	for range o {
		all *= q
	}
	for code := range all {
		var y []int32
		s := 0.0
		for t := range o {
			y = append(y, int32(code%q))
			code /= q
			s += float64(o[t][y[t]])
			if t > 0 {
				s += f.A[y[t-1]][y[t]]
			}
		}
		if len(y) > 0 {
			s += f.Start[y[0]] + f.End[y[len(y)-1]]
		}
		do(y, s)
	}
}

// store returns a store with the parameters in its root scope.
func (f field) store(t *testing.T) *model.Store {
	t.Helper()
	s := model.NewStore()
	for name, values := range map[string]any{"A": f.A, "start": f.Start, "end": f.End} {
		value, err := tensors.FromAnyValue(values)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.CreateVariable(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// wide returns all scores as float64, [T, n, q].
func (f field) wide() (o [][][]float64) {
	for _, step := range f.o {
		var rows [][]float64
		for _, row := range step {
			var r []float64
			for _, x := range row {
				r = append(r, float64(x))
			}
			rows = append(rows, r)
		}
		o = append(o, rows)
	}
	return o
}

// TestEnumeration compares log Z, s(y), the likelihood and the probabilities of the tags, which are the gradient of log Z,
// with sums over all sequences of tags.
func TestEnumeration(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		for seed, shape := range [][3]int{{6, 8, 3}, {1, 3, 2}, {2, 3, 4}, {5, 6, 1}} {
			f := random(uint64(seed), shape[0], shape[1], shape[2])
			got, err := model.CallOnceN(b, f.store(t), func(scope *model.Scope, inputs []*Node) []*Node {
				o, y, lengths := inputs[0], inputs[1], inputs[2]
				logZ := crf.LogZ(scope, o, lengths)
				return []*Node{logZ, crf.Score(scope, o, y, lengths), crf.NegativeLogLikelihood(scope, o, y, lengths), Gradient(ReduceAllSum(logZ), o)[0]}
			}, f.wide(), f.y, f.lengths)
			if err != nil {
				t.Fatal(err)
			}
			logZ, scores, nll := got[0].Value().([]float64), got[1].Value().([]float64), got[2].Value().([]float64)
			marginals := got[3].Value().([][][]float64)
			for i, length := range f.lengths {
				var Z, score float64
				p := make([][]float64, len(f.o)) // [T, q]
				for step := range p {
					p[step] = make([]float64, len(f.Start))
				}
				f.each(f.scores(i), func(y []int32, s float64) {
					Z += math.Exp(s)
					for step, k := range y {
						p[step][k] += math.Exp(s)
					}
					same := true
					for step, k := range y {
						same = same && k == f.y[step][i]
					}
					if same {
						score = s
					}
				})
				near := func(what string, got, want float64) {
					if !(math.Abs(got-want) <= 1e-12*(1+math.Abs(want))) {
						t.Errorf("shape %v, length %d: %s is %g, want %g", shape, length, what, got, want)
					}
				}
				near("log Z", logZ[i], math.Log(Z))
				near("the score", scores[i], score)
				near("the likelihood", nll[i], math.Log(Z)-score)
				for step := range p {
					for k := range p[step] {
						near("the probability of a tag", marginals[step][i][k], p[step][k]/Z)
					}
				}
			}
		}
	})
}

// TestGradient compares the gradient with respect to the parameters with finite differences.
func TestGradient(t *testing.T) {
	const ε = 1e-5
	b := backendtest.Go(t)
	f := random(7, 5, 4, 3)
	loss := func() float64 {
		value, err := model.CallOnce(b, f.store(t), func(scope *model.Scope, o, y, lengths *Node) *Node {
			return ReduceAllSum(crf.NegativeLogLikelihood(scope, o, y, lengths))
		}, f.wide(), f.y, f.lengths)
		if err != nil {
			t.Fatal(err)
		}
		return tensors.ToScalar[float64](value)
	}
	got, err := model.CallOnceN(b, f.store(t), func(scope *model.Scope, inputs []*Node) []*Node {
		l := ReduceAllSum(crf.NegativeLogLikelihood(scope, inputs[0], inputs[1], inputs[2]))
		var parameters []*Node
		for _, name := range []string{"A", "start", "end"} {
			parameters = append(parameters, scope.GetVariable(name).NodeValue(l.Graph()))
		}
		return Gradient(l, parameters...)
	}, f.wide(), f.y, f.lengths)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, got float64, parameter *float64) {
		before := *parameter
		*parameter = before + ε
		up := loss()
		*parameter = before - ε
		down := loss()
		*parameter = before
		if want := (up - down) / (2 * ε); math.Abs(got-want) > 1e-8 {
			t.Errorf("the gradient of %s is %g, by differences %g", name, got, want)
		}
	}
	A := got[0].Value().([][]float64)
	for i := range A {
		for j := range A[i] {
			check("A", A[i][j], &f.A[i][j])
		}
	}
	for i := range f.Start {
		check("start", got[1].Value().([]float64)[i], &f.Start[i])
		check("end", got[2].Value().([]float64)[i], &f.End[i])
	}
}

// TestDecode compares the best tags with all others.
func TestDecode(t *testing.T) {
	for seed := range uint64(30) {
		f := random(seed, 1+int(seed)%6, 1, 1+int(seed)%4)
		if seed%3 == 0 {
			f.A[0][len(f.Start)-1] = math.Inf(-1)
		}
		o := f.scores(0)
		best, most := []int32(nil), math.Inf(-1)
		f.each(o, func(y []int32, s float64) {
			if s > most {
				best, most = y, s
			}
		})
		got, score := f.Decode(o)
		if !slices.Equal(got, best) || math.Abs(score-most) > 1e-9 {
			t.Errorf("seed %d: %v with %g, want %v with %g", seed, got, score, best, most)
		}
	}
	forbidden := crf.Zero(2)
	for i := range forbidden.Start {
		forbidden.Start[i] = math.Inf(-1)
	}
	if y, score := forbidden.Decode([][]float32{{1, 2}, {3, 4}}); len(y) != 2 || !math.IsInf(score, -1) {
		t.Errorf("all are forbidden: %v, %g", y, score)
	}
	if y, score := random(1, 1, 1, 2).Decode(nil); y != nil || score != 0 {
		t.Errorf("without time steps: %v, %g", y, score)
	}
}

// TestRead reads the parameters that a graph has made.
func TestRead(t *testing.T) {
	b, store := backendtest.Go(t), model.NewStore()
	if _, err := crf.Read(store.RootScope()); err == nil {
		t.Error("an empty scope has parameters")
	}
	if _, err := model.CallOnce(b, store, crf.LogZ, [][][]float32{{{1, 2, 3}}}, []int32{1}); err != nil {
		t.Fatal(err)
	}
	got, err := crf.Read(store.RootScope())
	if err != nil || len(got.A) != 3 || len(got.A[2]) != 3 || len(got.Start) != 3 || len(got.End) != 3 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestReadFaults checks that Read names what is wrong with the parameters.
func TestReadFaults(t *testing.T) {
	for want, f := range map[string]field{
		"A has 2 entries, start 2 and end 2": {Transitions: crf.Transitions{A: [][]float64{{1, 2}}, Start: []float64{1, 2}, End: []float64{1, 2}}},
		"A has 4 entries, start 2 and end 1": {Transitions: crf.Transitions{A: [][]float64{{1, 2}, {3, 4}}, Start: []float64{1, 2}, End: []float64{1}}},
	} {
		if _, err := crf.Read(f.store(t).RootScope()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// TestWrongShapes checks that arguments that do not fit are named.
func TestWrongShapes(t *testing.T) {
	b := backendtest.Go(t)
	empty := model.NewStore
	for name, test := range map[string]struct {
		store  func() *model.Store
		inputs []any
		want   string
	}{
		"scores":     {empty, []any{[][]float32{{1}}, [][]int32{{0}}, []int32{1}}, "must be floats [T, n, q] and integers [n]"},
		"lengths":    {empty, []any{[][][]float32{{{1}}}, [][]int32{{0}}, []int32{1, 1}}, "must be floats [T, n, q] and integers [n]"},
		"tags":       {empty, []any{[][][]float32{{{1}}}, [][]int32{{0, 0}}, []int32{1}}, "must be integers [T, n] and floats [T, n, q]"},
		"floats":     {empty, []any{[][][]int32{{{1}}}, [][]int32{{0}}, []int32{1}}, "must be floats [T, n, q] and integers [n]"},
		"parameters": {func() *model.Store { return random(1, 1, 1, 2).store(t) }, []any{[][][]float64{{{1, 2, 3}}}, [][]int32{{0}}, []int32{1}}, "the parameter A is (Float64)[2, 2]"},
	} {
		_, err := model.CallOnce(b, test.store(), crf.NegativeLogLikelihood, test.inputs...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func ExampleTransitions_Decode() {
	// By itself, the second time step would take tag 0; but tag 0 may not follow itself.
	tr := crf.Zero(2)
	o := [][]float32{{3, 0}, {1, 0.5}}
	fmt.Println(tr.Decode(o))
	tr.A[0][0] = math.Inf(-1)
	fmt.Println(tr.Decode(o))
	// Output:
	// [0 0] 4
	// [0 1] 3.5
}
