package front

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/kernelspec"
)

// theChild waits for GoNB to start and returns it.
func (f *Front) theChild() (*gonb.Process, error) {
	f.mu.Lock()
	ready := f.childReady
	f.mu.Unlock()
	<-ready
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.child, f.childErr
}

func (f *Front) childConfig() gonb.Config {
	os.MkdirAll(f.temp(), 0o700)
	shims := filepath.Join(f.config.Bin, "shims")
	path := []string{shims}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Clean(dir) != filepath.Clean(f.config.Bin) { // so that GoNB starts no gopls: the front has one
			path = append(path, dir)
		}
	}
	return gonb.Config{
		Command: filepath.Join(f.config.Bin, "gonb"), Root: f.config.Root, Run: f.run, Name: filepath.Base(f.config.ConnectionFile),
		Env: []string{
			"PATH=" + strings.Join(path, string(os.PathListSeparator)), "BIRNN_GO=" + goCommand(),
			gonb.RunEnv + "=" + f.run, "BIRNN_OUTPUT=" + f.outputs, fmt.Sprintf("BIRNN_OUTPUT_LIMIT=%d", outputLimit),
			"BIRNN_KEEP=" + f.keepDir(), "BIRNN_KEEP_LASTING=" + f.lastingDir(), "TMPDIR=" + f.temp(), "BIRNN_FRONT=1", "BIRNN_ROOT=" + f.config.Root,
			// A build goes nowhere; the shim gives shell commands the user's proxy.
			"GOPROXY=off", "BIRNN_GOPROXY=" + f.config.Proxy,
		},
		Log: f.config.Log, Logf: f.log.Printf, Input: f.requestInput, Orphan: f.publishOrphan,
	}
}

// temp returns the directory of GoNB's and the cells' temporary files.
func (f *Front) temp() string { return filepath.Join(f.run, "tmp") }

// programDirs returns the directory of GoNB's program, if there is one.
func (f *Front) programDirs() []string {
	dirs, _ := filepath.Glob(filepath.Join(f.temp(), "gonb_*", "go.mod"))
	for i, file := range dirs {
		dirs[i] = filepath.Dir(file)
	}
	return dirs
}

const outputLimit = 1_000_000 // number of bytes of a stream that are shown

func (f *Front) keepDir() string { return filepath.Join(f.run, "kept") }

func (f *Front) lastingDir() string { return filepath.Join(f.config.Project, "kept") }

// goCommand returns the go command that the PATH finds.
func goCommand() string { return kernelspec.FindGo(os.Getenv("PATH")) }

// goVersion returns the version of that go command without "go". It may differ from the Go that built this program.
func goVersion() string {
	version := runtime.Version()
	if real, err := filepath.EvalSymlinks(goCommand()); err == nil {
		if data, err := os.ReadFile(filepath.Join(filepath.Dir(filepath.Dir(real)), "VERSION")); err == nil {
			version, _, _ = strings.Cut(string(data), "\n")
		}
	}
	version, _, _ = strings.Cut(version, "-X:") // "go1.26.8-X:simd"
	return strings.TrimPrefix(version, "go")
}

var errNoChild = errors.New("GoNB could not be started")

// addToWork adds a line to the workspace of GoNB's program.
func (f *Front) addToWork(line string) error {
	for _, dir := range f.programDirs() {
		work, err := os.OpenFile(filepath.Join(dir, "go.work"), os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(work, "\n%s\n", line)
		if err := errors.Join(err, work.Close()); err != nil {
			return err
		}
	}
	return nil
}
