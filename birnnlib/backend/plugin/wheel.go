package plugin

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// pin is a wheel on PyPI and the one file in it that is wanted.
type pin struct {
	name, version string
	platform      string // its platform tag
	sha256        string // of the wheel
	size          int64  // of the wheel, in bytes, for the progress bar
	member        string // path of the plugin inside the wheel
	memberSHA256  string
	file          string // what the plugin is called where go-xla looks
}

// cpuWheel was chosen among the wheels on PyPI that carry a PJRT CPU plugin for
// its provenance: its METADATA names the public build (zml/pjrt-artifacts,
// manual-2026-06-23) of which it is an unmodified copy, so the hash below can be
// compared with something. Its PJRT API, 0.106, is also the nearest to the 0.104
// that go-xla v0.4.1 is compiled against, and it brings its own C++ library:
// it needs nothing of the system but glibc 2.27. The price is its size, 63 MB to
// fetch and 274 MB on disk. (lammps-jax-pjrt-cpu 0.11.2 works as well, in 63
// and 202 MB; it is its author's own build and needs the system's libstdc++.)
var cpuWheel = pin{
	name:         "fastatomstruct-xla-cpu",
	version:      "2026.6.23",
	platform:     "manylinux_2_27_x86_64",
	sha256:       "88b1c430b341b4bea40a37420311c9c75db6e22b46d2ff95b6986577bee6afe9",
	size:         63200622,
	member:       "fastatomstruct_xla_cpu/libpjrt_cpu.so",
	memberSHA256: "0a0fe56ca17be9efc7b942e89e534e5e0ad4a0f1e369b66d27b62184509015b9",
	file:         "pjrt_c_api_cpu_plugin.so",
}

// fetchWheel fetches a pinned wheel with pip into dir and unpacks its plugin.
func fetchWheel(ctx context.Context, p pin, dir string, opts Options) (fetched, error) {
	if onMusl() {
		return fetched{}, errors.New("the plugin needs glibc, and this system has musl")
	}
	python, err := findPython(ctx, opts.Python)
	if err != nil {
		return fetched{}, err
	}
	wheel, err := pipDownload(ctx, python, p, dir, opts)
	if err != nil {
		return fetched{}, err
	}
	sum, err := hashFile(wheel)
	if err != nil {
		return fetched{}, err
	}
	if sum != p.sha256 {
		return fetched{}, fmt.Errorf("the wheel %s has sha256 %s, expected %s: it was altered on the way, or the index is not PyPI's",
			filepath.Base(wheel), sum, p.sha256)
	}
	file := filepath.Join(dir, p.file)
	if err := extract(ctx, wheel, p.member, file); err != nil {
		return fetched{}, err
	}
	if sum, err = hashFile(file); err != nil {
		return fetched{}, err
	}
	if sum != p.memberSHA256 {
		return fetched{}, fmt.Errorf("%s unpacked from %s has sha256 %s, expected %s", p.member, filepath.Base(wheel), sum, p.memberSHA256)
	}
	return fetched{
		file:   file,
		name:   p.file,
		record: Record{Source: Wheel, Package: p.name, Version: p.version, SHA256: sum},
	}, nil
}

// findPython returns the interpreter whose pip is used.
func findPython(ctx context.Context, asked string) (string, error) {
	names := []string{"python3", "python"}
	if asked != "" {
		names = []string{asked}
	}
	var tried []string
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			tried = append(tried, name+": not found")
			continue
		}
		out, err := exec.CommandContext(ctx, path, "-c", "import pip").CombinedOutput()
		if err == nil {
			return path, nil
		}
		tried = append(tried, fmt.Sprintf("%s: %s", path, lastLine(string(out), err)))
	}
	return "", fmt.Errorf("no Python with pip was found, which fetches the plugin (%s): install pip (on Debian: apt install python3-pip), name another interpreter, or use the source %q",
		strings.Join(tried, "; "), Release)
}

