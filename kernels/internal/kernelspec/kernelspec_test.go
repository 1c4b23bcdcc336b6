package kernelspec

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"image"
	imagepng "image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"birnn/internal/simd"
	"birnn/kernels/internal/home"
)

func config() Config {
	return Config{
		Checkout: home.Checkout{Root: "/src/bi rnn", Go: home.Toolchain{
			GOROOT: "/go", GOOS: "linux", GOARCH: "amd64", GOMODCACHE: "/mod", GOCACHE: "/cache$1", CCDir: "/opt/cc"}},
		Home:      "/home",
		Bin:       "/home/bin",
		PluginDir: "/plugins",
		SIMD:      simd.Toolchain{Mode: simd.Native, Go: "go1.26.8", GOROOT: "/go"},
	}
}

func TestBuild(t *testing.T) {
	specs, err := Build(config())
	if err != nil {
		t.Fatal(err)
	}
	if len(specs) != 2 || specs[0].Name != XLA || specs[1].Name != Go {
		t.Fatalf("got %v", specs)
	}
	common := map[string]string{
		"GOMLX_NO_AUTO_INSTALL": "1", "GOTOOLCHAIN": "local", "GOROOT": "", "GOWORK": "",
		"GOFLAGS": "-buildvcs=false '-ldflags=-libgcc=none -linkmode=internal -s -w'", "GOMODCACHE": "/mod", "GOCACHE": "/cache$$1",
		"PATH": "/home/bin:/go/bin:/opt/cc:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin:${PATH}",
	}
	own := map[string]map[string]string{
		XLA: {"GOMLX_BACKEND": "xla:cpu", "CGO_ENABLED": "1", "GOEXPERIMENT": "", "PJRT_PLUGIN_LIBRARY_PATH": "/plugins"},
		Go: {"GOMLX_BACKEND": "go", "CGO_ENABLED": "0", "GOEXPERIMENT": "simd", "GODEBUG": "asyncpreemptoff=1",
			PureGo: "with SIMD instructions, built by go1.26.8"},
	}
	for _, s := range specs {
		for _, env := range []map[string]string{common, own[s.Name]} {
			for key, want := range env {
				if got, ok := s.JSON.Env[key]; !ok || got != want && os.PathListSeparator == ':' {
					t.Errorf("%s: %s=%q, want %q", s.Name, key, got, want)
				}
			}
		}
		if proxy, ok := s.JSON.Env["GOPROXY"]; ok {
			t.Errorf("%s: GOPROXY=%q hides the user's", s.Name, proxy)
		}
		want := []string{filepath.Join("/home/bin", "birnn-kernels"), "kernel", "-f", "{connection_file}", "-root", "/src/bi rnn", "-dir", "/home", "-bin", "/home/bin"}
		if !slices.Equal(s.JSON.Argv, want) {
			t.Errorf("%s: argv %q, want %q", s.Name, s.JSON.Argv, want)
		}
	}
	if !slices.Contains(specs[0].Environ(), "GOCACHE=/cache$1") {
		t.Errorf("Environ keeps Jupyter's escapes: %q", specs[0].Environ())
	}
}

func TestBuildVariants(t *testing.T) {
	names := func(c Config) string {
		specs, err := Build(c)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, s := range specs {
			all = append(all, s.Name)
		}
		return strings.Join(all, " ")
	}
	c := config()
	c.Plain = true
	plain, err := Build(c)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{filepath.Join("/home/bin", "gonb"), "--kernel", "{connection_file}", "-go_work=/src/bi rnn"}; !slices.Equal(plain[0].JSON.Argv, want) {
		t.Errorf("plain: argv %q, want %q", plain[0].JSON.Argv, want)
	}
	c.CUDADir = "/plugins/nvidia"
	if got := names(c); got != "birnn-xla birnn-cuda birnn-go" {
		t.Errorf("with CUDA: %s", got)
	}
	c = config()
	c.PluginDir = ""
	if got := names(c); got != "birnn-go" {
		t.Errorf("without a plugin: %s", got)
	}
	c.Checkout.Go.GOOS = "darwin"
	specs, err := Build(c)
	if err != nil || strings.Contains(specs[0].JSON.Env["GOFLAGS"], "linkmode") {
		t.Errorf("internal linking of cgo is for Linux alone: %v, %v", specs, err)
	}
	c.Checkout.Root = "/a,b"
	if _, err := Build(c); err == nil {
		t.Error("a comma in the repository's path goes unnoticed")
	}
}

