package simd

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"birnn/internal/testall"
)

// fakeGo writes a go command that claims to be go1.30.0. Commands succeed, except for the cases, each a shell pattern
// of "GOTOOLCHAIN COMMAND" and what happens instead.
func fakeGo(t *testing.T, arch, gotoolchain, cases string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell")
	}
	t.Setenv("GOTOOLCHAIN", gotoolchain)
	path := filepath.Join(t.TempDir(), "go")
	script := `#!/bin/sh
if [ "$1 $2" = "env -json" ]; then
	echo '{"GOVERSION": "go1.30.0-X:simd", "GOROOT": "/here", "GOARCH": "` + arch + `", "GOTOOLCHAIN": "'$GOTOOLCHAIN'"}'
	exit
fi
if [ "$1" = build ] && [ "$GOEXPERIMENT" != simd ]; then echo "built without the experiment" >&2; exit 1; fi
case "$GOTOOLCHAIN $1" in
` + cases + `
esac
`
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func repository(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "go.mod"), []byte("module birnn\n\nrequire (\n\tgithub.com/gomlx/compute v0.9.9\n)\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestFind(t *testing.T) {
	const fails = `echo "go: downloading something" >&2; echo "# some/package" >&2; echo "avx2.go:35:9: no such load" >&2; exit 1`
	const unfetched = `echo "go: download go1.26.11: no such host" >&2; exit 1`
	for _, test := range []struct {
		name, arch, gotoolchain, cases string
		want                           Toolchain
		said                           string
		env                            []string
	}{
		{"the installed Go", "amd64", "auto", "",
			Toolchain{Mode: Native, Go: "go1.30.0", GOROOT: "/here"}, "with SIMD instructions, built by go1.30.0",
			[]string{"GOEXPERIMENT=simd", "GODEBUG=gctrace=0,asyncpreemptoff=1"}},
		{"the pinned Go", "amd64", "auto", "'" + Go + " env') echo /pinned ;;\n'auto build') " + fails + " ;;",
			Toolchain{Mode: Pinned, Go: Go, GOROOT: "/pinned", Reason: "go1.30.0 does not compile GoMLX's compute v0.9.9 with them"},
			"with SIMD instructions, built by " + Go + ": go1.30.0 does not compile",
			[]string{"GOEXPERIMENT=simd", "GOTOOLCHAIN=" + Go, "GODEBUG=gctrace=0,asyncpreemptoff=1"}},
		{"neither compiles", "amd64", "auto", "'" + Go + " env') echo /pinned ;;\n*build) " + fails + " ;;",
			Toolchain{Mode: Plain, Go: "go1.30.0", GOROOT: "/here", Costs: true,
				Reason: "go1.30.0 does not compile GoMLX's compute v0.9.9 with them, and neither does " + Go + ": go build: avx2.go:35:9: no such load"},
			"without SIMD instructions, several times slower: go1.30.0", []string{"GOEXPERIMENT="}},
		{"the pinned Go cannot be downloaded", "amd64", "go1.30.0", "'" + Go + " env') " + unfetched + " ;;\n*build) " + fails + " ;;",
			Toolchain{Mode: Plain, Go: "go1.30.0", GOROOT: "/here", Costs: true,
				Reason: "go1.30.0 does not compile GoMLX's compute v0.9.9 with them, and " + Go + " cannot be downloaded: go env: go: download go1.26.11: no such host"},
			"several times slower", []string{"GOEXPERIMENT="}},
		{"the pinned Go must not be downloaded", "amd64", "local", "*build) " + fails + " ;;",
			Toolchain{Mode: Plain, Go: "go1.30.0", GOROOT: "/here", Costs: true,
				Reason: "go1.30.0 does not compile GoMLX's compute v0.9.9 with them, and GOTOOLCHAIN=local forbids the download of " + Go},
			"several times slower", []string{"GOEXPERIMENT="}},
		{"another processor", "arm64", "auto", "*) exit 1 ;;",
			Toolchain{Mode: Plain, Go: "go1.30.0", GOROOT: "/here", Reason: "GoMLX has them for amd64 only, this is arm64"},
			"without SIMD instructions: GoMLX has them for amd64 only", []string{"GOEXPERIMENT="}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Find(t.Context(), repository(t), fakeGo(t, test.arch, test.gotoolchain, test.cases))
			if err != nil || got != test.want {
				t.Fatalf("got\n%+v, %v, want\n%+v", got, err, test.want)
			}
			if !strings.Contains(got.String(), test.said) {
				t.Errorf("it says %q, want %q", got, test.said)
			}
			t.Setenv("GODEBUG", "gctrace=0")
			if env := got.Env(); !slices.Equal(env, test.env) {
				t.Errorf("environment %q, want %q", env, test.env)
			}
		})
	}
}

