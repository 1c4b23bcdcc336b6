package front

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"birnn/kernels/internal/client"
	"birnn/kernels/internal/events"
	"birnn/kernels/internal/kept"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// child is a GoNB process whose only client is the front.
type child struct {
	*client.Client
	guard   *exec.Cmd
	hold    io.WriteCloser // closing it ends the guard, GoNB and its descendants
	pidFile string
	cancel  context.CancelFunc
	ended   chan struct{} // closed when the process has ended
}

// childConfig is the configuration of a child.
type childConfig struct {
	gonb string
	root string   // root of the module that cells can import
	env  []string // changes of the environment
	dir  string   // directory of its connection file
	name string   // name of that file, from which GoNB takes the kernel's identifier
	log  io.Writer
	logf func(string, ...any)

	input, orphan func(*wire.Message)
}

// startChild starts GoNB and waits until it answers.
func startChild(ctx context.Context, config childConfig) (*child, error) {
	connection, err := wire.Loopback()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(config.dir, "gonb-")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, config.name)
	self, err := os.Executable()
	if err := errors.Join(err, connection.Write(file)); err != nil {
		return nil, err
	}
	c := &child{ended: make(chan struct{}), pidFile: filepath.Join(dir, "pid")}
	ctx, c.cancel = context.WithCancel(ctx)
	c.guard = exec.Command(self, "guard", config.dir, c.pidFile, config.gonb, "-kernel", file, "-raw_error=true", "-go_work="+config.root,
		"-logtostderr=false", "-stderrthreshold=FATAL", "-log_file="+filepath.Join(dir, "gonb.log"))
	c.guard.Env = process.Environ(os.Environ(), config.env)
	c.guard.Stdout, c.guard.Stderr = config.log, config.log
	c.guard.WaitDelay = 100 * time.Millisecond // GoNB has the same pipes and may outlive a killed guard
	if c.hold, err = c.guard.StdinPipe(); err != nil {
		return nil, err
	}
	if err := c.guard.Start(); err != nil {
		return nil, fmt.Errorf("cannot start GoNB: %w", err)
	}
	go func() {
		c.guard.Wait()
		c.kill() // in case the guard was killed
		close(c.ended)
		c.cancel()
	}()
	if c.Client, err = client.Connect(ctx, connection, c.ended, config.input, config.orphan, config.logf); err != nil {
		c.stop()
		return nil, fmt.Errorf("GoNB: %w", err)
	}
	return c, nil
}

// pid returns the process ID of GoNB, or 0.
func (c *child) pid() int {
	data, _ := os.ReadFile(c.pidFile)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(data)))
	return pid
}

// killWork kills the descendants of GoNB.
func (c *child) killWork() {
	if pid := c.pid(); pid > 0 {
		process.KillDescendants(pid)
	}
}

// kill kills GoNB and its descendants, in case its guard has not. Its process ID cannot have been reused yet: the guard
// has just ended.
func (c *child) kill() {
	if pid := c.pid(); pid > 0 {
		process.KillTree(pid)
	}
}

// dismiss has the guard end GoNB and its descendants.
func (c *child) dismiss() {
	io.WriteString(c.hold, process.Dismissed)
	c.hold.Close()
}

// stop ends GoNB and its descendants and waits for them.
func (c *child) stop() {
	c.dismiss()
	select {
	case <-c.ended:
	case <-time.After(5 * time.Second): // the guard hangs
		c.guard.Process.Kill()
		<-c.ended
	}
	c.cancel()
	if c.Client != nil {
		c.Close()
	}
}

// theChild waits for GoNB to start and returns it.
func (f *Front) theChild() (*child, error) {
	f.mu.Lock()
	ready := f.childReady
	f.mu.Unlock()
	<-ready
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.child, f.childErr
}

func (f *Front) childConfig() childConfig {
	os.MkdirAll(f.temp(), 0o700)
	shims := filepath.Join(f.config.Bin, "shims")
	path := []string{shims}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.Clean(dir) != filepath.Clean(f.config.Bin) { // so that GoNB starts no gopls: the front has one
			path = append(path, dir)
		}
	}
	return childConfig{
		gonb: filepath.Join(f.config.Bin, "gonb"), root: f.config.Root, dir: f.run, name: filepath.Base(f.config.ConnectionFile),
		env: []string{
			"PATH=" + strings.Join(path, string(os.PathListSeparator)), "BIRNN_GO=" + goCommand(),
			events.Env + "=" + f.run, "BIRNN_OUTPUT=" + f.outputs, fmt.Sprintf("BIRNN_OUTPUT_LIMIT=%d", outputLimit),
			kept.Env + "=" + f.keepDir(), "TMPDIR=" + f.temp(), "BIRNN_FRONT=1", "BIRNN_ROOT=" + f.config.Root,
			// A build goes nowhere; the shim gives shell commands the user's proxy.
			"GOPROXY=off", "BIRNN_GOPROXY=" + f.config.Proxy,
		},
		log: f.config.Log, logf: f.log.Printf, input: f.requestInput, orphan: f.publishOrphan,
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
