package plugin

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// cudaIndex is a small PyPI for go-xla's installer, with one of NVIDIA's libraries and the plugin.
func cudaIndex(t *testing.T, plugin []byte) http.Handler {
	t.Helper()
	mux := http.NewServeMux()
	publish := func(name string, requires []string, files map[string][]byte) {
		wheel := zipFile(t, files)
		mux.HandleFunc("/pypi/"+name+"/json", func(w http.ResponseWriter, _ *http.Request) {
			json.NewEncoder(w).Encode(map[string]any{
				"info": map[string]any{"version": "1.0", "author_email": "jax-dev@google.com", "requires_dist": requires},
				"releases": map[string]any{"1.0": []any{map[string]any{
					"packagetype": "bdist_wheel", "filename": name + "-1.0-py3-none-manylinux_2_27_x86_64.whl",
					"url": "https://files.invalid/" + name, "digests": map[string]string{"sha256": sha(wheel)},
				}}},
			})
		})
		mux.HandleFunc("/"+name, func(w http.ResponseWriter, _ *http.Request) { w.Write(wheel) })
	}
	publish("jax-cuda13-plugin", []string{"jax-cuda13-pjrt==1.0", "nvidia-cublas<2.0,>=1.0 ; extra == 'with-cuda'"}, nil)
	publish("nvidia-cublas", nil, map[string][]byte{"nvidia/cu13/lib/libcublas.so.13": []byte("library")})
	publish("jax-cuda13-pjrt", nil, map[string][]byte{"jax_plugins/xla_cuda13/xla_cuda_plugin.so": plugin})
	return mux
}

func TestInstallCUDA(t *testing.T) {
	serveAll(t, cudaIndex(t, fakePlugin(t, entryPoint, "cuda")))
	home := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	dir := filepath.Join(home, "lib", "go-xla")
	path, err := InstallCUDA(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(dir, "nvidia", "pjrt_c_api_cuda_plugin.so"); path != want || Check(path) != nil {
		t.Errorf("installed %s (%v), want %s", path, Check(path), want)
	}
	if _, err := os.Stat(filepath.Join(dir, "nvidia", "cu13", "lib", "libcublas.so.13")); err != nil {
		t.Error(err)
	}
	before := listing(t, home)
	if again, err := InstallCUDA(t.Context(), dir); err != nil || again != path || !slices.Equal(before, listing(t, home)) {
		t.Errorf("a second install: %s, %v", again, err)
	}
	if err := DiscardCUDA(dir); err != nil || !slices.Equal(before, listing(t, home)) {
		t.Errorf("discarding a complete install: %v", err)
	}
	theirs := write(t, []byte("x"), home, "lib", "libcublas.so.12")
	if _, err := Uninstall(dir); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, home); !slices.Equal(got, []string{home, filepath.Dir(theirs), theirs}) {
		t.Errorf("uninstall left %q", got)
	}
}

func TestInstallCUDARefuses(t *testing.T) {
	serveAll(t, cudaIndex(t, []byte("no library")))
	home := t.TempDir()
	t.Setenv("TMPDIR", t.TempDir())
	if path, err := InstallCUDA(t.Context(), filepath.Join(home, "lib", "go-xla")); err == nil {
		t.Errorf("installed %s", path)
	}
	if got := listing(t, home); !slices.Equal(got, []string{home}) {
		t.Errorf("left behind %q", got)
	}
}

func TestDiscardCUDA(t *testing.T) {
	home := t.TempDir()
	dir := filepath.Join(home, "go-xla")
	write(t, []byte("library"), dir, "nvidia", "cu13", "lib", "libcublas.so.13")
	if err := os.Symlink("./go-xla/nvidia/cu13/lib/libcublas.so.13", filepath.Join(home, "libcublas.so.13")); err != nil {
		t.Fatal(err)
	}
	if err := DiscardCUDA(dir); err != nil {
		t.Fatal(err)
	}
	if got := listing(t, home); !slices.Equal(got, []string{home, dir}) {
		t.Errorf("left behind %q", got)
	}
}
