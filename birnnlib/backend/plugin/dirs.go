package plugin

import (
	"errors"
	"os"
	"path/filepath"
)

// makeDirs is like os.MkdirAll and returns the directories that it made, innermost first.
func makeDirs(dir string) (made []string, err error) {
	err = os.Mkdir(dir, 0o755)
	if errors.Is(err, os.ErrNotExist) {
		if made, err = makeDirs(filepath.Dir(dir)); err != nil {
			return made, err
		}
		err = os.Mkdir(dir, 0o755)
	}
	switch {
	case err == nil:
		return append([]string{dir}, made...), nil
	case errors.Is(err, os.ErrExist):
		if info, statErr := os.Stat(dir); statErr == nil && info.IsDir() {
			return made, nil
		}
	}
	return made, err
}

// removeEmpty removes directories, innermost first, as far as they are empty.
func removeEmpty(dirs []string) {
	for _, dir := range dirs {
		if os.Remove(dir) != nil {
			return
		}
	}
}
