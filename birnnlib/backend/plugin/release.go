package plugin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/gomlx/go-xla/installer"
)

// releaseVersion is the release of the CPU plugin that go-xla v0.4.5 was tested with: its pjrt.DefaultCPUVersion, which
// is in a package that needs cgo.
const releaseVersion = "v0.114.0"

// fetchRelease downloads the CPU plugin from go-xla's release page into dir.
//
// go-xla's installer determines the URL and unpacks the archive. Its download is not used: it cannot be cancelled,
// accepts an error page as the archive, and leaves its temporary file behind when it fails.
func fetchRelease(ctx context.Context, dir string, opts Options) (fetched, error) {
	platform := runtime.GOOS + "_" + runtime.GOARCH
	url, err := assetURL(ctx, platform)
	if err != nil {
		return fetched{}, fmt.Errorf("find %s for %s on go-xla's release page: %w", releaseVersion, platform, err)
	}
	archive := filepath.Join(dir, path.Base(url))
	if err := download(ctx, url, archive, opts); err != nil {
		return fetched{}, err
	}
	unpacked := filepath.Join(dir, "unpacked")
	if err := os.Mkdir(unpacked, 0o755); err != nil {
		return fetched{}, err
	}
	unpack := installer.Untar
	if strings.HasSuffix(archive, ".zip") {
		unpack = installer.Unzip
	}
	files, err := unpack(archive, unpacked)
	if err != nil {
		return fetched{}, fmt.Errorf("unpack %s, which may be truncated: %w", url, err)
	}
	if err := ctx.Err(); err != nil {
		return fetched{}, err
	}
	for _, file := range files {
		info, err := os.Lstat(file)
		if err != nil || !info.Mode().IsRegular() || !strings.HasPrefix(rawName(filepath.Base(file)), "cpu") {
			continue
		}
		sum, err := hashFile(file)
		if err != nil {
			return fetched{}, err
		}
		// The name in the archive has the version. Under another name, go-xla's installer would download the plugin
		// again.
		return fetched{
			file:   file,
			name:   filepath.Base(file),
			record: Record{Source: Release, Package: path.Base(url), Version: releaseVersion, SHA256: sum},
		}, nil
	}
	return fetched{}, fmt.Errorf("%s has no CPU plugin among its %d files", url, len(files))
}

// assetURL returns the URL of the archive. The installer's function takes no context, so assetURL abandons it when ctx
// ends.
func assetURL(ctx context.Context, platform string) (string, error) {
	type answer struct {
		url string
		err error
	}
	answers := make(chan answer, 1)
	go func() {
		url, err := installer.CPUGetDownloadURL(platform, releaseVersion)
		answers <- answer{url, err}
	}()
	select {
	case a := <-answers:
		return a.url, a.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func download(ctx context.Context, url, file string, opts Options) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("download the plugin: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("download %s: the server answered %s", url, response.Status)
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	bar := startProgress(opts.Progress, path.Base(url)+" "+releaseVersion, response.ContentLength)
	_, err = io.Copy(io.MultiWriter(out, bar), response.Body)
	bar.Finish()
	if err = errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("download %s: %w", url, err)
	}
	return nil
}
