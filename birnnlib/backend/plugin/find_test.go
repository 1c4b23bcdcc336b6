package plugin

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRawName(t *testing.T) {
	for file, want := range map[string]string{
		"pjrt_c_api_cpu_plugin.so":            "cpu",
		"pjrt_c_api_cpu_v0.114.0_plugin.so":   "cpu_v0.114.0",
		"pjrt_c_api_cuda_plugin.so":           "cuda",
		"pjrt_c_api_cpu_plugin.dll":           "cpu",
		"pjrt-plugin-tpu.so":                  "tpu",
		"pjrt_plugin_metal.dylib":             "metal",
		"libpjrt_cpu.so":                      "",
		"pjrt_c_api_cpu_plugin.so.birnn.json": "",
		"xpjrt_c_api_cpu_plugin.so":           "",
	} {
		if got := rawName(file); got != want {
			t.Errorf("rawName(%q) = %q, want %q", file, got, want)
		}
	}
}

func TestSearchDirs(t *testing.T) {
	conf := t.TempDir()
	write(t, []byte("# comment\n/opt/lib\n\ninclude "+conf+"/d/*.conf\n"), conf, "ld.so.conf")
	write(t, []byte("/usr/lib/x\n"), conf, "d", "a.conf")
	write(t, []byte("include "+conf+"/d/b.conf\n/usr/lib/y\n"), conf, "d", "b.conf") // includes itself
	tests := []struct {
		name, goos, home string
		env              map[string]string
		want             []string
	}{
		{"linux", "linux", "/h", map[string]string{"LD_LIBRARY_PATH": "/ld1:relative::/ld2"}, []string{
			"/h/.local/lib/go-xla", "/h/.local/lib/go-xla/nvidia", "/h/.local/lib/gomlx/pjrt",
			"/usr/local/lib/go-xla", "/usr/local/lib/go-xla/nvidia", "/usr/local/lib/gomlx/pjrt",
			"/ld1", "/ld2", "/opt/lib", "/usr/lib/x"}},
		{"darwin", "darwin", "/h", map[string]string{"DYLD_LIBRARY_PATH": "/dy", "LD_LIBRARY_PATH": "/ld"}, []string{
			"/h/Library/Application Support/go-xla", "/h/Library/Application Support/GoMLX/PJRT",
			"/usr/local/lib/go-xla", "/usr/local/lib/gomlx/pjrt", "/dy", "/ld"}},
		{"the variable alone", "linux", "/h", map[string]string{SearchPathEnv: "/a::/b", "LD_LIBRARY_PATH": "/ld"}, []string{"/a", "/b"}},
		{"the variable empty", "linux", "/h", map[string]string{SearchPathEnv: ""}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			lookup := func(key string) (string, bool) { v, ok := test.env[key]; return v, ok }
			got := searchDirs(test.goos, test.home, lookup, filepath.Join(conf, "ld.so.conf"))
			if len(got) > len(test.want) {
				got = got[:len(test.want)] // the file that includes itself repeats its directory
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func TestSearch(t *testing.T) {
	good := fakePlugin(t, entryPoint, "")
	a, b := t.TempDir(), t.TempDir()
	write(t, good, a, "pjrt_c_api_zeta_plugin.so")
	versioned := write(t, good, a, "pjrt_c_api_alpha_v1.2.0_plugin.so")
	write(t, good, a, "pjrt_c_api_cpu_v0.114.0_plugin.so")
	plain := write(t, good, b, "pjrt_c_api_cpu_plugin.so")
	write(t, good, b, "pjrt_c_api_zeta_plugin.so") // hidden by a's
	write(t, good, b, "unrelated.so")
	cut := write(t, good[:len(good)-1], b, "pjrt_c_api_cut_plugin.so")

	found, broken := search([]string{a, filepath.Join(a, "absent"), b})
	want := []Found{
		{"cpu", "", plain}, // without a version, though in the later directory
		{"alpha", "v1.2.0", versioned},
		{"zeta", "", filepath.Join(a, "pjrt_c_api_zeta_plugin.so")},
	}
	if !slices.Equal(found, want) {
		t.Errorf("found\n%v\nwant\n%v", found, want)
	}
	if len(broken) != 1 || broken[0].Path != cut {
		t.Errorf("broken = %v, want %s alone", broken, cut)
	}
}

func TestCheck(t *testing.T) {
	good := fakePlugin(t, entryPoint, strings.Repeat("x", 100))
	dir := t.TempDir()
	other := slices.Clone(good)
	other[18] ^= 0xff // the machine
	noLibrary := slices.Clone(good)
	noLibrary[16] = 2 // an executable
	tests := []struct {
		name string
		data []byte
		want string // in the error; "" for none
	}{
		{"good", good, ""},
		{"empty", nil, "EOF"},
		{"text", []byte("<html>not found</html>"), "bad magic"},
		{"cut in the middle", good[:len(good)/2], "not a PJRT plugin"},
		{"cut at the end", good[:len(good)-1], "not a PJRT plugin"},
		{"another machine", other, "is built for"},
		{"an executable", noLibrary, "expected a shared library"},
		{"another symbol", fakePlugin(t, "GetSomething", ""), "does not export GetPjrtApi"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, test.data, dir, "p.so")
			err := Check(path)
			if test.want == "" && err != nil {
				t.Fatal(err)
			}
			if test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Fatalf("got error %v, want one with %q", err, test.want)
			}
		})
	}
	if err := Check(dir); err == nil {
		t.Error("a directory passes for a plugin")
	}
	if err := Check(filepath.Join(dir, "absent")); !os.IsNotExist(err) {
		t.Errorf("absent file: got %v", err)
	}
}
