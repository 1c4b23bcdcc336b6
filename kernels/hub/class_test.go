//go:build linux

package hub

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"birnn/internal/testall"
	"birnn/kernels/internal/process"
)

// class is an installation by install.sh in a temporary directory, with a group and accounts on this machine.
type class struct {
	t       *testing.T
	ctx     context.Context // ends with an interrupt, and a minute before the test's deadline, for the cleanup
	shared  string
	group   string
	path    string // a PATH with only the go command of the caller's
	url     string // of the hub
	hub     *exec.Cmd
	ended   chan struct{} // closed when the hub has ended
	log     string
	meeting string // a directory in which students exchange files
}

func newClass(t *testing.T) *class {
	testall.Long(t) // it installs JupyterHub and adds accounts to this machine for a while
	if os.Geteuid() != 0 {
		testall.Missing(t, "root, to add accounts")
	}
	for _, command := range []string{"useradd", "chpasswd", "runuser", "python3", "npm", "cc"} {
		if _, err := exec.LookPath(command); err != nil {
			testall.Missing(t, "%v", err)
		}
	}
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := signal.NotifyContext(t.Context(), os.Interrupt, syscall.SIGTERM)
	t.Cleanup(cancel)
	if deadline, ok := t.Deadline(); ok {
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-time.Minute))
		t.Cleanup(cancel)
	}
	c := &class{t: t, ctx: ctx, group: "birnn-" + strings.ToLower(rand.Text()[:6]),
		path: filepath.Dir(goCommand) + ":/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
	if c.shared, err = os.MkdirTemp("", "birnn-class-"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		process.EndThoseWith(c.shared) // the proxy, if the hub was killed
		if err := os.RemoveAll(c.shared); err != nil {
			t.Error(err)
		}
	})
	must(t, os.Chmod(c.shared, 0o755))
	c.log, c.meeting = filepath.Join(c.shared, "hub.log"), filepath.Join(c.shared, "meeting")
	must(t, os.Mkdir(c.meeting, 0o755))
	must(t, os.Chmod(c.meeting, 0o777))
	c.run("", "groupadd", c.group)
	t.Cleanup(func() { c.tidy("groupdel", c.group) })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// environ returns the changes of the environment, which keep out the caller's settings.
func (c *class) environ(more ...string) []string {
	return append(more, "PATH="+c.path, "GOFLAGS=", "GOWORK", "GOEXPERIMENT", "BIRNN_HOME", "GOMLX_BACKEND", "JUPYTER_PATH", "JUPYTER_DATA_DIR", "XDG_DATA_HOME", "XDG_CACHE_HOME")
}

func (c *class) run(input, name string, args ...string) string {
	c.t.Helper()
	out, err := process.Run(c.ctx, process.Options{Env: c.environ(), Stdin: strings.NewReader(input)}, name, args...)
	must(c.t, err)
	return out
}

// tidy runs a command after the test's context may have ended.
func (c *class) tidy(name string, args ...string) {
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		c.t.Errorf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// install copies the repository and runs install.sh, as a teacher does.
func (c *class) install() {
	begin := time.Now()
	from, err := filepath.Abs("../..")
	must(c.t, err)
	root := filepath.Join(c.shared, "src")
	for _, name := range []string{"birnnlib", "internal", "kernels", "notebooks"} {
		must(c.t, os.CopyFS(filepath.Join(root, name), os.DirFS(filepath.Join(from, name))))
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(from, name))
		must(c.t, err)
		must(c.t, os.WriteFile(filepath.Join(root, name), data, 0o644))
	}
	goEnv := strings.Fields(c.run("", "go", "env", "GOMODCACHE", "GOPROXY"))
	// Modules in the module cache are not downloaded again.
	proxy := "GOPROXY=file://" + goEnv[0] + "/cache/download," + goEnv[1]
	out, err := process.Run(c.ctx, process.Options{Env: c.environ(proxy)}, "sh", filepath.Join(root, "kernels", "hub", "install.sh"))
	if err != nil {
		c.t.Fatalf("install.sh: %v\n%s", err, out)
	}
	c.t.Logf("installed in %v", time.Since(begin).Round(time.Second))
}

