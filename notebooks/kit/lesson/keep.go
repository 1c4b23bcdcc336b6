package lesson

import (
	"os"
	"path/filepath"

	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
	"github.com/pkg/errors"
)

// Save keeps the variables of a store for the later cells of the notebook, under a name and in place of what was kept
// under it. They go when the kernel does.
func Save(params *model.Store, name string) error {
	dir, err := kept(name)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return errors.Wrapf(err, "%q cannot be replaced", name)
	}
	defer params.SetLoader(params.Loader()) // the handler makes itself the store's loader
	handler, err := checkpoint.Build(params).Dir(dir).WithCompression(checkpoint.BinUncompressed).Done()
	if err != nil {
		return errors.WithMessagef(err, "%q cannot be kept", name)
	}
	return errors.WithMessagef(handler.Save(), "%q cannot be kept", name)
}

// Load returns what was kept under a name.
func Load(name string) (*model.Store, error) {
	dir, err := kept(name)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(dir); err != nil { // or GoMLX would create it
		return nil, errors.Errorf("nothing is kept as %q; run the cell that trains it first", name)
	}
	params := model.NewStore()
	if _, err := checkpoint.Load(params).Dir(dir).Immediate().Done(); err != nil {
		return nil, errors.WithMessagef(err, "what is kept as %q cannot be read", name)
	}
	params.SetLoader(nil)
	return params, nil
}

// kept is where something is kept: in a folder that GoNB removes when the kernel ends.
func kept(name string) (string, error) {
	dir := os.Getenv("GONB_TMP_DIR")
	if dir == "" {
		return "", errors.New("things are kept between the cells of a notebook, and this is none: GONB_TMP_DIR is not set")
	}
	return filepath.Join(dir, "kept", name), nil
}
