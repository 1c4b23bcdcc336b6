package jupyter

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Languages are the languages of the lessons, each a folder.
var Languages = []string{"zh", "en"}

// LessonsDir returns the folder of the notebooks.
func LessonsDir(root string) string { return filepath.Join(root, "notebooks") }

// Lessons returns the paths of all lessons, language by language, in order.
func Lessons(root string) ([]string, error) {
	var all []string
	for _, language := range Languages {
		found, err := lessonsIn(root, language)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// FirstLesson returns the first lesson in a language, or "".
func FirstLesson(root, language string) string {
	found, _ := lessonsIn(root, language)
	if len(found) == 0 {
		return ""
	}
	return found[0]
}

// lessonsIn returns the paths of the lessons in a language, in order.
func lessonsIn(root, language string) ([]string, error) {
	found, err := filepath.Glob(filepath.Join(LessonsDir(root), language, "*.ipynb"))
	slices.Sort(found)
	return found, err
}

// LessonLanguage returns the language asked for; if asked is empty, Chinese in a Chinese locale and English otherwise.
func LessonLanguage(asked string, getenv func(string) string) (string, error) {
	if asked != "" {
		if !slices.Contains(Languages, asked) {
			return "", fmt.Errorf("no lessons in %q; the languages are %s", asked, strings.Join(Languages, " and "))
		}
		return asked, nil
	}
	for _, variable := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if locale := getenv(variable); locale != "" {
			if strings.HasPrefix(strings.ToLower(locale), "zh") {
				return "zh", nil
			}
			return "en", nil
		}
	}
	return "en", nil
}

// importLine matches an import, alone or in a block.
var importLine = regexp.MustCompile(`(?m)^\s*(?:import\s+)?(?:[._\pL][\pL\d_]*\s+|\.\s+)?"([\w./~-]+)"\s*(?://.*)?$`)

// Imports returns the packages that the code cells of notebooks import, without those of the standard library.
func Imports(notebooks []string) ([]string, error) {
	var all []string
	for _, path := range notebooks {
		cells, err := codeCells(path)
		if err != nil {
			return nil, err
		}
		for _, code := range cells {
			for _, match := range importLine.FindAllStringSubmatch(code, -1) {
				first, _, _ := strings.Cut(match[1], "/")
				if strings.Contains(first, ".") || first == "birnn" {
					all = append(all, match[1])
				}
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

func codeCells(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var notebook struct {
		Cells []struct {
			Type   string          `json:"cell_type"`
			Source json.RawMessage `json:"source"`
		} `json:"cells"`
	}
	if err := json.Unmarshal(data, &notebook); err != nil {
		return nil, fmt.Errorf("%s is not a notebook: %w", path, err)
	}
	var code []string
	for _, cell := range notebook.Cells {
		if cell.Type != "code" {
			continue
		}
		// The format allows a string or a list of lines.
		var lines []string
		if json.Unmarshal(cell.Source, &lines) != nil {
			lines = make([]string, 1)
			if err := json.Unmarshal(cell.Source, &lines[0]); err != nil {
				return nil, fmt.Errorf("%s: the source of a cell is neither a string nor a list of strings: %w", path, err)
			}
		}
		code = append(code, strings.Join(lines, ""))
	}
	return code, nil
}
