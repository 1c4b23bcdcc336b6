package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestSignature compares with signatures made by Python's hmac module:
//
//	hmac.new(b"key", b'{"msg_type":"x"}' + b'{}{}{"code":"分开"}', "sha256").hexdigest()
func TestSignature(t *testing.T) {
	const want = "80e6e23871e595852ff0d0a5ec560b677ea162174c24fc566c13506d4ace9668"
	frames := [][]byte{[]byte("client"), delimiter, []byte(want), []byte(`{"msg_type":"x"}`), []byte("{}"), []byte("{}"), []byte(`{"code":"分开"}`), {1, 2}}
	m, err := decode(frames, []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	if m.Header.Type != "x" || string(m.Identities[0]) != "client" || !bytes.Equal(m.Buffers[0], []byte{1, 2}) {
		t.Errorf("read %+v", m)
	}
	if got := m.encode([]byte("key")); !slices.EqualFunc(got, frames, bytes.Equal) {
		t.Errorf("written again it is %q", got)
	}
	if _, err := decode(frames, []byte("another key")); !errors.Is(err, errSignature) {
		t.Errorf("another key gives %v", err)
	}
	frames[6] = []byte(`{"code":"分离"}`)
	if _, err := decode(frames, []byte("key")); !errors.Is(err, errSignature) {
		t.Errorf("another content gives %v", err)
	}
}

func TestAnswer(t *testing.T) {
	// An answer repeats unknown fields of the header.
	request, err := decode([][]byte{[]byte("client"), delimiter, nil, []byte(`{"msg_id":"1","msg_type":"x_request","subshell_id":null}`), empty, empty, empty}, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer := New("s", "x_reply", request, map[string]string{"a": "<b>"})
	again, err := decode(answer.encode([]byte("k")), []byte("k"))
	if err != nil {
		t.Fatal(err)
	}
	if again.parentID() != "1" || !strings.Contains(string(again.Parent), "subshell_id") || string(again.Content) != `{"a":"<b>"}` {
		t.Errorf("the answer is %s to %s", again.Content, again.Parent)
	}
}

func TestDecodeErrors(t *testing.T) {
	part := func(s string) []byte { return []byte(s) }
	for name, c := range map[string]struct {
		frames [][]byte
		want   string
	}{
		"none":         {nil, "0 frames"},
		"no delimiter": {[][]byte{part("a"), part("b")}, "2 frames"},
		"cut":          {[][]byte{delimiter, nil, part("{}")}, "3 frames"},
		"header":       {[][]byte{delimiter, nil, part("{"), empty, empty, empty}, "header"},
		"no type":      {[][]byte{delimiter, nil, empty, empty, empty, empty}, "no msg_type"},
		"content":      {[][]byte{delimiter, nil, part(`{"msg_type":"x"}`), empty, empty, part("[1]")}, "content of x"},
	} {
		if _, err := decode(c.frames, nil); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an error with %q", name, err, c.want)
		}
	}
}

func TestConnection(t *testing.T) {
	c, err := Loopback()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "kernel.json")
	if err := c.Write(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if got, err := ReadConnection(path); err != nil || got != c {
		t.Errorf("read %+v, %v", got, err)
	}
	if err := c.Write(path); err == nil {
		t.Error("an existing file was overwritten")
	}
	for content, want := range map[string]string{
		"{": "unexpected end", `{"transport":"tcp","signature_scheme":"md5"}`: "hmac-sha256", `{"transport":"udp"}`: "tcp or ipc",
	} {
		os.WriteFile(path, []byte(content), 0o600)
		if _, err := ReadConnection(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want an error with %q", content, err, want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte("client\x00<IDS|MSG>\x00\x00{\"msg_type\":\"x\"}\x00{}\x00{}\x00{\"code\":\"1\"}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := decode(bytes.Split(data, []byte{0}), nil)
		if err != nil {
			return
		}
		again, err := decode(m.encode([]byte("key")), []byte("key"))
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		if !bytes.Equal(again.Content, m.Content) || again.Header != m.Header || !json.Valid(again.Parent) {
			t.Errorf("%+v became %+v", m, again)
		}
	})
}
