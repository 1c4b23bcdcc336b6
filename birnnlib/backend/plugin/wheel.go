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
