package text

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func ExampleVocabulary() {
	vocab, err := NewVocabulary("分开 不分开")
	if err != nil {
		fmt.Println(err)
		return
	}
	indices, err := vocab.Encode("不分")
	fmt.Println(vocab.Size(), indices, vocab.Decode(indices), err)
	_, err = vocab.Encode("不想")
	fmt.Println(err)
	// Output:
	// 4 [3 0] 不分 <nil>
	// encode: the corpus does not contain character 2 of "不想", '想' (U+60F3): use one of the 4 characters of the corpus, or a longer corpus
}

func TestVocabularyOrder(t *testing.T) {
	vocab, err := NewVocabulary("海a海 \ufffd山a🌊")
	if err != nil {
		t.Fatal(err)
	}
	want := []rune{'海', 'a', ' ', '\ufffd', '山', '🌊'}
	if vocab.Size() != len(want) || vocab.Chars() != string(want) {
		t.Fatalf("got %d characters %q, want %d characters %q", vocab.Size(), vocab.Chars(), len(want), string(want))
	}
	for i, char := range want {
		if got := vocab.Char(int32(i)); got != char {
			t.Errorf("Char(%d) = %q, want %q", i, got, char)
		}
		if got, ok := vocab.Index(char); !ok || got != int32(i) {
			t.Errorf("Index(%q) = %d, %v, want %d, true", char, got, ok, i)
		}
	}
	if index, ok := vocab.Index('水'); ok {
		t.Errorf("Index of a character that the corpus does not contain: %d, true", index)
	}
}

func TestVocabularyFromItsChars(t *testing.T) {
	vocab, err := NewVocabulary(Corpus(0))
	if err != nil {
		t.Fatal(err)
	}
	again, err := NewVocabulary(vocab.Chars())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(again.chars, vocab.chars) {
		t.Error("the vocabulary made of Chars() is another one")
	}
}

func TestVocabularyErrors(t *testing.T) {
	for corpus, want := range map[string]string{
		"":               "empty",
		"开\xffa":         "0xff at byte offset 3",
		"\ufffd\xe5\x88": "0xe5 at byte offset 3",
	} {
		if vocab, err := NewVocabulary(corpus); err == nil {
			t.Errorf("NewVocabulary(%q) = %q, want an error", corpus, vocab.Chars())
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("NewVocabulary(%q): %q does not say %q", corpus, err, want)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	vocab, err := NewVocabulary("分开\ufffd")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		s    string
		want []string
	}{
		{"不分开", []string{"character 1 of", `"不分开"`, "'不'", "does not contain"}},
		{"分开不", []string{"character 3 of", "'不'"}},
		{"分开\n", []string{"character 3 of", `'\n'`}},
		{"分\ufffd\xff", []string{"character 3 of", "not UTF-8", "0xff at byte offset 6"}},
		{strings.Repeat("分", 1000) + "x", []string{"character 1001 of", `分"…`, "'x'"}},
	} {
		indices, err := vocab.Encode(test.s)
		if err == nil {
			t.Errorf("Encode(%q) = %v, want an error", test.s, indices)
			continue
		}
		for _, want := range test.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("Encode(%q): %q does not say %q", test.s, err, want)
			}
		}
		if len(err.Error()) > 400 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	}
}

func TestDecodePanicsOutOfRange(t *testing.T) {
	vocab, err := NewVocabulary("ab")
	if err != nil {
		t.Fatal(err)
	}
	for _, index := range []int32{-1, 2} {
		want := fmt.Sprintf("index of a character is %d: it must be from 0 to 1", index)
		for name, call := range map[string]func(){
			"Char":   func() { vocab.Char(index) },
			"Decode": func() { vocab.Decode([]int32{0, index}) },
		} {
			func() {
				defer func() {
					if r := recover(); r == nil || !strings.Contains(fmt.Sprint(r), want) {
						t.Errorf("%s of index %d: panic %v, want one that says %q", name, index, r, want)
					}
				}()
				call()
			}()
		}
	}
}

// FuzzEncode checks, for any corpus and any text, that a text either comes back
// from Encode and Decode or has a character that the corpus has not.
func FuzzEncode(f *testing.F) {
	f.Add("分开 不分开", "不分")
	f.Add("abc", "abd")
	f.Add("\ufffd", "\xff")
	f.Add("\xe5\x88", "")
	f.Fuzz(func(t *testing.T, corpus, s string) {
		vocab, err := NewVocabulary(corpus)
		if (err == nil) != (corpus != "" && utf8.ValidString(corpus)) {
			t.Fatalf("NewVocabulary(%q): error %v", corpus, err)
		}
		if err != nil {
			return
		}
		spelled := utf8.ValidString(s)
		for _, char := range s {
			spelled = spelled && strings.ContainsRune(corpus, char)
		}
		indices, err := vocab.Encode(s)
		if (err == nil) != spelled {
			t.Fatalf("Encode(%q) with corpus %q: error %v", s, corpus, err)
		}
		if err == nil && vocab.Decode(indices) != s {
			t.Fatalf("%q comes back as %q", s, vocab.Decode(indices))
		}
	})
}
