package segment_test

import (
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"os"
	"strings"
	"testing"

	"birnn/birnnlib/examples/segment"
)

// TestPanics: what does not fit together is named before anything is computed.
func TestPanics(t *testing.T) {
	row := make([]float32, segment.Tags)
	for want, call := range map[string]func(){
		"Words got 2 characters and 1 tags":      func() { segment.Words([]rune("马上"), []segment.Tag{segment.Single}) },
		"Likeliest got 3 scores for character 2": func() { segment.Likeliest([][]float32{row, row[:3]}) },
		"Decode got 0 scores for character 1":    func() { segment.Decode([][]float32{nil}) },
		"2 characters, scores for 1 and tags for 2": func() {
			_ = segment.View{Text: "马上", Scores: [][]float32{row}, Tags: make([]segment.Tag, 2)}.String()
		},
		"View got 5 scores for character 1": func() {
			_ = segment.View{Text: "马", Scores: [][]float32{append(row, 0)}, Tags: make([]segment.Tag, 1)}.HTML()
		},
		"tag of character 1 in a View is 4": func() { _ = segment.View{Text: "马", Scores: [][]float32{row}, Tags: []segment.Tag{4}}.HTML() },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
					t.Errorf("panic %v, want one that says %q", r, want)
				}
			}()
			call()
		}()
	}
}

func TestView(t *testing.T) {
	row := func(p ...float64) (r []float32) {
		for _, p := range p {
			r = append(r, float32(math.Log(p)))
		}
		return r
	}
	v := segment.View{
		Caption: "both", Text: "马上<来",
		Scores: [][]float32{row(0.9, 0.01, 0.02, 0.07), row(0.02, 0.01, 0.57, 0.4), row(0.01, 0.01, 0.01, 0.97), row(0.25, 0.25, 0.25, 0.25)},
		Tags:   []segment.Tag{segment.Begin, segment.End, segment.Single, segment.Single},
	}
	if got, want := v.String(), "both: 马上 < 来\n马 B 90%  上 E 57%  < S 97%  来 S 25%"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	page := v.HTML()
	if file := os.Getenv("BIRNN_VIEW"); file != "" { // to look at it
		if err := os.WriteFile(file, []byte(`<meta charset="utf-8"><body style="background:#111;color:#eee">`+page), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	// It is well formed, and has a cell for each character and tag.
	cells, d := 0, xml.NewDecoder(strings.NewReader("<x>"+page+"</x>"))
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, page)
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "td" {
			cells++
		}
	}
	if cells != 16 {
		t.Errorf("%d cells, want 16", cells)
	}
	for _, want := range []string{"[90%]", "[57%]", "40%", "&lt;", "double"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	v.Show() // no notebook: nothing happens
}
