package segment_test

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"birnn/birnnlib/examples/segment"
)

func TestScoreByHand(t *testing.T) {
	for _, test := range []struct {
		words, found string
		want         segment.Score
		p, r, f1     float64
	}{
		{"中国 人民", "中国 人民", segment.Score{True: 2, Found: 2, Right: 2}, 1, 1, 1},
		{"中国 人民", "中国人 民", segment.Score{True: 2, Found: 2, Right: 0}, 0, 0, 0},
		{"中国 人民", "中 国 人民", segment.Score{True: 2, Found: 3, Right: 1}, 1. / 3, 0.5, 0.4},
		{"中 国 人民", "中国 人民", segment.Score{True: 3, Found: 2, Right: 1}, 0.5, 1. / 3, 0.4},
		{"人 人 人", "人 人 人", segment.Score{True: 3, Found: 3, Right: 3}, 1, 1, 1}, // each occurrence counts
		{"", "", segment.Score{}, 0, 0, 0},
	} {
		var s segment.Score
		if err := s.Count(strings.Fields(test.words), strings.Fields(test.found)); err != nil {
			t.Fatal(err)
		}
		if s != test.want {
			t.Errorf("%s as %s: %+v, want %+v", test.words, test.found, s, test.want)
		}
		for name, pair := range map[string][2]float64{"precision": {s.Precision(), test.p}, "recall": {s.Recall(), test.r}, "F1": {s.F1(), test.f1}} {
			if math.Abs(pair[0]-pair[1]) > 1e-12 {
				t.Errorf("%s as %s: %s %g, want %g", test.words, test.found, name, pair[0], pair[1])
			}
		}
	}
	var s segment.Score
	if err := s.Count([]string{"中国"}, []string{"中"}); err == nil || !strings.Contains(err.Error(), "two different texts") {
		t.Errorf("another text: error %v", err)
	}
}

// TestScoreAgainstPython compares with another program: see testdata/score.py.
func TestScoreAgainstPython(t *testing.T) {
	blob, err := os.ReadFile("testdata/score.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Words, Found          []string
		Right                 int
		Precision, Recall, F1 float64
	}
	if err := json.Unmarshal(blob, &cases); err != nil || len(cases) != 20 {
		t.Fatalf("%d cases, %v", len(cases), err)
	}
	var all segment.Score
	right := 0
	for i, c := range cases {
		var s segment.Score
		for _, s := range []*segment.Score{&s, &all} {
			if err := s.Count(c.Words, c.Found); err != nil {
				t.Fatal(err)
			}
		}
		right += c.Right
		if s.Right != c.Right || math.Abs(s.Precision()-c.Precision)+math.Abs(s.Recall()-c.Recall)+math.Abs(s.F1()-c.F1) > 1e-12 {
			t.Errorf("case %d: %+v, %s; want %d right, %g, %g, %g", i, s, s, c.Right, c.Precision, c.Recall, c.F1)
		}
	}
	if all.Right != right || right == 0 {
		t.Errorf("%d right in all, want %d", all.Right, right)
	}
}
