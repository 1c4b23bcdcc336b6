package segment

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"birnn/birnnlib/examples/text"
)

// Line is a line of a segmented corpus, usually a paragraph: its words, punctuation marks among them.
type Line []string

// Text returns the line as it was before it was segmented.
func (l Line) Text() string { return strings.Join(l, "") }

// Read reads a segmented corpus: UTF-8, a paragraph a line, the words of a line between spaces. Empty lines are left out.
//
// In the People's Daily, each word is followed by a slash and its part of speech, as in 新年/t; such endings are cut off if
// every word of the first line has one.
func Read(path string) ([]Line, error) {
	if path == "" {
		return nil, errors.New("segment: the path of the corpus is empty; give that of a text file with spaces between the words")
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("segment: no corpus %s; check the path: %w", path, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("segment: cannot open the corpus: %w", err)
	}
	defer file.Close()
	return ReadFrom(file, path)
}

// longestLine bounds a line of a corpus, in bytes.
const longestLine = 1 << 20

// tagged is a word with its part of speech.
var tagged = regexp.MustCompile(`^(.+)/[A-Za-z]+$`)

// ReadFrom is [Read] for a corpus from r. Errors call it by the name.
func ReadFrom(r io.Reader, name string) (lines []Line, err error) {
	if r == nil {
		return nil, fmt.Errorf("segment: the reader of the corpus %s is nil; open a file, or use Read with its path", name)
	}
	scanner := bufio.NewScanner(r)
	scanner.Buffer(nil, longestLine)
	number, withTags := 0, false
	for scanner.Scan() {
		number++
		if err := text.CheckUTF8(scanner.Text()); err != nil {
			return nil, fmt.Errorf("segment: line %d of %s is %w", number, name, err)
		}
		content := strings.TrimPrefix(scanner.Text(), "\ufeff")
		line := Line(strings.Fields(content))
		if len(line) == 0 {
			continue
		}
		if lines == nil {
			withTags = allTagged(line)
		}
		for i, word := range line {
			if !withTags {
				break
			}
			m := tagged.FindStringSubmatch(word)
			if m == nil {
				return nil, fmt.Errorf("segment: line %d of %s: word %d is %q; it needs a part of speech, as in 新年/t, like the words before it", number, name, i+1, word)
			}
			line[i] = m[1]
		}
		lines = append(lines, line)
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("segment: %s cannot be read after line %d: %w; give a text file with a paragraph of at most %d bytes a line", name, number, err, longestLine)
	}
	if lines == nil {
		return nil, fmt.Errorf("segment: the corpus %s is empty; give a text file with spaces between the words", name)
	}
	return lines, nil
}

func allTagged(line Line) bool {
	for _, word := range line {
		if !tagged.MatchString(word) {
			return false
		}
	}
	return true
}

// Split keeps every tenth line, the tenth, the twentieth and so on, for the test, and returns the others to learn from.
func Split(lines []Line) (train, test []Line) {
	for i, line := range lines {
		if i%10 == 9 {
			test = append(test, line)
		} else {
			train = append(train, line)
		}
	}
	return train, test
}
