package lesson

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
)

// Save keeps the variables of a store for the later cells of the notebook, and replaces what it kept under the same name.
// They are removed when the kernel ends.
func Save(params *model.Store, name string) error {
	dir, err := kept(name)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("cannot replace %q: %w", name, err)
	}
	defer params.SetLoader(params.Loader()) // the handler makes itself the store's loader
	handler, err := checkpoint.Build(params).Dir(dir).WithCompression(checkpoint.BinUncompressed).Done()
	if err == nil {
		err = handler.Save()
	}
	if err != nil {
		return fmt.Errorf("cannot keep %q: %w", name, err)
	}
	return nil
}

// Load returns what [Save] kept under a name.
func Load(name string) (*model.Store, error) {
	dir, err := kept(name)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil { // or GoMLX would create it
		return nil, fmt.Errorf("nothing is kept as %q; run the cell that trains it first", name)
	}
	params := model.NewStore()
	if _, err := checkpoint.Load(params).Dir(dir).Immediate().Done(); err != nil {
		return nil, fmt.Errorf("cannot read what is kept as %q: %w", name, err)
	}
	params.SetLoader(nil)
	return params, nil
}

// kept returns the directory for a name, in a folder that GoNB removes when the kernel ends.
func kept(name string) (string, error) {
	dir := os.Getenv("GONB_TMP_DIR")
	if dir == "" {
		return "", errors.New("lesson.Save works only in a GoNB notebook (GONB_TMP_DIR is not set)")
	}
	return filepath.Join(dir, "kept", name), nil
}
