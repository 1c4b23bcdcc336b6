package lesson

import (
	"strings"
	"testing"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

func TestKeep(t *testing.T) {
	t.Setenv("GONB_TMP_DIR", "")
	if err := Save(model.NewStore(), "network"); err == nil {
		t.Error("kept outside of a notebook")
	}
	t.Setenv("GONB_TMP_DIR", t.TempDir())
	if _, err := Load("network"); err == nil || !strings.Contains(err.Error(), "network") {
		t.Errorf("what was never kept gives the error %v", err)
	}
	for _, w := range []float32{1, 2} { // the second replaces the first
		params := model.NewStore()
		if _, err := params.CreateVariable("layer_1/W_xh^f", tensors.FromValue([][]float32{{w, 3}})); err != nil {
			t.Fatal(err)
		}
		if err := Save(params, "network"); err != nil {
			t.Fatal(err)
		}
		got, err := Load("network")
		if err != nil {
			t.Fatal(err)
		}
		if values := tensors.MustCopyFlatData[float32](got.GetVariable("/layer_1/W_xh^f").MustValue()); values[0] != w || values[1] != 3 {
			t.Errorf("kept %g and 3, got back %v", w, values)
		}
	}
}