// start starts the hub as a teacher does, except for the ports and the group.
func (c *class) start() {
	var ports [3]int
	for i := range ports {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		must(c.t, err)
		ports[i] = l.Addr().(*net.TCPAddr).Port
		l.Close()
	}
	c.url = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	log, err := os.Create(c.log)
	must(c.t, err)
	defer log.Close()
	c.hub = process.Command(c.ctx, process.Options{Env: c.environ(), Grace: 30 * time.Second}, filepath.Join(c.shared, "jupyter", "bin", "jupyterhub"),
		"-f", filepath.Join(c.shared, "src", "kernels", "hub", "jupyterhub_config.py"), "--JupyterHub.bind_url="+c.url,
		fmt.Sprintf("--JupyterHub.hub_port=%d", ports[1]), fmt.Sprintf("--ConfigurableHTTPProxy.api_url=http://127.0.0.1:%d", ports[2]),
		"--PAMAuthenticator.allowed_groups="+c.group)
	c.hub.Stdout, c.hub.Stderr = log, log
	begin := time.Now()
	must(c.t, c.hub.Start())
	c.ended = make(chan struct{})
	go func() {
		c.hub.Wait()
		close(c.ended)
	}()
	c.t.Cleanup(func() {
		c.stop()
		if c.t.Failed() {
			log, _ := os.ReadFile(c.log)
			c.t.Logf("the hub's log:\n%s", log)
		}
	})
	waitFor(c.t, "the hub to answer", func() bool {
		select {
		case <-c.ended:
			c.t.Fatal("the hub has ended")
		default:
		}
		response, err := client.Get(c.url + "/hub/health")
		if err != nil {
			return false
		}
		response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
	c.t.Logf("the hub answers after %v", time.Since(begin).Round(100*time.Millisecond))
}

// stop ends the hub as Ctrl-C or a service manager does.
func (c *class) stop() {
	c.hub.Process.Signal(syscall.SIGTERM)
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		c.t.Error("the hub does not end when it is asked to")
		c.hub.Process.Kill()
	}
	process.End(c.hub)
}

// waitFor waits until so returns true.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begin := time.Now(); !so(); time.Sleep(50 * time.Millisecond) {
		if time.Since(begin) > 2*time.Minute {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// add adds an account with a private home directory.
func (c *class) add(suffix string) *student {
	s := &student{class: c, name: c.group + suffix, password: rand.Text()}
	c.run("", "useradd", "-m", "-b", c.shared, "-K", "HOME_MODE=0700", "-G", c.group, s.name)
	c.t.Cleanup(func() { c.tidy("userdel", "-r", s.name) })
	account, err := user.Lookup(s.name)
	must(c.t, err)
	s.home = account.HomeDir
	s.uid, err = strconv.Atoi(account.Uid)
	must(c.t, err)
	c.t.Cleanup(func() {
		if left := s.processes(); len(left) > 0 {
			c.t.Errorf("processes of %s are left: %q", s.name, left)
			exec.Command("pkill", "-KILL", "-u", s.name).Run()
			waitFor(c.t, "their end", func() bool { return len(s.processes()) == 0 })
		}
	})
	c.run(s.name+":"+s.password, "chpasswd")
	return s
}

// processes returns the command lines of the student's processes.
func (s *student) processes() []string {
	return running(func(dir string) bool {
		info, err := os.Stat(dir)
		return err == nil && int(info.Sys().(*syscall.Stat_t).Uid) == s.uid
	})
}

// running returns the command lines of the processes that which selects by their directory in /proc.
func running(which func(dir string) bool) []string {
	var lines []string
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range dirs {
		if line, err := os.ReadFile(filepath.Join(dir, "cmdline")); err == nil && len(line) > 0 && which(dir) {
			lines = append(lines, strings.TrimSpace(strings.ReplaceAll(string(line), "\x00", " ")))
		}
	}
	return lines
}

// listing lists the files in the named subdirectories of dir, with modes, times and sizes.
func listing(dir string, names ...string) (all []string) {
	for _, name := range names {
		filepath.WalkDir(filepath.Join(dir, name), func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := d.Info()
			all = append(all, fmt.Sprint(path, info.Mode(), info.ModTime(), info.Size()))
			return err
		})
	}
	return all
}
