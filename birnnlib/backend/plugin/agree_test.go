//go:build cgo && linux && (amd64 || arm64)

package plugin

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/gomlx/go-xla/pjrt"
)

// TestAgreesWithGoXLA has go-xla search among real shared libraries, in a separate process, since it reads the search
// path when it starts.
func TestAgreesWithGoXLA(t *testing.T) {
	if os.Getenv("PLUGIN_TEST_LIST") != "" {
		json.NewEncoder(os.Stdout).Encode(pjrt.AvailablePlugins())
		os.Exit(0)
	}
	cc, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler called cc to make shared libraries")
	}
	a, b := t.TempDir(), t.TempDir()
	source := write(t, []byte("int api; void *GetPjrtApi(void) { return &api; }\n"), a, "plugin.c")
	for _, path := range []string{
		filepath.Join(a, "pjrt_c_api_cpu_v0.1.0_plugin.so"),
		filepath.Join(a, "pjrt_c_api_zeta_plugin.so"),
		filepath.Join(b, "pjrt_c_api_zeta_plugin.so"),
		filepath.Join(b, "pjrt-plugin-beta.so"),
		filepath.Join(b, "pjrt_c_api_cuda_plugin.so"),
	} {
		if out, err := exec.Command(cc, "-shared", "-fPIC", "-o", path, source).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	t.Setenv(SearchPathEnv, a+":"+b)
	list := exec.Command(os.Args[0], "-test.run=^TestAgreesWithGoXLA$")
	list.Env = append(os.Environ(), "PLUGIN_TEST_LIST=1")
	out, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	theirs := map[string]string{}
	if err := json.Unmarshal(out, &theirs); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	ours := map[string]string{}
	for _, f := range Find() {
		name := f.Name
		if f.Version != "" {
			name += "_" + f.Version
		}
		ours[name] = f.Path
	}
	if len(ours) != len(theirs) || len(ours) < 3 {
		t.Errorf("ours %v, go-xla's %v", ours, theirs)
	}
	for name, path := range theirs {
		if ours[name] != path {
			t.Errorf("%s: ours %q, go-xla's %q", name, ours[name], path)
		}
	}
}
