package plugin

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"

	"birnn/internal/python"
)

// pin is a wheel on PyPI and the plugin in it.
type pin struct {
	name, version string
	platform      string // the platform tag
	sha256        string // of the wheel
	size          int64  // of the wheel, in bytes, for the progress bar
	member        string // path of the plugin inside the wheel
	memberSHA256  string
	file          string // the plugin's file name when installed
}

// cpuWheel was chosen among the wheels on PyPI with a PJRT CPU plugin for its provenance: its METADATA names the public
// build (zml/pjrt-artifacts, manual-2026-06-23) of which it is an unmodified copy, so its hash can be verified. Its
// PJRT API, 0.106, is also the closest to the 0.104 that go-xla v0.4.5 is compiled against, and it includes the C++
// library: it needs only glibc 2.27. It is large: 63 MB to download, 274 MB on disk. (lammps-jax-pjrt-cpu 0.11.2 works
// as well, with 63 and 202 MB; it is a private build and needs the system's libstdc++.)
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

// fetchWheel downloads a pinned wheel with pip into dir and unpacks its plugin.
func fetchWheel(ctx context.Context, p pin, dir string, opts Options) (fetched, error) {
	if onMusl() {
		return fetched{}, errors.New("the plugin needs glibc, but this system has musl")
	}
	interpreter, err := python.Find(ctx, python.Output, opts.Python, "", "pip")
	if err != nil {
		return fetched{}, fmt.Errorf("%w: install pip (on Debian: apt install python3-pip), name another interpreter, or use the source %q", err, Release)
	}
	bar := startProgress(opts.Progress, p.name+" "+p.version, p.size)
	stop := watch(dir, bar)
	wheel, err := python.Distribution{Name: p.name, Version: p.version, SHA256: p.sha256, Platform: p.platform}.
		Download(ctx, interpreter, dir, opts.PipArgs...)
	stop()
	bar.Finish()
	if err != nil {
		return fetched{}, err
	}
	file := filepath.Join(dir, p.file)
	if err := extract(ctx, wheel, p.member, file); err != nil {
		return fetched{}, err
	}
	sum, err := hashFile(file)
	if err != nil {
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

// watch sets the bar to the size of the files in dir until stop is called. pip's own bar shows only on terminals and
// cannot be read by another program.
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
					return nil // pip creates and removes files meanwhile
				})
				bar.Set64(min(sum, bar.GetMax64()))
			}
		}
	}()
	return func() { close(quit); <-done }
}

// extract unpacks one file of a zip archive and checks its CRC.
func extract(ctx context.Context, archive, member, file string) error {
	r, err := zip.OpenReader(archive)
	if err != nil {
		return fmt.Errorf("open %s: %w", filepath.Base(archive), err)
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
		return fmt.Errorf("unpack %s: %w", member, err)
	}
	return nil
}

// contextReader fails when its context ends.
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

// onMusl reports whether the C library is musl instead of glibc. No plugin supports it: go-xla would panic when loading
// one.
func onMusl() bool {
	glibc, _ := filepath.Glob("/lib*/ld-linux*")
	musl, _ := filepath.Glob("/lib/ld-musl-*")
	return len(glibc) == 0 && len(musl) > 0
}
