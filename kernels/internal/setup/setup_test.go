package setup

import (
	"bytes"
	"context"
	"errors"
	"go/version"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"birnn/internal/progress"
	"birnn/internal/simd"
	"birnn/kernels/internal/home"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
)

// testPlan returns a plan without steps for a temporary folder.
func testPlan(t *testing.T) *plan {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("the kernels need a Unix")
	}
	h := home.Home{Dir: filepath.Join(t.TempDir(), "birnn")}
	m, unlock, err := h.Open(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(unlock)
	return &plan{options: Options{Home: h}, manifest: m, out: io.Discard, checkout: home.Checkout{
		Root: t.TempDir(),
		Go:   home.Toolchain{GOROOT: "/go", GOOS: "linux", GOARCH: "amd64", GOMODCACHE: "/mod", GOCACHE: "/cache"},
	}}
}

func TestDo(t *testing.T) {
	p := testPlan(t)
	var out bytes.Buffer
	c := progress.NewConsole(&out)
	runs, there := 0, false
	var fail error
	s := &step{name: "step", title: "a step", remedy: "try harder", stamp: "one",
		present: func() bool { return there },
		run:     func(context.Context, io.Writer) error { runs++; there = fail == nil; return fail },
	}
	do := func(wantRuns int, wantErr string) {
		t.Helper()
		_, err := p.do(t.Context(), s, c)
		if runs != wantRuns {
			t.Errorf("it ran %d times, want %d", runs, wantRuns)
		}
		if (err == nil) != (wantErr == "") || err != nil && !strings.Contains(err.Error(), wantErr) {
			t.Errorf("error %v, want %q", err, wantErr)
		}
		saved, err := p.options.Home.ReadManifest()
		if err != nil {
			t.Fatal(err)
		}
		if (saved.Steps["step"] == s.stamp) != (wantErr == "") {
			t.Errorf("the manifest has the stamp %q after error %q", saved.Steps["step"], wantErr)
		}
	}
	do(1, "")
	do(1, "") // done already
	s.stamp = "two"
	do(2, "")
	there = false // removed by the user
	do(3, "")
	s.stamp, fail = "three", errors.New("disk full")
	do(4, "a step: disk full\n→ try harder")
	fail = &process.Error{Name: "pip", Err: errors.New("exit status 1"), Output: "NewConnectionError: no"}
	do(5, "network seems to be unreachable")
	fail = nil
	do(6, "")
	if !strings.Contains(out.String(), "✗ a step") || strings.Count(out.String(), "✓ a step") != 4 {
		t.Errorf("shown:\n%s", out.String())
	}
}

