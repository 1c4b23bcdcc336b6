package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"birnn/internal/simd"
	"birnn/internal/testall"
)

// world is a temporary home folder in which the real program runs, with the caller's caches of Go and pip.
type world struct {
	t       *testing.T
	program string
	home    string
	env     []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	testall.Long(t)
	if runtime.GOOS == "windows" {
		t.Skip("the kernels need a Unix")
	}
	w := &world{t: t, program: filepath.Join(t.TempDir(), "kernels"), home: t.TempDir()}
	if out, err := exec.Command("go", "build", "-o", w.program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	goEnv, err := exec.Command("go", "env", "GOCACHE", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	caches := strings.Fields(string(goEnv))
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	// Nothing of the caller's PATH may get into the kernels except the go command.
	bin := t.TempDir()
	if err := os.Symlink(goCommand, filepath.Join(bin, "go")); err != nil {
		t.Fatal(err)
	}
	// The interpreter itself: a version manager's stand-in depends on HOME.
	python, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		t.Skip("needs Python")
	}
	if err := os.Symlink(strings.TrimSpace(string(python)), filepath.Join(bin, "python3")); err != nil {
		t.Fatal(err)
	}
	for _, entry := range os.Environ() {
		key, _, _ := strings.Cut(entry, "=")
		if !slices.Contains([]string{"HOME", "PATH", "XDG_DATA_HOME", "BIRNN_HOME", "JUPYTER_DATA_DIR", "JUPYTER_PATH", "PJRT_PLUGIN_LIBRARY_PATH", "GOMLX_BACKEND"}, key) {
			w.env = append(w.env, entry)
		}
	}
	w.env = append(w.env, "HOME="+w.home, "PATH="+bin+":/usr/bin:/bin",
		"GOCACHE="+caches[0], "GOMODCACHE="+caches[1], "PIP_CACHE_DIR="+filepath.Join(cache, "pip"),
		"GOFLAGS=-mod=mod", "GOWORK=off", "GOMLX_BACKEND=nonsense")
	return w
}

// run runs the program and returns its exit code and output.
func (w *world) run(dir string, args ...string) (code int, out, errOut string) {
	w.t.Helper()
	cmd := w.command(dir, args...)
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	if cmd.ProcessState == nil {
		w.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), o.String(), e.String()
}

func (w *world) command(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command(w.program, args...)
	cmd.Dir, cmd.Env = dir, w.env
	return cmd
}

// listing returns the paths in the home folder, without the caches of Go, pip and Jupyter and without Go's telemetry.
func (w *world) listing() []string {
	var paths []string
	err := filepath.WalkDir(w.home, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(w.home, path)
		switch rel {
		case ".cache", "go", ".config/go", "Library/Caches", "Library/Application Support/go/telemetry", ".rustup":
			return fs.SkipDir
		case ".config":
			return err
		}
		paths = append(paths, rel)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return paths
}

func notebook(t *testing.T, dir, name string, cells ...string) string {
	t.Helper()
	type cell map[string]any
	all := []cell{{"cell_type": "markdown", "metadata": cell{}, "id": "t", "source": "# A heading, which counts for nothing"}}
	for i, source := range cells {
		all = append(all, cell{"cell_type": "code", "metadata": cell{}, "id": string(rune('a' + i)), "source": source, "outputs": []any{}, "execution_count": nil})
	}
	data, err := json.Marshal(cell{"nbformat": 4, "nbformat_minor": 5, "metadata": cell{}, "cells": all})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

const cellDot = `import (
	"os"
	"github.com/gomlx/compute"
	_ "github.com/gomlx/compute/gobackend"
	. "github.com/gomlx/gomlx/core/graph"
	@IMPORT@
)
func dot(a, b *Node) *Node { return Dot(a, b).Product() }
%%
backend, err := compute.NewWithConfig(os.Getenv("GOMLX_BACKEND"))
if err != nil {
	panic(err)
}
dir, _ := os.Getwd()
fmt.Println(dir, os.Getenv("GOMLX_BACKEND"), MustNewExec(backend, dot).MustCall([]float32{1, 2, 3}, []float32{4, 5, 6})[0])`

func TestLongEndToEnd(t *testing.T) {
	w := newWorld(t)
	before := w.listing()
	dir := t.TempDir()

	code, out, errOut := w.run(dir, "run", "absent.ipynb")
	if code != 2 || !slices.Equal(before, w.listing()) {
		t.Errorf("a notebook that is not there: exit code %d, %s%s", code, out, errOut)
	}
	start := time.Now()
	if code, out, errOut = w.run(dir, "install", "--user"); code != 0 {
		t.Fatalf("install: exit code %d\n%s%s", code, out, errOut)
	}
	t.Logf("install took %v\n%s%s", time.Since(start).Round(time.Second), errOut, out)
	if code, out, errOut = w.run(dir, "install", "--user"); code != 0 || errOut != "" {
		t.Errorf("a second install does something: exit code %d\n%s%s", code, out, errOut)
	}

	kernels := []string{"birnn-go"}
	if strings.Contains(out, "birnn-xla") {
		kernels = append(kernels, "birnn-xla")
	} else if _, err := exec.LookPath("cc"); err == nil {
		t.Errorf("there is a C compiler and no birnn-xla: %s", out)
	}
	for _, kernel := range kernels {
		t.Run(kernel, func(t *testing.T) { w.testKernel(t, kernel) })
	}
	t.Run("interrupt", w.testInterrupt)
	t.Run("lab", w.testLab)
	t.Run("doctor", func(t *testing.T) {
		code, out, errOut := w.run(dir, "doctor")
		if code != 0 || !strings.Contains(out, "(1, 2, 3) · (4, 5, 6) = 32") || !strings.Contains(out, "Everything works.") {
			t.Errorf("exit code %d\n%s%s", code, out, errOut)
		}
		// The only problem names the command that repairs it.
		gopls := filepath.Join(w.home, ".local", "share", "birnn", "bin", "gopls")
		if runtime.GOOS == "linux" && os.Remove(gopls) == nil {
			code, out, errOut = w.run(dir, "doctor", "-json")
			var report struct {
				Checks []struct {
					OK        bool
					Name, Fix string
				}
			}
			if err := json.Unmarshal([]byte(out), &report); err != nil {
				t.Fatalf("%v: %s%s", err, out, errOut)
			}
			var wrong []string
			for _, c := range report.Checks {
				if !c.OK {
					wrong = append(wrong, c.Name+": "+c.Fix)
				}
			}
			if code != 1 || len(wrong) != 1 || !strings.HasPrefix(wrong[0], "gopls") || !strings.HasSuffix(wrong[0], "go run ./kernels install") {
				t.Errorf("exit code %d, wrong is %q", code, wrong)
			}
			if code, out, errOut := w.run(dir, "install"); code != 0 || strings.Count(errOut, "✓") != 1 {
				t.Errorf("repair: exit code %d\n%s%s", code, out, errOut)
			}
		}
	})

	if code, out, errOut = w.run(dir, "uninstall"); code != 0 {
		t.Errorf("uninstall: exit code %d\n%s%s", code, out, errOut)
	}
	if after := w.listing(); !slices.Equal(before, after) {
		t.Errorf("uninstall left %q, before there was %q", after, before)
	}
	w.nothingRuns(t)
}

// TestLongNewerGo installs with a Go that does not compile GoMLX with SIMD instructions. The pure-Go kernel uses the pinned
// Go and, if GOTOOLCHAIN forbids its download, has no SIMD instructions. XLA's kernel uses the newer Go.
func TestLongNewerGo(t *testing.T) {
	const newer = "go1.27.4"
	w := newWorld(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("GoMLX has SIMD instructions for amd64 only")
	}
	w.env = append(w.env, "GOTOOLCHAIN="+newer)
	before := w.listing()
	dir := t.TempDir()
	kernels := func(t *testing.T, pureGo string, said string, flags ...string) {
		t.Helper()
		code, out, errOut := w.run(dir, append([]string{"install"}, flags...)...)
		if code != 0 || !strings.Contains(out, said) {
			t.Fatalf("install: exit code %d, want that it says %q\n%s%s", code, said, errOut, out)
		}
		versions := map[string]string{"birnn-go": pureGo}
		if strings.Contains(out, "birnn-xla") {
			versions["birnn-xla"] = newer
		}
		code, out, errOut = w.run(dir, append([]string{"doctor"}, flags...)...)
		if code != 0 || !strings.Contains(out, said) || !strings.Contains(out, "Everything works.") {
			t.Errorf("doctor: exit code %d, want that it says %q\n%s%s", code, said, out, errOut)
		}
		for kernel, version := range versions {
			imports := map[string]string{"birnn-go": `"runtime"`, "birnn-xla": "\"runtime\"\n\t_ \"github.com/gomlx/go-xla/compute/xla\""}[kernel]
			path := notebook(t, dir, kernel+".ipynb", strings.ReplaceAll(cellDot, "@IMPORT@", imports)+"\nfmt.Println(\"by \" + runtime.Version())")
			executed := t.TempDir()
			code, out, errOut := w.run(dir, append([]string{"run", "-kernel", kernel, "-o", executed, path}, flags...)...)
			if code != 0 {
				t.Errorf("%s: exit code %d\n%s%s", kernel, code, out, errOut)
				continue
			}
			data, err := os.ReadFile(filepath.Join(executed, kernel+".ipynb"))
			if err != nil || !strings.Contains(string(data), "float32(32)") || !strings.Contains(string(data), `by `+version+`\n`) {
				t.Errorf("%s: want 32 by %s (%v)\n%s", kernel, version, err, data)
			}
		}
	}
	kernels(t, simd.Go+"-X:simd", "with SIMD instructions, built by "+simd.Go)

	// The newer Go alone, with the same Jupyter.
	goroot, err := exec.Command("env", "GOTOOLCHAIN="+newer, "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	jupyter, _ := filepath.Glob(filepath.Join(w.home, ".local", "share", "birnn", "env-*", "bin", "jupyter"))
	if len(jupyter) != 1 {
		t.Fatalf("found the commands %q, want one", jupyter)
	}
	path := filepath.Join(strings.TrimSpace(string(goroot)), "bin")
	for i, entry := range w.env {
		if rest, ok := strings.CutPrefix(entry, "PATH="); ok {
			w.env[i] = "PATH=" + path + ":" + rest
		}
	}
	w.env = append(w.env, "GOTOOLCHAIN=local")
	kernels(t, newer, "without SIMD instructions, several times slower: "+newer, "-dir", filepath.Join(w.home, "plain"), "-jupyter", jupyter[0])

	for _, flags := range [][]string{{"-dir", filepath.Join(w.home, "plain")}, nil} {
		if code, out, errOut := w.run(dir, append([]string{"uninstall"}, flags...)...); code != 0 {
			t.Errorf("uninstall %q: exit code %d\n%s%s", flags, code, out, errOut)
		}
	}
	if after := w.listing(); !slices.Equal(before, after) {
		t.Errorf("uninstall left %q, before there was %q", after, before)
	}
	w.nothingRuns(t)
}

func (w *world) testKernel(t *testing.T, kernel string) {
	dir, out := t.TempDir(), filepath.Join(t.TempDir(), "executed")
	backend := map[string]string{"birnn-go": "", "birnn-xla": `_ "github.com/gomlx/go-xla/compute/xla"`}[kernel]
	pass := notebook(t, dir, "pass.ipynb", strings.ReplaceAll(cellDot, "@IMPORT@", backend), "", "%%\nfmt.Println(\"second cell\")")
	untouched, err := os.ReadFile(pass)
	if err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := w.run("/", "run", "-kernel", kernel, "-o", out, pass)
	if code != 0 || stderr != "" {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"[1/2] import (", "[2/2] %%", "2 cells ran in"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	if now, err := os.ReadFile(pass); err != nil || !bytes.Equal(now, untouched) {
		t.Errorf("the notebook itself was changed (%v)", err)
	}
	executed, err := os.ReadFile(filepath.Join(out, "pass.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	real, _ := filepath.EvalSymlinks(dir)
	for _, want := range []string{real + " " + map[string]string{"birnn-go": "go", "birnn-xla": "xla:cpu"}[kernel] + " float32(32)", "second cell", "language_info"} {
		if !strings.Contains(string(executed), want) {
			t.Errorf("the executed copy has no output %q:\n%s", want, executed)
		}
	}

	failing := notebook(t, dir, "fail.ipynb", "%%\nfmt.Println(\"before\")", "%%\nfmt.Println(\"so far\")\npanic(\"it broke\")", "%%\nfmt.Println(\"never\")")
	code, stdout, stderr = w.run(dir, "run", "-kernel", kernel, "-o", out, failing, pass)
	if code != 1 {
		t.Errorf("a failing cell: exit code %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{"✓ [1/3]", "✗ [2/3]", "cell 2 of fail.ipynb", `panic("it broke")`, "panic: it broke", "so far", "what ran is saved"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is missing in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "never") || strings.Contains(stdout, "pass.ipynb") {
		t.Errorf("it went on after the failing cell:\n%s", stdout)
	}
	if executed, err := os.ReadFile(filepath.Join(out, "fail.ipynb")); err != nil || !strings.Contains(string(executed), "so far") {
		t.Errorf("the executed copy lacks the failing cell's output: %v\n%s", err, executed)
	}

	wrong := notebook(t, dir, "wrong.ipynb", "func f() int { return undefinedName }")
	code, stdout, _ = w.run(dir, "run", "-kernel", kernel, wrong)
	if code != 1 || !strings.Contains(stdout, "undefined: undefinedName") {
		t.Errorf("a cell that does not compile: exit code %d\n%s", code, stdout)
	}

	slow := notebook(t, dir, "slow.ipynb", "%%\ntime.Sleep(time.Hour)")
	code, stdout, _ = w.run(dir, "run", "-kernel", kernel, "-timeout", "3s", slow)
	if code != 1 || !strings.Contains(stdout, "longer than 3") {
		t.Errorf("a cell that takes too long: exit code %d\n%s", code, stdout)
	}
	w.nothingRuns(t)
}

// testInterrupt presses Ctrl-C while a cell runs.
func (w *world) testInterrupt(t *testing.T) {
	dir := t.TempDir()
	marker := filepath.Join(dir, "running")
	slow := notebook(t, dir, "slow.ipynb", "%%\nos.WriteFile(\""+marker+"\", nil, 0o644)\ntime.Sleep(time.Hour)")
	cmd := w.command(dir, "run", "-kernel", "birnn-go", slow)
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, func() bool { _, err := os.Stat(marker); return err == nil })
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(errOut.String(), "interrupted") {
		t.Errorf("exit code %d: %s", code, errOut.String())
	}
	w.nothingRuns(t)
}

// testLab opens JupyterLab, checks that it answers, and presses Ctrl-C.
func (w *world) testLab(t *testing.T) {
	cmd := w.command(t.TempDir(), "lab", "-no-browser", "-lang", "en")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	cmd.Stderr = &errOut
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	address := ""
	for address == "" && lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, "http") {
			address = line
		}
	}
	if address == "" {
		cmd.Wait()
		t.Fatalf("no address: %s", errOut.String())
	}
	response, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("%s answers %s", address, response.Status)
	}
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, errOut.String())
	}
	w.nothingRuns(t)
}

// nothingRuns checks that no process of the installation is left.
func (w *world) nothingRuns(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		return
	}
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(w.home)) {
			t.Errorf("still running: %s", bytes.ReplaceAll(line, []byte{0}, []byte{' '}))
		}
	}
}

func waitFor(t *testing.T, ready func() bool) {
	t.Helper()
	for range 1200 {
		if ready() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatal("timed out after two minutes")
}