// TestFindFails checks that missing sources and a cancelled context are errors.
func TestFindFails(t *testing.T) {
	goCommand := fakeGo(t, "amd64", "auto", `*list) echo "dial tcp: no such host" >&2; exit 1 ;;`)
	if got, err := Find(t.Context(), repository(t), goCommand); err == nil || !strings.Contains(err.Error(), "no such host") {
		t.Errorf("without the sources of compute: %+v, %v", got, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := Find(ctx, repository(t), goCommand); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %+v, %v", got, err)
	}
}

// TestLongFindHere builds the package with the real go command, in the way that Find returns.
func TestLongFindHere(t *testing.T) {
	testall.Long(t)
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	root := filepath.Join("..", "..")
	found, err := Find(t.Context(), root, goCommand)
	if err != nil {
		t.Fatal(err)
	}
	t.Log("pure Go ", found)
	if out, err := runGo(t.Context(), root, goCommand, append(found.Env(), "CGO_ENABLED=0"), "build", Package); err != nil {
		t.Errorf("%v does not build: %v %s", found, err, out)
	}
}

// TestLongUnfetchable runs a real newer Go with a module proxy that has no toolchain: the pinned Go cannot be downloaded,
// and the package builds without SIMD instructions.
func TestLongUnfetchable(t *testing.T) {
	testall.Long(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("GoMLX has SIMD instructions for amd64 only")
	}
	goroot, err := runGo(t.Context(), ".", "go", []string{"GOTOOLCHAIN=go1.27.4"}, "env", "GOROOT")
	if err != nil {
		t.Fatal(err)
	}
	downloads, err := runGo(t.Context(), ".", "go", nil, "env", "GOMODCACHE")
	if err != nil {
		t.Fatal(err)
	}
	proxy := t.TempDir()
	link := func(names ...string) {
		from := filepath.Join(append([]string{strings.TrimSpace(downloads), "cache", "download"}, names...)...)
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(append([]string{proxy}, names...)...)
		for _, entry := range entries {
			if name := entry.Name(); name != "golang.org" && name != "toolchain" {
				if err := errors.Join(os.MkdirAll(to, 0o755), os.Symlink(filepath.Join(from, name), filepath.Join(to, name))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	link()
	link("golang.org")
	for key, value := range map[string]string{
		"GOPROXY": "file://" + proxy, "GOMODCACHE": t.TempDir(), "GOTOOLCHAIN": "auto", "GONOSUMDB": "*", "GOFLAGS": "-modcacherw",
	} {
		t.Setenv(key, value)
	}
	root := filepath.Join("..", "..")
	goCommand := filepath.Join(strings.TrimSpace(goroot), "bin", "go")
	found, err := Find(t.Context(), root, goCommand)
	if err != nil {
		t.Fatal(err)
	}
	if found.Mode != Plain || !found.Costs || !strings.Contains(found.Reason, Go+" cannot be downloaded") {
		t.Errorf("found %+v, want to go without SIMD instructions since %s cannot be downloaded", found, Go)
	}
	if _, err := runGo(t.Context(), root, goCommand, append(found.Env(), "CGO_ENABLED=0"), "build", Package); err != nil {
		t.Error(err)
	}
	t.Log("pure Go ", found)
}

func TestDepends(t *testing.T) {
	one := Depends([]byte("module birnn\nrequire github.com/gomlx/compute v0.1.6\n"))
	if other := Depends([]byte("module birnn\nrequire github.com/gomlx/compute v0.1.7\n")); one == other {
		t.Error("another version of compute goes unnoticed")
	}
	if other := Depends([]byte("module birnn\nrequire github.com/gomlx/compute v0.1.6\nrequire github.com/gomlx/gomlx v1.0.0\n")); one != other {
		t.Errorf("%q and %q differ", one, other)
	}
	if other := Depends([]byte("module birnn\nrequire github.com/gomlx/compute v0.1.6\nreplace github.com/gomlx/compute => ../compute\n")); one == other {
		t.Error("a replacement of compute goes unnoticed")
	}
}
