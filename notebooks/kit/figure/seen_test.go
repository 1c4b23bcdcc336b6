package figure

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

func TestSeen(t *testing.T) {
	s := &Seen{Title: "click a state", X: "t", Asked: 2}
	if _, err := s.PNG(); err == nil {
		t.Error("a figure without states is no error")
	}
	s.Forward = [][]float32{{1, 0, 0}, {1, -1, 0}, {1, 1, 1}}
	s.Backward = [][]float32{{1, 1, 1}, {0, 1, 1}, {0, 0, 1}}
	picture := drawn(t, s, "BIRNN_SEEN")
	// The asked backward state has seen the inputs 2 and 3, which have its colour, and not the first.
	w, h := picture.Bounds().Dx(), picture.Bounds().Dy()
	input := func(i int) bool { return same(picture.At((60+(w*72/96-90)*(2*i-1)/6)*96/72, h-62*96/72), colours[1]) }
	if input(1) || !input(2) || !input(3) {
		t.Errorf("inputs 1, 2 and 3 are marked as seen: %t, %t, %t", input(1), input(2), input(3))
	}
	text, err := json.Marshal(s.chart())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`{"row":1,"seen":[1,2],"t":2,"x":1.8}`, `{"row":2,"seen":[2,3],"t":2,"x":2.2}`, `"value":[{"row":2,"t":2}]`, `{"empty":false,"param":"asked"}`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the chart has no %s:\n%s", want, text)
		}
	}
	if file := os.Getenv("BIRNN_SEEN_CHART"); file != "" { // to look at it
		if err := os.WriteFile(file, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want := "Figure: click a state. Inputs seen by the forward states: 1, 2, 3; by the backward states: 3, 2, 1."
	if got := s.String(); got != want {
		t.Errorf("described as\n%s\nwant\n%s", got, want)
	}
}