func TestDoCancelled(t *testing.T) {
	p := testPlan(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := &step{name: "step", title: "a step", stamp: "one", present: func() bool { return true },
		run: func(context.Context, io.Writer) error { cancel(); return errors.New("signal: terminated") }}
	if _, err := p.do(ctx, s, progress.NewConsole(io.Discard)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if p.done(s) {
		t.Error("a step that was cancelled counts as done")
	}
}

// TestKernels writes kernelspecs into the installation and for the user, and removes one whose plugin is gone.
func TestKernels(t *testing.T) {
	p := testPlan(t)
	user := filepath.Join(t.TempDir(), "data")
	t.Setenv("JUPYTER_DATA_DIR", user)
	private := filepath.Join(p.options.Home.Jupyter(), "kernels")
	p.options.User = true
	specs, err := kernelspec.Build(kernelspec.Config{Checkout: p.checkout, Bin: p.options.Home.Bin(), PluginDir: "/plugins"})
	if err != nil {
		t.Fatal(err)
	}
	do := func(specs []kernelspec.Spec) {
		t.Helper()
		s := p.kernels(specs)
		if _, err := p.do(t.Context(), s, progress.NewConsole(io.Discard)); err != nil {
			t.Fatal(err)
		}
		if !p.done(s) {
			t.Error("it does not count as done")
		}
	}
	names := func(dir string) []string {
		var all []string
		entries, _ := os.ReadDir(dir)
		for _, entry := range entries {
			all = append(all, entry.Name())
		}
		return all
	}
	do(specs)
	for _, dir := range []string{private, filepath.Join(user, "kernels")} {
		if got := names(dir); !slices.Equal(got, []string{kernelspec.Go, kernelspec.XLA}) {
			t.Errorf("%s has %q", dir, got)
		}
	}
	p.options.User = false // installed once, they are kept up to date
	do(specs[1:])
	for _, dir := range []string{private, filepath.Join(user, "kernels")} {
		if got := names(dir); !slices.Equal(got, []string{kernelspec.Go}) {
			t.Errorf("without a plugin %s has %q", dir, got)
		}
	}
	if _, err := p.manifest.Remove(false, func(string) {}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(user); err == nil {
		t.Errorf("the user's Jupyter data is left: %q", names(filepath.Join(user, "kernels")))
	}
}

func TestKernelsOfOthers(t *testing.T) {
	p := testPlan(t)
	user := t.TempDir()
	t.Setenv("JUPYTER_DATA_DIR", user)
	p.options.User = true
	theirs := filepath.Join(user, "kernels", kernelspec.Go, "kernel.json")
	if err := errors.Join(os.MkdirAll(filepath.Dir(theirs), 0o755), os.WriteFile(theirs, []byte(`{"argv": ["x"]}`), 0o644)); err != nil {
		t.Fatal(err)
	}
	specs, err := kernelspec.Build(kernelspec.Config{Checkout: p.checkout})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.do(t.Context(), p.kernels(specs), progress.NewConsole(io.Discard)); err == nil || !strings.Contains(err.Error(), "not installed by this command") {
		t.Errorf("got error %v, want that the kernel there is not ours", err)
	}
	if data, err := os.ReadFile(theirs); err != nil || string(data) != `{"argv": ["x"]}` {
		t.Errorf("their kernel was touched: %s, %v", data, err)
	}
}

// TestSIMD checks when the build of pure Go is determined again, and that the pinned Go gets separate programs.
func TestSIMD(t *testing.T) {
	p := testPlan(t)
	goroot := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(goroot, "bin"), 0o755), os.WriteFile(filepath.Join(goroot, "bin", "go"), nil, 0o755)); err != nil {
		t.Fatal(err)
	}
	goMod := filepath.Join(p.checkout.Root, "go.mod")
	if err := os.WriteFile(goMod, []byte("require github.com/gomlx/compute v0.1.6\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if p.done(p.simd()) {
		t.Error("before anything was looked at, it counts as done")
	}
	remember := func(found simd.Toolchain) {
		p.manifest.SIMD = &found
		p.manifest.Steps[simdStep] = p.simd().stamp
	}
	pinned := simd.Toolchain{Mode: simd.Pinned, Go: "go1.26.11", GOROOT: goroot}
	plain := simd.Toolchain{Mode: simd.Plain, Go: "go1.27.4", GOROOT: goroot, Costs: true}
	remember(pinned)
	for _, test := range []struct {
		name   string
		change func()
		want   bool
	}{
		{"nothing changed", func() {}, true},
		{"another version of compute", func() { os.WriteFile(goMod, []byte("require github.com/gomlx/compute v0.1.7\n"), 0o644) }, false},
		{"that is remembered", func() { remember(pinned) }, true},
		{"another Go", func() { p.checkout.Go.GOVERSION = "go1.28" }, false},
		{"slow", func() { remember(plain) }, true},
		{"slow, and install is called", func() { p.options.TryAgain = true }, false},
		{"fast, and install is called", func() { remember(pinned) }, true},
		{"the Go was removed", func() { os.RemoveAll(goroot) }, false},
	} {
		if test.change(); p.done(p.simd()) != test.want {
			t.Errorf("%s: it counts as done: %v, want %v", test.name, !test.want, test.want)
		}
	}

	programs := func() (all []string) {
		for _, s := range newPlan(p.checkout, p.manifest, p.options).steps {
			if s.tool != nil {
				all = append(all, s.name+" in "+filepath.Base(filepath.Dir(s.program)))
			}
		}
		return all
	}
	here := []string{"gonb in bin", "goimports in bin", "gopls in bin"}
	if got, want := programs(), append(slices.Clone(here), "gonb-go1.26.11 in bin-go1.26.11", "goimports-go1.26.11 in bin-go1.26.11", "gopls-go1.26.11 in bin-go1.26.11"); !slices.Equal(got, want) {
		t.Errorf("with a pinned Go %q are built, want %q", got, want)
	}
	for _, dir := range []string{p.options.Home.BinOf("go1.26.11"), p.options.Home.BinOf("go1.26.9"), p.options.Home.Bin()} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	left := func() (names []string) {
		dirs, err := filepath.Glob(p.options.Home.Path("bin*"))
		if err := errors.Join(err, p.removeOldPrograms()); err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			if exists(dir) {
				names = append(names, filepath.Base(dir))
			}
		}
		return names
	}
	if got, want := left(), []string{"bin", "bin-go1.26.11"}; !slices.Equal(got, want) {
		t.Errorf("programs are left in %q, want %q", got, want)
	}
	remember(plain)
	if got := programs(); !slices.Equal(got, here) {
		t.Errorf("without a pinned Go %q are built, want %q", got, here)
	}
	if got, want := left(), []string{"bin"}; !slices.Equal(got, want) {
		t.Errorf("programs are left in %q, want %q", got, want)
	}
}

func TestLibraryPackages(t *testing.T) {
	root := t.TempDir()
	for _, file := range []string{"birnnlib/a.go", "birnnlib/examples/text/b.go", "birnnlib/only/c_test.go", "birnnlib/internal/d.go", "birnnlib/testdata/e.go", "birnnlib/empty/README", "notebooks/kit/lesson/f.go"} {
		path := filepath.Join(root, filepath.FromSlash(file))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, nil, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := libraryPackages(root), []string{"birnn/birnnlib", "birnn/birnnlib/examples/text", "birnn/notebooks/kit/lesson"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestSources checks that the hash of the kernel's sources is stable and that a missing folder is an error.
func TestSources(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	first, err := sources(root)
	if second, again := sources(root); err != nil || again != nil || first != second {
		t.Errorf("%q (%v), then %q (%v)", first, err, second, again)
	}
	if _, err := sources(t.TempDir()); err == nil {
		t.Error("an empty folder is no error")
	}
}

// TestPins checks that versions pinned in several places agree.
func TestPins(t *testing.T) {
	for _, want := range []string{"jupyterlab==" + jupyterLabVersion + "\n", "nbclient==" + nbclientVersion + "\n"} {
		if !strings.Contains(string(requirements), want) {
			t.Errorf("requirements.txt has no line %q", want)
		}
	}
	root, err := os.ReadFile(filepath.Join("..", "..", "..", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(root)) {
		if least, ok := strings.CutPrefix(strings.TrimSpace(line), "go "); ok && version.Compare("go"+least, simd.Go) > 0 {
			t.Errorf("the repository's go.mod requires go %s, the pinned Go is %s", least, simd.Go)
		}
	}
	for _, tool := range tools {
		mod, sum := tool.files()
		line := ""
		for l := range strings.Lines(string(mod)) {
			if strings.HasPrefix(l, "require ") {
				line = strings.TrimSpace(strings.TrimPrefix(l, "require "))
			}
		}
		module, required, _ := strings.Cut(line, " ")
		if required != tool.version || !strings.HasPrefix(tool.path, module) {
			t.Errorf("%s: its go.mod requires %q, want %s at %s", tool.name, line, tool.path, tool.version)
		}
		if !strings.Contains(string(sum), module+" "+required+" h1:") {
			t.Errorf("%s: its go.sum has no hash of %s %s", tool.name, module, required)
		}
		// What cells import of GoNB and the kernel that runs them are one version.
		if tool.name == "gonb" && !strings.Contains(string(root), "\t"+line+"\n") {
			t.Errorf("the repository's go.mod does not require %s", line)
		}
	}
}
