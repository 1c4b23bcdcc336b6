package kept

import (
	"fmt"
	"os"
	"path/filepath"
)

// Environment variables that name the folders, for the programs of cells.
const (
	SessionEnv = "BIRNN_KEEP"
	LastingEnv = "BIRNN_KEEP_LASTING"
)

// SessionFolder is where a cell keeps values until the kernel ends: $BIRNN_KEEP, else within GoNB's temporary directory;
// empty outside a notebook.
func SessionFolder() string {
	if dir := os.Getenv(SessionEnv); dir != "" {
		return dir
	}
	if gonb := os.Getenv("GONB_TMP_DIR"); gonb != "" {
		return filepath.Join(gonb, "keep")
	}
	return ""
}

// LastingFolder is where values are kept beyond that: $BIRNN_KEEP_LASTING, else a folder in the user's cache directory
// that belongs to GoNB's directory or the working directory.
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

// LastingFolderOf is LastingFolder for the notebooks in the directory of, an absolute path.
func LastingFolderOf(of string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("%w; say where to keep lasting values in the environment variable %s", err, LastingEnv)
	}
	return filepath.Join(cache, "birnn", "kept", base(filepath.Base(of)+"\x00"+of)), nil
}
