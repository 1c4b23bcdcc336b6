package gopls

import (
	"testing"
	"unicode/utf8"
)

func TestPosition(t *testing.T) {
	const text = "a\n你b😀c\r\n\n"
	for _, test := range []struct {
		offset int
		want   position
	}{
		{0, position{0, 0}},
		{1, position{0, 1}},
		{2, position{1, 0}},
		{5, position{1, 1}},  // behind 你
		{6, position{1, 2}},  // behind b
		{10, position{1, 4}}, // behind 😀
		{11, position{1, 5}},
		{13, position{2, 0}},
		{14, position{3, 0}}, // the end
	} {
		got, err := positionAt(text, test.offset)
		if err != nil || got != test.want {
			t.Errorf("offset %d is at %v, %v, want %v", test.offset, got, err, test.want)
		}
		if back := offsetAt(text, test.want); back != test.offset {
			t.Errorf("%v is offset %d, want %d", test.want, back, test.offset)
		}
	}
	if got, err := positionAt(text, 8); err != nil || got != (position{1, 2}) { // inside 😀
		t.Errorf("got %v, %v", got, err)
	}
	for p, want := range map[position]int{{0, 9}: 1, {1, 3}: 10, {3, 1}: 14, {9, 0}: 14} {
		if got := offsetAt(text, p); got != want {
			t.Errorf("%v is offset %d, want %d", p, got, want)
		}
	}
	for _, offset := range []int{-1, 15} {
		if _, err := positionAt(text, offset); err == nil {
			t.Errorf("no error for offset %d", offset)
		}
	}
}

// FuzzPosition converts offsets to positions and back.
func FuzzPosition(f *testing.F) {
	f.Add("x\n你好😀 y", 9)
	f.Add("\xff\x80\n\xe4", 1)
	f.Fuzz(func(t *testing.T, text string, offset int) {
		p, err := positionAt(text, offset)
		if err != nil {
			return
		}
		back := offsetAt(text, p)
		if !utf8.ValidString(text) {
			return
		}
		if back > offset || offset-back >= utf8.UTFMax || back < len(text) && !utf8.RuneStart(text[back]) {
			t.Errorf("%q: offset %d is at %v, which is offset %d", text, offset, p, back)
		}
		if utf8.RuneStart((text + "x")[offset]) && back != offset {
			t.Errorf("%q: offset %d is at %v, which is offset %d", text, offset, p, back)
		}
	})
}

func TestFileURI(t *testing.T) {
	for path, want := range map[string]string{
		"/a b/中.go": "file:///a%20b/%E4%B8%AD.go",
		"C:/x.go":   "file:///C:/x.go",
	} {
		if got := fileURI(path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}
