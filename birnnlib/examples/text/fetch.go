package text

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"birnn/internal/atomicfile"
)

// Where the book publishes the lyrics of Jay Chou that its chapter trains on,
// and the archive's hash and size.
const (
	LyricsURL    = "https://raw.githubusercontent.com/d2l-ai/d2l-zh/v1.0.0/data/jaychou_lyrics.txt.zip"
	LyricsSHA256 = "3cfedd7d174111cdad5a27eaffaa6a2432a2842cf2590a03dd8a97610ea07043"
	LyricsBytes  = 52607
)

// published is a file on another server.
type published struct {
	url, sha256 string
	bytes       int64
}

// stallTimeout is how long a server may send nothing before it is given up.
const stallTimeout = 30 * time.Second

// FetchOptions are the options of [FetchLyrics]. The zero value is what most
// callers want.
type FetchOptions struct {
	// URL is where to download from, LyricsURL if empty. A mirror must serve
	// the very same file.
	URL string
	// Client makes the request, http.DefaultClient if nil: that one honours the
	// HTTPS_PROXY of the environment.
	Client *http.Client
	// Progress, if not nil, is called in FetchLyrics' goroutine each time some
	// bytes have arrived: done of total.
	Progress func(done, total int64)

	stall time.Duration // for tests; stallTimeout if 0
}

// DefaultLyricsPath returns where FetchLyrics puts the lyrics by default: in the
// folder birnn of the user's cache directory.
func DefaultLyricsPath() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("lyrics: this user has no cache directory (%w): give a path for them", err)
	}
	return filepath.Join(cache, "birnn", "jaychou_lyrics.txt.zip"), nil
}

// FetchLyrics makes sure that the file dest ([DefaultLyricsPath] if empty) is
// the archive of the Jay Chou lyrics that the book uses, and returns its path,
// for [Read]. The lyrics are under copyright: they are not part of this
// library, and are for private study.
//
// An existing file is left alone: if it is the archive, nothing is downloaded; if
// it is another file, that is an error. A download is first
// checked against [LyricsSHA256] and then put in place by a rename, so dest
// is the whole archive or does not exist, even with several fetches at once.
func FetchLyrics(ctx context.Context, dest string, options FetchOptions) (string, error) {
	if dest == "" {
		var err error
		if dest, err = DefaultLyricsPath(); err != nil {
			return "", err
		}
	}
	lyrics := published{url: LyricsURL, sha256: LyricsSHA256, bytes: LyricsBytes}
	if options.URL != "" {
		lyrics.url = options.URL
	}
	if err := fetch(ctx, lyrics, dest, options); err != nil {
		return "", fmt.Errorf("lyrics: %w", err)
	}
	return dest, nil
}

// fetch makes sure that dest is the published file.
func fetch(ctx context.Context, file published, dest string, options FetchOptions) error {
	present, err := alreadyThere(file, dest)
	if present || err != nil {
		return err
	}
	data, err := download(ctx, file, options)
	if err != nil {
		return err
	}
	if err := place(data, dest); err != nil {
		// On Windows a file that another fetch has just put there, and still
		// reads, cannot be replaced.
		if present, _ := alreadyThere(file, dest); present {
			return nil
		}
		return fmt.Errorf("cannot write %s: %w: choose another path", dest, err)
	}
	return nil
}

// alreadyThere reports whether dest is the published file. Another file is an
// error, since it is not ours to replace.
func alreadyThere(file published, dest string) (bool, error) {
	there, err := os.Open(dest)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot open %s: %w", dest, err)
	}
	defer there.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, there); err != nil {
		return false, fmt.Errorf("cannot read %s: %w: remove it or choose another path", dest, err)
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != file.sha256 {
		return false, fmt.Errorf("%s exists and is another file (its sha256 is %s, expected %s): remove it or choose another path",
			dest, got, file.sha256)
	}
	return true, nil
}

// download returns the published file, checked. It fits in memory, so nothing
// is written to disk before the check.
func download(ctx context.Context, file published, options FetchOptions) ([]byte, error) {
	client := options.Client
	if client == nil {
		client = http.DefaultClient
	}
	stall := options.stall
	if stall == 0 {
		stall = stallTimeout
	}
	// The request ends when the caller says so, or when nothing arrives for a
	// while.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(stall, func() {
		cancel(fmt.Errorf("the server sent nothing for %v", stall))
	})
	defer watchdog.Stop()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, file.url, nil)
	if err != nil {
		return nil, fmt.Errorf("cannot download from %q: %w", file.url, err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("cannot download %s: %w", file.url, explain(ctx, err))
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("cannot download %s: the server answers %q, expected %q: try again later, or give the path of another corpus",
			file.url, response.Status, "200 OK")
	}

	// Room for one byte more than expected, to detect a longer file.
	data := make([]byte, 0, file.bytes+1)
	body := io.LimitReader(response.Body, file.bytes+1)
	for {
		n, err := body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if n > 0 {
			watchdog.Reset(stall)
			if options.Progress != nil {
				options.Progress(min(int64(len(data)), file.bytes), file.bytes)
			}
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the download of %s broke off after %d of %d bytes: %w",
				file.url, len(data), file.bytes, explain(ctx, err))
		}
	}
	sum := sha256.Sum256(data)
	if got := hex.EncodeToString(sum[:]); got != file.sha256 {
		amount := fmt.Sprintf("the %d bytes", len(data))
		if int64(len(data)) > file.bytes {
			amount = fmt.Sprintf("the first %d bytes", len(data))
		}
		return nil, fmt.Errorf("refused what came from %s: %s have the sha256 %s, expected %d bytes with the sha256 %s: try again, or from another network",
			file.url, amount, got, file.bytes, file.sha256)
	}
	return data, nil
}

// explain turns the error of a failed request into one for the user.
func explain(ctx context.Context, err error) error {
	var inRequest *url.Error // repeats the address
	if errors.As(err, &inRequest) {
		err = inRequest.Err
	}
	// The cause says more than the "context canceled" that the client returns.
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	if errors.Is(err, context.Canceled) {
		return err // wanted: no advice
	}
	return fmt.Errorf("%w: check the network (behind a proxy: the variable HTTPS_PROXY) and try again, or give the path of another corpus", err)
}

// place writes data to dest, in one step as seen by others.
func place(data []byte, dest string) error {
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteFile(dest, data, 0o644)
}
