package birnnlib_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestFromAnotherModule builds and runs a second module that uses the library by the require and replace lines that
// README.md shows.
func TestFromAnotherModule(t *testing.T) {
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, content := range map[string]string{
		"go.mod": "module elsewhere\n\ngo 1.26.5\n\nrequire birnn v0.0.0\n\nreplace birnn => " + root + "\n",
		"go.sum": string(sums),
		"main.go": `package main

import (
	"fmt"

	"birnn/birnnlib"

	"github.com/gomlx/compute/gobackend"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func main() {
	h, err := model.CallOnce(gobackend.GetBackend(), model.NewStore(), func(scope *model.Scope, x *graph.Node) *graph.Node {
		h, _ := birnnlib.New(scope, x, birnnlib.Sizes{Forward: 3, Backward: 2}).OneHot(9).Done()
		return h
	}, [][]int32{{1}, {2}})
	fmt.Println(h.Shape(), err)
}
`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "run", "-mod=mod", ".") // -mod=mod: go.mod above leaves out the indirect requirements
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=")
	output, err := cmd.CombinedOutput()
	if got, want := strings.TrimSpace(string(output)), "(Float32)[2, 1, 5] <nil>"; err != nil || got != want {
		t.Errorf("go run printed\n%s\n%v, want %s", got, err, want)
	}
}
