package text

import (
	"errors"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// lyricsPath returns the archive of the Jay Chou lyrics, which is under
// copyright and so not in the repository.
func lyricsPath(t *testing.T) string {
	t.Helper()
	path := filepath.FromSlash("../../../../shared/data/jaychou_lyrics.txt.zip")
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		t.Skipf("needs the Jay Chou lyrics, which are not in the repository, at %s", path)
	}
	return path
}

func TestLyrics(t *testing.T) {
	all, err := Read(lyricsPath(t), 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := utf8.RuneCountInString(all); got != 63_282 {
		t.Errorf("%d characters, want 63282", got)
	}
	corpus, err := Read(lyricsPath(t), 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(all, corpus) {
		t.Error("the first 10,000 characters are not the beginning of all")
	}
	vocab, err := NewVocabulary(corpus)
	if err != nil {
		t.Fatal(err)
	}
	if got := vocab.Size(); got != 1027 {
		t.Errorf("%d distinct characters in the first 10,000, want 1027", got)
	}
	indices, err := vocab.Encode(corpus)
	if err != nil {
		t.Fatal(err)
	}
	if vocab.Decode(indices) != corpus {
		t.Error("the corpus does not come back from its indices")
	}
	if got := ConsecutiveBatches(len(indices), 32, 35); got != 8 {
		t.Errorf("%d consecutive batches, want 8", got)
	}
	if got := RandomBatches(len(indices), 32, 35); got != 8 {
		t.Errorf("%d random batches, want 8", got)
	}
}

// TestFetchLyrics fetches the real archive from a server of the test, to the
// default place.
func TestFetchLyrics(t *testing.T) {
	archive := lyricsPath(t)
	cache := t.TempDir()
	for _, variable := range []string{"HOME", "XDG_CACHE_HOME", "LocalAppData"} {
		t.Setenv(variable, cache)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFile(w, r, archive)
	}))
	defer server.Close()
	path, err := FetchLyrics(t.Context(), "", FetchOptions{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	if want := must(DefaultLyricsPath()); path != want {
		t.Errorf("fetched to %s, want %s", path, want)
	}
	corpus, err := Read(path, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	if want := must(Read(archive, 10_000)); corpus != want {
		t.Error("the corpus fetched is not the one published")
	}
}

// TestCorpusIsNotTheLyrics checks that the embedded corpus borrows nothing: no
// line of it and no run of eight characters is in the lyrics.
func TestCorpusIsNotTheLyrics(t *testing.T) {
	lyrics := must(Read(lyricsPath(t), 0))
	for line := range strings.Lines(corpus) {
		chars := []rune(strings.TrimSuffix(line, "\n"))
		if len(chars) >= 5 && strings.Contains(lyrics, " "+string(chars)+" ") {
			t.Errorf("this line of the corpus is in the lyrics: %s", string(chars))
		}
		const run = 8
		for i := 0; i+run <= len(chars); i++ {
			if strings.Contains(lyrics, string(chars[i:i+run])) {
				t.Errorf("this part of the corpus is in the lyrics: %s", string(chars[i:i+run]))
			}
		}
	}
}
