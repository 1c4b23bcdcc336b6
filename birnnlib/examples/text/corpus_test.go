package text

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func ExampleCorpus() {
	vocab, err := NewVocabulary(Corpus(10_000))
	if err != nil {
		fmt.Println(err)
		return
	}
	indices, err := vocab.Encode(Corpus(10_000))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(Corpus(16))
	fmt.Println(len(indices), ConsecutiveBatches(len(indices), 32, 35))
	// Output:
	// 末班渡轮 码头的灯 一盏一盏收进
	// 10000 8
}

// TestCorpus checks that the embedded text is enough for the exercise, and
// that it is a text: refrains recur, but it is no block copied over and over.
func TestCorpus(t *testing.T) {
	if got := utf8.RuneCountInString(corpus); got < 10_500 {
		t.Errorf("%d characters, want at least 10500", got)
	}
	head := Corpus(10_000)
	if got := utf8.RuneCountInString(head); got != 10_000 {
		t.Fatalf("Corpus(10000) has %d characters", got)
	}
	vocab, err := NewVocabulary(head)
	if err != nil {
		t.Fatal(err)
	}
	if got := vocab.Size(); got < 760 {
		t.Errorf("%d distinct characters in the first 10,000, want at least 760", got)
	}
	for _, prefix := range []string{"分", "开", "不", "分开", "不分开"} {
		if got := strings.Count(head, prefix); got < 10 {
			t.Errorf("%s is there %d times in the first 10,000 characters, want at least 10", prefix, got)
		}
	}

	lines, distinct := 0, map[string]bool{}
	for line := range strings.Lines(corpus) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" {
			continue // between songs
		}
		lines++
		distinct[line] = true
		if strings.TrimSpace(line) != line || strings.Contains(line, "  ") {
			t.Errorf("spaces to spare in %q", line)
		}
		for _, char := range line {
			if char != ' ' && !unicode.Is(unicode.Han, char) {
				t.Errorf("%q in %q: want Chinese characters and spaces only", char, line)
			}
		}
	}
	if 100*len(distinct) < 85*lines {
		t.Errorf("%d of %d lines are distinct, want at least 85%%", len(distinct), lines)
	}
}

func TestCorpusNewlines(t *testing.T) {
	all := Corpus(0)
	if strings.ContainsAny(all, "\r\n") {
		t.Error("there are newlines in it")
	}
	if got, want := utf8.RuneCountInString(all), utf8.RuneCountInString(corpus); got != want {
		t.Errorf("%d characters, want %d: each newline becomes one space", got, want)
	}
	read, err := ReadFrom(strings.NewReader(corpus), "corpus.txt", 0)
	if err != nil || read != all {
		t.Errorf("ReadFrom makes another text of it (error %v)", err)
	}
}
