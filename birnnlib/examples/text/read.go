package text

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/dustin/go-humanize"
)

// maxBytes bounds what is read of a corpus, packed or not, so that a zip bomb
// or the wrong file cannot fill the memory. The corpus of a character model of
// this kind is a thousandth of it.
const maxBytes = 64_000_000

// Read returns the corpus at path: a plain UTF-8 file, a zip archive that holds
// one, or "-" for standard input (either of the two).
//
// As in the book, each '\n' and each '\r' becomes a space, and then, if
// maxChars is positive, only the first maxChars characters are kept. A byte
// order mark at the start is dropped. A corpus that is empty, not UTF-8 or
// larger than 64 MB is an error.
func Read(path string, maxChars int) (string, error) {
	if path == "-" {
		return ReadFrom(os.Stdin, "standard input", maxChars)
	}
	if path == "" {
		return "", fmt.Errorf("corpus: the path is empty: give a UTF-8 file, a .zip that holds one, or - for standard input")
	}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("corpus %s: %w: check the path%s", path, fs.ErrNotExist, relativeTo(path))
	}
	if err != nil {
		return "", fmt.Errorf("corpus %s: cannot open it: %w", path, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("corpus %s: cannot read it: %w", path, err)
	}
	if info.IsDir() {
		return "", fmt.Errorf("corpus %s: it is a directory: give the path of a UTF-8 file or of a .zip that holds one", path)
	}
	return ReadFrom(file, path, maxChars)
}

// ReadFrom is [Read] for a corpus, plain or zipped, from r. Errors call it by
// the name.
func ReadFrom(r io.Reader, name string, maxChars int) (string, error) {
	if r == nil {
		return "", fmt.Errorf("corpus %s: the reader is nil: open a file, or use Read with its path", name)
	}
	data, err := readBounded(r)
	if err != nil {
		return "", fmt.Errorf("corpus %s: %w", name, err)
	}
	switch {
	case len(data) == 0:
		return "", fmt.Errorf("corpus %s: it is empty: give a file with text in it", name)
	case isZip(data):
		member, content, err := unzip(data)
		if err != nil {
			return "", fmt.Errorf("corpus %s: %w", name, err)
		}
		name, data = name+" (file "+member+" in it)", content
	case strings.EqualFold(filepath.Ext(name), ".zip"):
		return "", fmt.Errorf("corpus %s: it is not a zip archive although its name ends in .zip: download or copy it again", name)
	}
	return clean(string(data), name, maxChars)
}

// clean checks the text of a corpus and brings it into the form that the book
// uses.
func clean(s, name string, maxChars int) (string, error) {
	if err := CheckUTF8(s); err != nil {
		return "", fmt.Errorf("corpus %s: it is %w", name, err)
	}
	s = flatten(strings.TrimPrefix(s, "\ufeff"), maxChars)
	if s == "" {
		return "", fmt.Errorf("corpus %s: it is empty: give a file with text in it", name)
	}
	return s, nil
}

// CheckUTF8 returns an error that says what to do if s is not UTF-8.
func CheckUTF8(s string) error {
	at := firstInvalid(s)
	if at < 0 {
		return nil
	}
	remedy := "convert it to UTF-8 (Chinese text: iconv -f GB18030 -t UTF-8; to drop stray bytes: iconv -c -f UTF-8 -t UTF-8)"
	if strings.HasPrefix(s, "\xff\xfe") || strings.HasPrefix(s, "\xfe\xff") {
		remedy = "it looks like UTF-16: convert it to UTF-8 (iconv -f UTF-16 -t UTF-8)"
	}
	return fmt.Errorf("not UTF-8: invalid byte 0x%02x at byte offset %d: %s", s[at], at, remedy)
}

var newlines = strings.NewReplacer("\n", " ", "\r", " ")

// flatten replaces the newlines of s and keeps its first maxChars characters,
// all of them if maxChars is not positive.
func flatten(s string, maxChars int) string {
	s = newlines.Replace(s)
	if maxChars > 0 {
		// A copy, so that a few characters do not keep a large file in memory.
		s = strings.Clone(firstChars(s, maxChars))
	}
	return s
}

// isZip reports whether data starts as a zip archive does (the second form is one
// without files). No text starts so, and so the content decides, not the name:
// standard input has none.
func isZip(data []byte) bool {
	return bytes.HasPrefix(data, []byte("PK\x03\x04")) || bytes.HasPrefix(data, []byte("PK\x05\x06"))
}

// unzip returns the name and the content of the only file in a zip archive.
func unzip(data []byte) (name string, content []byte, err error) {
	archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return "", nil, fmt.Errorf("the zip archive of %d bytes is truncated or damaged (%w): download or copy it again", len(data), err)
	}
	var files []*zip.File
	for _, file := range archive.File {
		if !file.FileInfo().IsDir() && !isMetadata(file.Name) {
			files = append(files, file)
		}
	}
	if len(files) != 1 {
		return "", nil, fmt.Errorf("the zip archive holds %s, expected exactly one text file: unpack it and give the file itself", list(files))
	}
	file := files[0]
	fail := func(err error) (string, []byte, error) {
		return "", nil, fmt.Errorf("file %s in the zip archive: %w", file.Name, err)
	}
	const encrypted = 1 // bit 0 of the flags; archive/zip does not decrypt
	if file.Flags&encrypted != 0 {
		return fail(errors.New("it is encrypted: unpack it and give the file itself"))
	}
	if file.UncompressedSize64 > maxBytes {
		return fail(errTooLarge)
	}
	reader, err := file.Open()
	if err != nil {
		return fail(fmt.Errorf("cannot unpack it (%w): unpack it by other means and give the file itself", err))
	}
	defer reader.Close()
	content, err = readBounded(reader) // the size above is only what the archive says
	if err != nil {
		return fail(fmt.Errorf("truncated or damaged (%w): download or copy the archive again", err))
	}
	return file.Name, content, nil
}

// isMetadata reports whether a file in an archive was added by macOS.
func isMetadata(name string) bool {
	return strings.HasPrefix(name, "__MACOSX/") || path.Base(name) == ".DS_Store"
}

// list describes the files of an archive in an error message.
func list(files []*zip.File) string {
	if len(files) == 0 {
		return "no file"
	}
	const most = 3
	var names []string
	for _, file := range files[:min(most, len(files))] {
		names = append(names, file.Name)
	}
	if len(files) > most {
		names = append(names, "…")
	}
	return fmt.Sprintf("%d files (%s)", len(files), strings.Join(names, ", "))
}

var errTooLarge = fmt.Errorf("it is larger than %s: put the part to train on into a separate file", humanize.Bytes(maxBytes))

// readBounded reads all of r, but fails once it has more than maxBytes.
func readBounded(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read it: %w", err)
	}
	if len(data) > maxBytes {
		return nil, errTooLarge
	}
	return data, nil
}

// relativeTo names the directory that a relative path starts from.
func relativeTo(path string) string {
	if filepath.IsAbs(path) {
		return ""
	}
	wd, err := os.Getwd()
	if err != nil {
		return ""
	}
	return " (taken from " + wd + ")"
}
