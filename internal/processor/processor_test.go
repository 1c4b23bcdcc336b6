package processor

import (
	"os"
	"strings"
	"testing"
)

func TestModel(t *testing.T) {
	info, _ := os.ReadFile("/proc/cpuinfo")
	model := Model()
	if named := strings.Contains(string(info), "model name"); named != (model != "") || !strings.Contains(string(info), model) {
		t.Errorf("the model is %q", model)
	}
}
