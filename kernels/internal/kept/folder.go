package kept

import (
	"fmt"
	"os"
	"path/filepath"
)

// Environment variables that name the directories, for the programs of cells.
const (
	SessionEnv = "BIRNN_KEEP"
	LastingEnv = "BIRNN_KEEP_LASTING"
)

// SessionFolder returns the directory of the values that are kept until the kernel ends: $BIRNN_KEEP, if set, or a
// directory in GoNB's temporary directory. It is empty outside a notebook.
func SessionFolder() string {
	if dir := os.Getenv(SessionEnv); dir != "" {
		return dir
	}
	if gonb := os.Getenv("GONB_TMP_DIR"); gonb != "" {
		return filepath.Join(gonb, "keep")
	}
	return ""
}

// LastingFolder returns the directory of lasting values: $BIRNN_KEEP_LASTING, if set, or a directory in the user's
// cache directory for GoNB's directory, outside a notebook for the working directory.
func LastingFolder() (string, error) {
	if dir := os.Getenv(LastingEnv); dir != "" {
		return dir, nil
	}
	of := os.Getenv("GONB_DIR")
	if of == "" {
		of = "."
	}
	of, err := filepath.Abs(of)
	if err != nil {
		return "", err
	}
	return LastingFolderOf(of)
}

// LastingFolderOf returns the LastingFolder of the notebooks in the directory of, an absolute path.
func LastingFolderOf(of string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; name a directory for lasting values in the environment variable %s", err, LastingEnv)
	}
	return filepath.Join(cache, "birnn", "kept", base(filepath.Base(of)+"\x00"+of)), nil
}
