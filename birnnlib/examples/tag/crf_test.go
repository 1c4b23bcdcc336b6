package tag_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"birnn/birnnlib"
	"birnn/birnnlib/examples/tag"
	"birnn/internal/backendtest"
)

// TestCRF learns sequences whose classes are all 0 or all 1, whatever the input. Each time step by itself is uncertain, so
// that the mean cross-entropy is ln 2 at best; a random field learns that neighbours are the same, and is uncertain once for
// the whole sequence: ln 2 / T for each time step.
func TestCRF(t *testing.T) {
	const T = 8
	b := backendtest.Go(t)
	rng := rand.New(rand.NewPCG(1, 2))
	var examples []tag.Example
	for range 200 {
		e := tag.Example{Features: make([][]int32, 2)}
		class := rng.Int32N(2)
		for range T {
			e.Features[0], e.Features[1] = append(e.Features[0], rng.Int32N(5)), append(e.Features[1], 0)
			e.Classes = append(e.Classes, class)
		}
		examples = append(examples, e)
	}
	for _, crf := range []bool{false, true} {
		config := small()
		config.Hidden, config.Lengths, config.Batch, config.Dropout = []birnnlib.Sizes{{Forward: 2, Backward: 2}}, []int{T}, 20*T, 0
		config.Epochs, config.LearningRate, config.CRF = 30, 0.1, crf
		m := newModel(t, b, config)
		if untrained, err := m.Transitions(); err != nil || untrained.A[0][1] != 0 {
			t.Fatalf("untrained: %v, %v", untrained, err)
		}
		if err := m.Train(t.Context(), always(examples), tag.Callbacks{}); err != nil {
			t.Fatal(err)
		}
		all := losses(m)
		got, want := all[len(all)-1], math.Ln2
		if crf {
			want /= T
		}
		if math.Abs(got-want) > 0.1*want {
			t.Errorf("crf %t: the loss is %g, want about %g", crf, got, want)
		}
		transitions, err := m.Transitions()
		if err != nil {
			t.Fatal(err)
		}
		scores, err := m.Scores(t.Context(), examples[:20])
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range scores {
			y, _ := transitions.Decode(o)
			for _, class := range y {
				if crf && class != y[0] {
					t.Errorf("decoded %v", y)
				}
			}
		}
		checkpoints := open(t, t.TempDir())
		if err := checkpoints.Save(m); err != nil {
			t.Fatal(err)
		}
		loaded, _, err := checkpoints.Load(b)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := loaded.Transitions(); err != nil || !reflect.DeepEqual(again, transitions) {
			t.Errorf("crf %t: loaded %v, %v, want %v", crf, again, err, transitions)
		}
	}
	config := small()
	config.CRF = true
	examples[1].Classes[2] = tag.Unknown
	if err := newModel(t, b, config).Train(t.Context(), always(examples), tag.Callbacks{}); err == nil || !strings.Contains(err.Error(), "example 2 is unknown") {
		t.Errorf("an unknown class: %v", err)
	}
}
