package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDraw(t *testing.T) {
	path := filepath.Join(t.TempDir(), "times.svg")
	if err := sample().draw(path); err != nil {
		t.Fatal(err)
	}
	svg, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"<svg ", ">The post<", ">birnnlib on XLA: 50.0 ms, × 1.00<", ">JAX: 100.0 ms, × 2.00<", ">10<", "</svg>"} {
		if !strings.Contains(string(svg), want) {
			t.Errorf("the picture lacks %q:\n%s", want, svg)
		}
	}
}

func TestTicks(t *testing.T) {
	var got []string
	for _, tick := range (milliseconds{}).Ticks(1, 30) {
		got = append(got, tick.Label)
	}
	if want := "1,,,10,"; strings.Join(got, ",") != want {
		t.Errorf("the labels are %q, want %q", strings.Join(got, ","), want)
	}
}
