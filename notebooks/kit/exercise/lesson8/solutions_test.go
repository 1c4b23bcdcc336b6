package lesson8

import (
	"context"
	"log"
	"strings"

	"birnn/birnnlib/examples/infill"
	"birnn/birnnlib/examples/segment"
)

// The solutions, as in the notebook.

func bmes(words []string) (letters string) {
	for _, word := range words {
		if n := len([]rune(word)); n == 1 {
			letters += "S"
		} else {
			letters += "B" + strings.Repeat("M", n-2) + "E"
		}
	}
	return letters
}

func spans(words []string) map[[2]int]bool {
	all, at := map[[2]int]bool{}, 0
	for _, word := range words {
		end := at + len([]rune(word))
		all[[2]int{at, end}] = true
		at = end
	}
	return all
}

func f1(words, found []string) float64 {
	right, isWord := 0.0, spans(words)
	for span := range spans(found) {
		if isWord[span] {
			right++
		}
	}
	return 2 * right / float64(len(words)+len(found))
}

func rightAt(m *infill.Model, lines []string, first bool) float64 {
	right := 0.0
	for _, line := range lines {
		characters := []rune(line)
		t := 0
		if !first {
			t = len(characters) - 1
		}
		if must(m.Fill(context.Background(), 1, hideOne(line, t)))[0][0][0].Character == characters[t] {
			right++
		}
	}
	return right / float64(len(lines))
}

func greedy(scores [][]float32) (tags []segment.Tag) {
	opened := false
	for _, row := range scores {
		a, b := segment.Begin, segment.Single
		if opened {
			a, b = segment.Middle, segment.End
		}
		if row[b] > row[a] {
			a = b
		}
		tags = append(tags, a)
		opened = a == segment.Begin || a == segment.Middle
	}
	return tags
}

func better() segment.Config {
	config := segment.Lesson()
	config.Bigrams, config.MinBigram = 16, 3
	return config
}

// What the lesson declares, and rightAt uses.

func must[T any](result T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return result
}

func hideOne(line string, t int) string {
	characters := []rune(line)
	characters[t] = infill.Gap
	return string(characters)
}
