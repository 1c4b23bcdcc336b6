package text

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// zipped returns a zip archive with files of the given names and contents, in
// turn. A name that ends in a slash is a folder.
func zipped(t testing.TB, namesAndContents ...string) []byte {
	t.Helper()
	var buffer bytes.Buffer
	archive := zip.NewWriter(&buffer)
	for i := 0; i < len(namesAndContents); i += 2 {
		file, err := archive.Create(namesAndContents[i])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(file, namesAndContents[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

// rezipped returns an archive with one file like the first of the given
// archive, its header changed.
func rezipped(t *testing.T, archive []byte, change func(*zip.FileHeader)) []byte {
	t.Helper()
	reader, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := reader.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	header := reader.File[0].FileHeader
	change(&header)
	var buffer bytes.Buffer
	writer := zip.NewWriter(&buffer)
	file, err := writer.CreateRaw(&header)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(file, raw); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return buffer.Bytes()
}

func TestReadFrom(t *testing.T) {
	for _, test := range []struct {
		name     string
		data     string
		maxChars int
		want     string
	}{
		{"plain", "分开 不分开", 0, "分开 不分开"},
		{"newlines, each a space", "分\n开\r\n\n不\r", 0, "分 开   不 "},
		{"first characters, not bytes", "分开不分开", 3, "分开不"},
		{"first characters, newline counted", "分\r\n开", 3, "分  "},
		{"as many as there are", "分开", 2, "分开"},
		{"more than there are", "分开", 7, "分开"},
		{"negative is all", "分开", -1, "分开"},
		{"byte order mark", "\ufeff分开", 1, "分"},
		{"only a leading byte order mark", "分\ufeff开", 0, "分\ufeff开"},
		{"four-byte characters", "🌊🌊a", 2, "🌊🌊"},
		{"zip", string(zipped(t, "lyrics.txt", "分\n开")), 0, "分 开"},
		{"zip, first characters", string(zipped(t, "lyrics.txt", "\ufeff分\n开")), 2, "分 "},
		{"zip with folder and what macOS adds", string(zipped(t,
			"lyrics/", "", "lyrics/one.txt", "分开", "lyrics/.DS_Store", "x", "__MACOSX/lyrics/._one.txt", "\xff")), 0, "分开"},
	} {
		got, err := ReadFrom(strings.NewReader(test.data), "test", test.maxChars)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
		} else if got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestReadFromErrors(t *testing.T) {
	one := zipped(t, "lyrics.txt", strings.Repeat("分开 不分开\n", 100))
	damaged := bytes.Clone(one)
	damaged[len("PK..")+60] ^= 0x55 // inside the compressed data
	bomb := zipped(t, "bomb.txt", strings.Repeat("\n", maxBytes+1))

	for _, test := range []struct {
		name string
		file string
		data []byte
		want []string
	}{
		{"empty", "a.txt", nil, []string{"corpus a.txt", "empty"}},
		{"only a byte order mark", "a.txt", []byte("\ufeff"), []string{"a.txt", "empty"}},
		{"not UTF-8", "a.txt", []byte("分开\n\xb7\xd6"), []string{"a.txt", "0xb7 at byte offset 7", "GB18030"}},
		{"cut inside a character", "a.txt", []byte("分开")[:5], []string{"a.txt", "0xe5 at byte offset 3"}},
		{"after the first characters", "a.txt", []byte("分开\xff"), []string{"byte offset 6"}},
		{"UTF-16", "a.txt", []byte("\xff\xfe\x06\x52"), []string{"byte offset 0", "UTF-16"}},
		{"too large", "a.txt", bytes.Repeat([]byte("a"), maxBytes+1), []string{"a.txt", "64 MB"}},
		{"no zip", "a.ZIP", []byte("分开"), []string{"a.ZIP", "not a zip archive"}},
		{"zip without a file", "a.zip", zipped(t), []string{"a.zip", "no file", "exactly one"}},
		{"zip with a folder only", "a.zip", zipped(t, "folder/", ""), []string{"no file"}},
		{"zip with two files", "a.zip", zipped(t, "one.txt", "1", "two.txt", "2"), []string{"2 files (one.txt, two.txt)", "unpack"}},
		{"zip with many files", "a.zip", zipped(t, "1", "", "2", "", "3", "", "4", ""), []string{"4 files (1, 2, 3, …)"}},
		{"zip with an empty file", "a.zip", zipped(t, "one.txt", ""), []string{"a.zip (file one.txt in it)", "empty"}},
		{"zip, not UTF-8", "a.zip", zipped(t, "one.txt", "分\xff"), []string{"a.zip (file one.txt in it)", "byte offset 3"}},
		{"truncated zip", "a.zip", one[:len(one)-1], []string{"a.zip", "truncated", "again"}},
		{"zip truncated early", "a.zip", one[:4], []string{"a.zip", "4 bytes", "truncated"}},
		{"damaged zip", "a.zip", damaged, []string{"a.zip", "lyrics.txt", "damaged", "again"}},
		{"zip bomb", "a.zip", bomb, []string{"a.zip", "bomb.txt", "64 MB"}},
		{"zip bomb that claims a small size", "a.zip",
			rezipped(t, bomb, func(h *zip.FileHeader) { h.UncompressedSize64 = 10 }), []string{"a.zip", "bomb.txt", "damaged"}},
		{"zip with a wrong size", "a.zip",
			rezipped(t, one, func(h *zip.FileHeader) { h.UncompressedSize64 /= 2 }), []string{"lyrics.txt", "damaged"}},
		{"zip with a wrong sum", "a.zip",
			rezipped(t, one, func(h *zip.FileHeader) { h.CRC32++ }), []string{"lyrics.txt", "damaged"}},
		{"encrypted zip", "a.zip",
			rezipped(t, one, func(h *zip.FileHeader) { h.Flags |= 1 }), []string{"lyrics.txt", "encrypted"}},
		{"unknown compression", "a.zip",
			rezipped(t, one, func(h *zip.FileHeader) { h.Method = 99 }), []string{"lyrics.txt", "cannot unpack"}},
	} {
		got, err := ReadFrom(bytes.NewReader(test.data), test.file, 2)
		if err == nil {
			t.Errorf("%s: got %q, want an error", test.name, got)
			continue
		}
		checkError(t, test.name, err, test.want)
	}

	broken := errors.New("the disk broke")
	_, err := ReadFrom(iotest.ErrReader(broken), "a.txt", 0)
	if !errors.Is(err, broken) {
		t.Errorf("a broken reader: error %v", err)
	}
}

func TestRead(t *testing.T) {
	folder := t.TempDir()
	plain, archive := filepath.Join(folder, "a.txt"), filepath.Join(folder, "a.zip")
	write(t, plain, []byte("分\n开"))
	write(t, archive, zipped(t, "a.txt", "不\n开"))
	for path, want := range map[string]string{plain: "分 ", archive: "不 "} {
		if got, err := Read(path, 2); err != nil || got != want {
			t.Errorf("Read(%s) = %q, %v, want %q", path, got, err, want)
		}
	}

	missing := filepath.Join(folder, "missing.txt")
	_, err := Read(missing, 0)
	checkError(t, "missing file", err, []string{missing, "does not exist", "check the path"})
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	t.Chdir(folder)
	_, err = Read("missing.txt", 0)
	checkError(t, "missing relative file", err, []string{"missing.txt", "taken from " + must(os.Getwd())})
	_, err = Read(folder, 0)
	checkError(t, "directory", err, []string{folder, "is a directory", ".zip"})
	_, err = Read("", 0)
	checkError(t, "no path", err, []string{"path is empty"})
	_, err = ReadFrom(nil, "a.txt", 0)
	checkError(t, "no reader", err, []string{"corpus a.txt", "reader is nil"})
}

func TestReadStandardInput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stdin")
	defer func(stdin *os.File) { os.Stdin = stdin }(os.Stdin)
	for _, test := range []struct {
		data, want string
		wantErr    []string
	}{
		{"分\n开", "分 开", nil},
		{string(zipped(t, "a.txt", "不\n开")), "不 开", nil},
		{"", "", []string{"standard input", "empty"}},
		{"分\xff", "", []string{"standard input", "byte offset 3"}},
	} {
		write(t, path, []byte(test.data))
		os.Stdin = must(os.Open(path))
		got, err := Read("-", 0)
		os.Stdin.Close()
		checkError(t, test.data, err, test.wantErr)
		if got != test.want {
			t.Errorf("standard input %q: got %q, want %q", test.data, got, test.want)
		}
	}
}

// FuzzReadFrom gives any bytes to ReadFrom, as they are and in a zip archive,
// and checks what it promises of the result.
func FuzzReadFrom(f *testing.F) {
	f.Add([]byte("分开\n不分开"), 3)
	f.Add([]byte("\ufeff\r\n"), 0)
	f.Add([]byte("分\xff"), 0)
	archive := zipped(f, "a.txt", "分开 不分开")
	f.Add(archive, 0)
	f.Add(archive[:len(archive)-3], 0)
	f.Add(zipped(f, "a", "1", "b", "2"), 1)
	f.Fuzz(func(t *testing.T, data []byte, maxChars int) {
		check := func(what string, data []byte) (string, error) {
			got, err := ReadFrom(bytes.NewReader(data), "fuzz", maxChars)
			if err != nil {
				if got != "" || !strings.HasPrefix(err.Error(), "corpus fuzz") {
					t.Fatalf("%s: got %q, error %v", what, got, err)
				}
				return got, err
			}
			chars := utf8.RuneCountInString(got)
			if got == "" || !utf8.ValidString(got) || strings.ContainsAny(got, "\r\n") || maxChars > 0 && chars > maxChars {
				t.Fatalf("%s: got %q with at most %d characters", what, got, maxChars)
			}
			return got, nil
		}
		plain, err := check("as it is", data)
		if isZip(data) {
			return
		}
		unzipped, errZip := check("zipped", zipped(t, "a.txt", string(data)))
		if unzipped != plain || (err == nil) != (errZip == nil) {
			t.Fatalf("plain: %q, %v; zipped: %q, %v", plain, err, unzipped, errZip)
		}
	})
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}
