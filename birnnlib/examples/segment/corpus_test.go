package segment_test

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"birnn/birnnlib/examples/segment"
)

func TestReadFrom(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []segment.Line
	}{
		"tagged":            {"新年/t  讲话/n  （/w\n\n  \n总书记/n  、/w\n", []segment.Line{{"新年", "讲话", "（"}, {"总书记", "、"}}},
		"words alone":       {"新年 讲话\r\n和/或 两\r\n", []segment.Line{{"新年", "讲话"}, {"和/或", "两"}}},
		"byte order mark":   {"\ufeff新年/t", []segment.Line{{"新年"}}},
		"a slash as a word": {"//w 新/a", []segment.Line{{"/", "新"}}},
	} {
		got, err := segment.ReadFrom(strings.NewReader(test.text), name)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %q, %v; want %q", name, got, err, test.want)
		}
	}
	for want, text := range map[string]string{
		"line 2 of x: word 2": "新年/t\n讲话/n 好\n",
		"line 1 of x is not":  "\xb0\xa1/n",
		"is empty":            "\n \n",
		"after line 1":        "好/a\n" + strings.Repeat("很", 1<<20),
	} {
		if _, err := segment.ReadFrom(strings.NewReader(text), "x"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: error %v, want one that says %q", text, err, want)
		}
	}
	if _, err := segment.ReadFrom(nil, "x"); err == nil || !strings.Contains(err.Error(), "reader of the corpus x is nil") {
		t.Errorf("no reader: error %v", err)
	}
	if _, err := segment.Read(""); err == nil || !strings.Contains(err.Error(), "is empty; give that of a text file") {
		t.Errorf("no path: error %v", err)
	}
	if _, err := segment.Read(t.TempDir()); err == nil || !strings.Contains(err.Error(), "give a text file") {
		t.Errorf("a directory: error %v", err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	if _, err := segment.Read(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing: error %v", err)
	}
}

func TestSplit(t *testing.T) {
	var lines []segment.Line
	for i := range 25 {
		lines = append(lines, segment.Line{fmt.Sprint(i + 1)})
	}
	train, test := segment.Split(lines)
	if len(train) != 23 || !reflect.DeepEqual(test, []segment.Line{{"10"}, {"20"}}) || train[9][0] != "11" {
		t.Errorf("%d lines to learn from, %v to test", len(train), test)
	}
}