// pipDownload runs "pip download" for p, everything it writes below dir, and
// returns the wheel it fetched.
func pipDownload(ctx context.Context, python string, p pin, dir string, opts Options) (string, error) {
	requirement := filepath.Join(dir, "requirement.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", p.name, p.version, p.sha256)
	if err := os.WriteFile(requirement, []byte(line), 0o644); err != nil {
		return "", err
	}
	tmp, dest := filepath.Join(dir, "tmp"), filepath.Join(dir, "wheel")
	if err := errors.Join(os.Mkdir(tmp, 0o755), os.Mkdir(dest, 0o755)); err != nil {
		return "", err
	}
	args := []string{"-m", "pip", "download",
		"--no-input", "--disable-pip-version-check", "--progress-bar", "off",
		"--no-deps", "--only-binary=:all:", "--require-hashes", "-r", requirement,
		// Named outright, since the pip found may be that of an older Python
		// whose own list of platforms does not have the wheel's.
		"--platform", p.platform, "--python-version", "3.12", "--implementation", "py", "--abi", "none",
		"--dest", dest}
	cmd := exec.CommandContext(ctx, python, append(args, opts.PipArgs...)...)
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, "PIP_REQUIRE_VIRTUALENV=false", "PYTHONUNBUFFERED=1")
	cmd.Dir = dir
	isolate(cmd)
	cmd.WaitDelay = 5 * time.Second

	bar := startProgress(opts.Progress, fmt.Sprintf("%s %s", p.name, p.version), p.size)
	stop := watch(dir, bar)
	out, err := cmd.CombinedOutput()
	stop()
	bar.Finish()
	if err != nil {
		return "", pipError(string(out), err)
	}
	wheels, err := filepath.Glob(filepath.Join(dest, "*.whl"))
	if err != nil {
		return "", err
	}
	if len(wheels) != 1 {
		return "", fmt.Errorf("pip left %d wheels of %s %s, expected one", len(wheels), p.name, p.version)
	}
	return wheels[0], nil
}

// pipError turns pip's output into one message with a remedy.
func pipError(out string, err error) error {
	lower := strings.ToLower(out)
	has := func(texts ...string) bool {
		for _, t := range texts {
			if strings.Contains(lower, t) {
				return true
			}
		}
		return false
	}
	said := lastLine(out, err)
	switch {
	case has("do not match the hashes"):
		return fmt.Errorf("pip refused the wheel: its sha256 is not the pinned one, so it was altered or cut short on the way (pip: %s)", said)
	case has("newconnectionerror", "connection refused", "name resolution", "network is unreachable", "connection broken",
		"timed out", "proxyerror", "remotedisconnected", "connection reset", "max retries", "incompleteread"):
		return fmt.Errorf("pip could not reach its package index: check the network or pip's index and proxy settings, then try again (pip: %s)", said)
	case has("no matching distribution"):
		return fmt.Errorf("pip's package index does not have the pinned wheel: it may be a mirror that lags behind, or there is no network (pip: %s)", said)
	}
	return fmt.Errorf("pip failed: %s", said)
}

// lastLine returns the last line with content of a command's output, or err.
func lastLine(out string, err error) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if last := strings.TrimSpace(lines[len(lines)-1]); last != "" {
		return last
	}
	return err.Error()
}

// watch tells the bar how much has arrived in dir until stop is called. pip's
// own bar shows on terminals only, and cannot be read from outside.
func watch(dir string, bar *progressbar.ProgressBar) (stop func()) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-quit:
				return
			case <-time.After(200 * time.Millisecond):
				var sum int64
				filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
					if err == nil && d.Type().IsRegular() {
						if info, err := d.Info(); err == nil {
							sum += info.Size()
						}
					}
					return nil // files come and go while pip works
				})
				bar.Set64(min(sum, bar.GetMax64()))
			}
		}
	}()
	return func() { close(quit); <-done }
}

// extract unpacks one file of a zip archive; reading it to its end also checks
// its CRC.
func extract(ctx context.Context, archive, member, file string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("opening %s: %w", filepath.Base(archive), err)
	}
	defer r.Close()
	in, err := r.Open(member)
	if err != nil {
		return fmt.Errorf("%s has no %s: %w", filepath.Base(archive), member, err)
	}
	defer in.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, contextReader{ctx, in})
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("unpacking %s: %w", member, err)
	}
	return nil
}

// contextReader stops reading when its context ends.
type contextReader struct {
	ctx context.Context
	io.Reader
}

func (r contextReader) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// onMusl tells a Linux whose C library is not glibc, for which there is no
// plugin: loading it would end go-xla with a panic.
func onMusl() bool {
	glibc, _ := filepath.Glob("/lib*/ld-linux*")
	musl, _ := filepath.Glob("/lib/ld-musl-*")
	return len(glibc) == 0 && len(musl) > 0
}
