package progress

import (
	"bytes"
	"testing"
	"time"
)

func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	c := NewConsole(&out)
	clock := time.Unix(0, 0)
	c.now = func() time.Time { clock = clock.Add(1500 * time.Millisecond); return clock }
	c.Step("one").Done()
	c.Step("two").Done()
	c.Step("three").Fail()
	c.Printf("%d steps", 3)
	want := "… one\n✓ one  1.5 s\n… two\n✓ two  1.5 s\n… three\n✗ three  1.5 s\n3 steps\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestFit(t *testing.T) {
	for _, test := range []struct {
		line  string
		width int
		want  string
	}{
		{"short", 80, "short"},
		{"12345", 5, "1234…"},
		{"双向循环网络", 6, "双向…"},
	} {
		if got := fit(test.line, test.width); got != test.want {
			t.Errorf("fit(%q, %d) = %q, want %q", test.line, test.width, got, test.want)
		}
	}
}
