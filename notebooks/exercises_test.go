package notebooks

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The tags of cells that belong to an exercise: the one to start from, and the one that checks the answer. The second
// also has the tag "raises-exception", so that running all cells continues if the check fails.
const (
	exerciseStart = "exercise"
	exerciseCheck = "exercise-check"
)

// ExecutedEnv is the environment variable that names the folder of `kernels run -o`: TestExercises and TestFresh check
// the notebooks there instead of the committed ones. .ci/run sets it.
const ExecutedEnv = "BIRNN_EXECUTED"

// TestExercises checks the outputs of executed notebooks: each check of an exercise fails with the cell to start from
// and passes with its solution.
func TestExercises(t *testing.T) {
	root := "."
	if dir := os.Getenv(ExecutedEnv); dir != "" {
		root = dir
	}
	for _, name := range solutions(t) {
		for _, lang := range []string{"zh", "en"} {
			if _, err := os.Stat(filepath.Join(root, lang, name)); err != nil && root != "." {
				continue // not executed
			}
			lesson := filepath.Join(root, lang, filepath.Base(name))
			if _, err := os.Stat(lesson); err != nil {
				lesson = filepath.Join(lang, filepath.Base(name)) // as committed
			}
			asked, solved := checks(t, lesson), checks(t, filepath.Join(root, lang, name))
			if len(asked) < 3 {
				t.Errorf("%s has %d exercises with a check, want at least 3", lesson, len(asked))
			}
			for id, failed := range asked {
				if !failed {
					t.Errorf("%s: the check %s passes before anything is solved", lesson, id)
				}
				if failed, ok := solved[id]; !ok || failed {
					t.Errorf("%s: the check %s is missing or fails with the solution", filepath.Join(root, lang, name), id)
				}
			}
			for id := range solved {
				if _, ok := asked[id]; !ok {
					t.Errorf("%s: the check %s is not in the lesson", filepath.Join(root, lang, name), id)
				}
			}
		}
	}
}

// checks reports for each cell that checks an exercise whether it failed.
func checks(t *testing.T, path string) map[string]bool {
	failed := map[string]bool{}
	starts := 0
	for _, cell := range read(t, path).Cells {
		if slices.Contains(cell.Meta.Tags, exerciseStart) {
			starts++
		}
		if !slices.Contains(cell.Meta.Tags, exerciseCheck) {
			continue
		}
		if !slices.Contains(cell.Meta.Tags, "raises-exception") {
			t.Errorf("%s: the check %s would stop a run of all cells: it lacks the tag raises-exception", path, cell.ID)
		}
		if len(cell.Outputs) == 0 {
			t.Errorf("%s: the check %s was not run", path, cell.ID)
		}
		failed[cell.ID] = slices.ContainsFunc(cell.Outputs, func(o output) bool { return o.Type == "error" })
	}
	if starts != len(failed) {
		t.Errorf("%s has %d cells to start from and %d checks", path, starts, len(failed))
	}
	return failed
}
