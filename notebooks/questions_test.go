package notebooks

import (
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// numbered matches the items of a numbered list.
var numbered = regexp.MustCompile(`(?m)^(\d+)\. \S`)

// TestQuestions checks that ten questions follow the last exercise of every lesson, and that its solutions end with ten answers.
func TestQuestions(t *testing.T) {
	headings := map[string][2]string{
		"zh": {"## 十个问题\n", "## 十个问题：答案\n"},
		"en": {"## Ten questions\n", "## Ten questions: the answers\n"},
	}
	for _, name := range lessons(t) {
		if strings.HasPrefix(name, "00-") {
			continue // lesson 0 has neither exercises nor questions
		}
		lesson := "lesson" + strings.TrimLeft(name[:2], "0")
		for lang, heading := range headings {
			path := filepath.Join(lang, name)
			cells, at, last := read(t, path).Cells, -1, -1
			for i, c := range cells {
				if c.ID == lesson+"-questions-text" {
					at = i
				}
				if strings.HasPrefix(c.ID, lesson+"-exercise-") {
					last = i
				}
			}
			if at < 0 || at != last+1 {
				t.Errorf("%s: the questions do not follow the last exercise", path)
				continue
			}
			tenItems(t, path, cells[at], heading[0])
			if link := "](solutions/" + name + ")"; !strings.Contains(string(cells[at].Source), link) {
				t.Errorf("%s: the questions do not say where their answers are: %s", path, link)
			}

			path = filepath.Join(lang, "solutions", name)
			cells = read(t, path).Cells
			answers := cells[len(cells)-1]
			if answers.ID != lesson+"-answers-text" {
				t.Errorf("%s ends with the cell %s, want the answers", path, answers.ID)
			}
			tenItems(t, path, answers, heading[1])
		}
	}
}

// tenItems checks that a text begins with a heading and has the items 1 to 10, in this order.
func tenItems(t *testing.T, path string, c *cell, heading string) {
	t.Helper()
	if c.Type != "markdown" || !strings.HasPrefix(string(c.Source), heading) {
		t.Errorf("%s: the cell %s does not begin with %q", path, c.ID, heading)
	}
	items := numbered.FindAllStringSubmatch(string(c.Source), -1)
	for i, item := range items {
		if item[1] != strconv.Itoa(i+1) {
			t.Errorf("%s: item %d of the cell %s has the number %s", path, i+1, c.ID, item[1])
		}
	}
	if len(items) != 10 {
		t.Errorf("%s: the cell %s has %d items, want 10", path, c.ID, len(items))
	}
}