// TestBuildSIMD checks that the pure-Go kernel, and no other, has the environment of the Go that was found for it.
func TestBuildSIMD(t *testing.T) {
	for _, test := range []struct {
		toolchain                          simd.Toolchain
		bin, path, experiment, debug, pure string
	}{
		{simd.Toolchain{Mode: simd.Pinned, Go: "go1.26.11", GOROOT: "/mod/go1.26.11", Reason: "a $reason"},
			"/home/bin-go1.26.11", "/home/bin-go1.26.11:/mod/go1.26.11/bin:", "simd", "asyncpreemptoff=1", "with SIMD instructions, built by go1.26.11: a $reason"},
		{simd.Toolchain{Mode: simd.Plain, Go: "go1.27.4", GOROOT: "/go", Reason: "a reason", Costs: true},
			"/home/bin", "/home/bin:/go/bin:", "", "", "without SIMD instructions, several times slower: a reason"},
		{simd.Toolchain{}, "/home/bin", "/home/bin:/go/bin:", "", "", "without SIMD instructions: "},
	} {
		c := config()
		c.SIMD, c.PureBin = test.toolchain, "/home/bin-go1.26.11"
		specs, err := Build(c)
		if err != nil {
			t.Fatal(err)
		}
		xla, pure := specs[0], specs[1]
		if got := xla.JSON.Env; !strings.HasPrefix(got["PATH"], "/home/bin:/go/bin:") || got["GOEXPERIMENT"]+got["GODEBUG"]+got[PureGo] != "" {
			t.Errorf("%s: %s has the environment of pure Go: %v", test.toolchain.Mode, XLA, got)
		}
		for key, want := range map[string]string{"GOEXPERIMENT": test.experiment, "GODEBUG": test.debug, PureGo: test.pure} {
			if got := pure.Getenv(key); got != want {
				t.Errorf("%s: %s=%q, want %q", test.toolchain.Mode, key, got, want)
			}
		}
		if got := pure.Getenv("PATH"); !strings.HasPrefix(got, test.path) {
			t.Errorf("%s: PATH=%q, want %q first", test.toolchain.Mode, got, test.path)
		}
		if argv := pure.JSON.Argv; argv[0] != test.bin+"/birnn-kernels" || argv[len(argv)-1] != test.bin {
			t.Errorf("%s: argv %q, want the programs in %s", test.toolchain.Mode, argv, test.bin)
		}
	}
}

func TestFindGo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"shims/go", "a/other", "b/go"} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	var path []string
	for _, name := range []string{"shims", "a", "missing", "b"} {
		path = append(path, filepath.Join(dir, name))
	}
	if got, want := FindGo(strings.Join(path, string(os.PathListSeparator))), filepath.Join(dir, "b", "go"); got != want && runtime.GOOS != "windows" {
		t.Errorf("found %s, want %s", got, want)
	}
	if got := FindGo(path[0]); got != "go" {
		t.Errorf("found %s, and there is only the shim", got)
	}
}

func TestWrite(t *testing.T) {
	specs, err := Build(config())
	if err != nil {
		t.Fatal(err)
	}
	kernels := filepath.Join(t.TempDir(), "jupyter", "kernels")
	for range 2 { // the second time replaces
		if err := specs[0].Write(kernels); err != nil {
			t.Fatal(err)
		}
	}
	entries, err := os.ReadDir(kernels)
	if err != nil || len(entries) != 1 {
		t.Fatalf("%s holds %v (%v)", kernels, entries, err)
	}
	data, err := os.ReadFile(filepath.Join(kernels, XLA, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	if raw["display_name"] != "Go · BiRNN (XLA)" || raw["language"] != "go" || raw["interrupt_mode"] != "message" {
		t.Errorf("kernel.json: %s", data)
	}
	for size, name := range map[int]string{32: "logo-32x32.png", 64: "logo-64x64.png"} {
		f, err := os.Open(filepath.Join(kernels, XLA, name))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := imagepng.Decode(f)
		f.Close()
		if err != nil || picture.Bounds() != image.Rect(0, 0, size, size) {
			t.Errorf("%s: %v, %v", name, picture.Bounds(), err)
		}
		// The corner is transparent, the arrow's shaft white.
		if _, _, _, a := picture.At(0, 0).RGBA(); a != 0 {
			t.Errorf("%s: the corner is not transparent", name)
		}
		if r, g, b, _ := picture.At(size*30/64, size*23/64).RGBA(); r != 0xffff || g != 0xffff || b != 0xffff {
			t.Errorf("%s: the arrow is not white", name)
		}
	}
	drawing, err := os.ReadFile(filepath.Join(kernels, XLA, "logo-svg.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := xml.NewDecoder(bytes.NewReader(drawing)).Decode(new(struct{ XMLName xml.Name })); err != nil {
		t.Errorf("logo-svg.svg: %v", err)
	}

	read, err := Read(kernels, XLA)
	if err != nil || read.Root() != "/src/bi rnn" {
		t.Errorf("read back: root %q, %v", read.Root(), err)
	}
	if err := CheckFree(kernels, XLA); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(kernels, XLA, "kernel.json"), []byte(`{"argv": ["x"]}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := CheckFree(kernels, XLA); err == nil {
		t.Error("a kernelspec of another program with the same name goes unnoticed")
	}
	if err := CheckFree(kernels, Go); err != nil {
		t.Error(err)
	}
}

func TestUserDir(t *testing.T) {
	t.Setenv("JUPYTER_DATA_DIR", "/data")
	if dir, err := UserDir(); err != nil || filepath.ToSlash(dir) != "/data/kernels" {
		t.Errorf("%s, %v", dir, err)
	}
}
