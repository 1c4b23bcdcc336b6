package backend_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"birnn/birnnlib/backend"
	"birnn/birnnlib/backend/plugin"
	"birnn/internal/backendtest"
	"birnn/internal/testall"

	"github.com/gomlx/compute"
	. "github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
)

// noPlugin hides all plugins from the test and forbids to install one.
func noPlugin(t *testing.T) (dir string) {
	dir = t.TempDir()
	t.Setenv(plugin.SearchPathEnv, dir)
	t.Setenv(backend.NoInstallEnv, "1")
	return dir
}

func open(t *testing.T, ask string) (*backend.Opened, error) {
	t.Helper()
	b, err := backend.Open(t.Context(), backend.Options{Ask: ask, Install: true})
	if err == nil {
		t.Cleanup(b.Backend.Finalize)
	}
	return b, err
}

// TestAutomaticWithoutPlugin falls back to pure Go and says why.
func TestAutomaticWithoutPlugin(t *testing.T) {
	noPlugin(t)
	t.Setenv(backend.Env, "")
	b, err := open(t, "")
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^backend go \(pure Go(, SIMD)?\), device cpu:0; not XLA: .+$`)
	if !b.IsPureGo() || !want.MatchString(b.String()) {
		t.Errorf("opened %q", b)
	}
}

// TestAskedFor asks for backends that cannot be opened: an error, never another backend.
func TestAskedFor(t *testing.T) {
	noPlugin(t)
	for ask, want := range map[string]string{
		"xla:cpu":                    "kernels install",
		"xla":                        "kernels install",
		"xla:nosuch":                 `"nosuch"`,
		"xla:/no/such/plugin.so":     "/no/such/plugin.so",
		"nosuch":                     "ask for go, xla:cpu or xla:cuda",
		"xla:cpu,tf32=false":         "kernels install",
		"stablehlo:cpu,nosuchoption": "kernels install",
	} {
		for _, byEnvironment := range []bool{false, true} {
			t.Setenv(backend.Env, "")
			asked := ask
			if byEnvironment {
				t.Setenv(backend.Env, ask)
				asked = ""
			}
			b, err := open(t, asked)
			if err == nil {
				t.Errorf("asked for %q, opened %q", ask, b)
			} else if !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "without XLA") {
				t.Errorf("asked for %q: the error does not say %q: %v", ask, want, err)
			}
		}
	}
	t.Setenv(backend.Env, "xla:nosuch") // the caller takes precedence over the environment
	if b, err := open(t, "go"); err != nil || b.Config != "go" || b.Why != "" {
		t.Errorf("asked for go: %v, %v", b, err)
	}
}

// TestBrokenPlugin puts a file that is no library in the plugin's place: pure Go still works.
func TestBrokenPlugin(t *testing.T) {
	dir := noPlugin(t)
	t.Setenv(backend.Env, "")
	if err := os.WriteFile(filepath.Join(dir, "pjrt_c_api_cpu_plugin.so"), []byte("not a library"), 0o666); err != nil {
		t.Fatal(err)
	}
	b, err := open(t, "")
	if err != nil || !b.IsPureGo() || b.Why == "" {
		t.Errorf("opened %v, %v", b, err)
	}
	if b, err := open(t, "xla:cpu"); err == nil {
		t.Errorf("opened %v from a broken plugin", b)
	}
}

// TestComputes checks that an open backend computes.
func TestComputes(t *testing.T) {
	backendtest.Each(t, func(t *testing.T, b compute.Backend) {
		product, err := CallOnce(b, func(a, b *Node) *Node { return Dot(a, b).Product() },
			[][]float32{{1, 2}, {3, 4}}, [][]float32{{5}, {6}})
		if err != nil {
			t.Fatal(err)
		}
		if got := tensors.MustCopyFlatData[float32](product); got[0] != 17 || got[1] != 39 {
			t.Errorf("product %v, want [17 39]", got)
		}
	})
}

// TestCPUDevices checks that XLA has as many devices as asked for: the plugin could ignore the option.
func TestCPUDevices(t *testing.T) {
	for ask, want := range map[int]int{0: 1, 1: 1, 3: 3} {
		b, err := backend.Open(t.Context(), backend.Options{Ask: "xla:cpu", CPUDevices: ask})
		if err != nil {
			testall.Missing(t, "XLA: %v", err)
		}
		if got := b.Backend.NumDevices(); got != want {
			t.Errorf("CPUDevices %d: %d devices, want %d", ask, got, want)
		}
		b.Backend.Finalize()
	}
}

// TestXLAFlags checks what Open makes of XLA_FLAGS.
func TestXLAFlags(t *testing.T) {
	const env = "XLA_FLAGS"
	for _, test := range []struct {
		before string // "unset" if it is not set
		keep   bool
		want   string // afterwards
	}{
		{"unset", false, "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=100000000"},
		{"unset", true, "unset"},
		{"", false, ""},
		{"--xla_cpu_enable_fast_min_max=true", false, "--xla_cpu_enable_fast_min_max=true"},
	} {
		t.Setenv(env, test.before) // and as it was afterwards
		if test.before == "unset" {
			os.Unsetenv(env)
		}
		b, err := backend.Open(t.Context(), backend.Options{Ask: "xla:cpu", KeepXLAFlags: test.keep})
		if err != nil {
			testall.Missing(t, "XLA: %v", err)
		}
		b.Backend.Finalize()
		got, set := os.LookupEnv(env)
		if !set {
			got = "unset"
		}
		if got != test.want {
			t.Errorf("%+v: afterwards %q", test, got)
		}
	}
}
