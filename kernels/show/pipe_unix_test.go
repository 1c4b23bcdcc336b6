//go:build unix

package show

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"image"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/janpfeifer/gonb/gonbui/protocol"
)

const inCell = "SHOW_TEST_IN_CELL"

var cells = map[string]func(){
	"result":   func() { Result(map[string]int{"分": 1}, nil) },
	"nothing":  func() { Result(nil); Result(); Result(nil, nil) },
	"failed":   func() { Result(7, errors.New("no")) },
	"picture":  func() { Result(image.NewGray(image.Rect(0, 0, 2, 3))) },
	"html":     func() { HTML("<b>一</b>") },
	"markdown": func() { Markdown("**一**") },
	"svg":      func() { SVG("<svg/>") },
	"png":      func() { PNG([]byte("no picture")) },
	"image":    func() { Image(image.NewGray(image.Rect(0, 0, 2, 3))) },
	"clear":    func() { Clear(true) },
	"chart": func() {
		VegaLite(`{"mark":"bar","data":{"values":[{"a":1.5,"b":null,"c":[true,"x"]}]},"config":{"axis":null,"view":{}}}`)
	},
}

// TestMain runs the tests, or the program of a cell.
func TestMain(m *testing.M) {
	if cell := cells[os.Getenv(inCell)]; cell != nil {
		cell()
		return
	}
	os.Exit(m.Run())
}

// run runs the program of a cell as GoNB does and returns what it displays, converted to JSON as by GoNB.
func run(t *testing.T, cell string, env ...string) (displayed []map[string]any) {
	t.Helper()
	dir := t.TempDir()
	forth, back := filepath.Join(dir, "forth"), filepath.Join(dir, "back")
	for _, path := range []string{forth, back} {
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.Command(os.Args[0])
	command.Env = append(os.Environ(), inCell+"="+cell, protocol.GONB_PIPE_ENV+"="+forth, protocol.GONB_PIPE_BACK_ENV+"="+back)
	command.Env = append(command.Env, env...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	// Opening them blocks neither here nor in the program; the reader ends when the program and holder have closed the
	// pipe.
	reader, err := os.OpenFile(forth, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	holder, err2 := os.OpenFile(forth, os.O_WRONLY, 0)
	writer, err3 := os.OpenFile(back, os.O_RDWR, 0)
	if err := errors.Join(err, err2, err3, command.Start()); err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	defer writer.Close()
	ended := make(chan error, 1)
	go func() {
		ended <- command.Wait()
		holder.Close()
	}()
	decoder, encoder := gob.NewDecoder(reader), gob.NewEncoder(writer)
	for {
		var data protocol.DisplayData
		if err := decoder.Decode(&data); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", cell, err)
		}
		if value, ok := data.Data[protocol.MIMECommValue].(protocol.CommValue); ok && value.Address == protocol.GonbuiSyncAddress {
			if err := encoder.Encode(&protocol.CommValue{Address: protocol.GonbuiSyncAckAddress, Value: value.Value}); err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := json.Marshal(data.Data)
		if err != nil {
			t.Fatal(err)
		}
		var display map[string]any
		if err := json.Unmarshal(text, &display); err != nil {
			t.Fatal(err)
		}
		displayed = append(displayed, display)
	}
	if err := <-ended; err != nil || out.Len() > 0 {
		t.Errorf("%s ended with %v and wrote %q", cell, err, &out)
	}
	return displayed
}

func TestPipe(t *testing.T) {
	var chart any
	if err := json.Unmarshal([]byte(`{"mark":"bar","data":{"values":[{"a":1.5,"b":null,"c":[true,"x"]}]},"config":{"axis":null,"view":{}}}`), &chart); err != nil {
		t.Fatal(err)
	}
	mark := map[string]any{}
	for _, test := range []struct {
		cell string
		want map[string]any // "PNG" stands for any picture
	}{
		{"result", map[string]any{"text/plain": `map["分":1]`, resultType: mark}},
		{"nothing", nil},
		{"failed", map[string]any{"text/plain": "7\nerror: no", resultType: mark}},
		{"picture", map[string]any{"text/plain": "*image.Gray, 2×3", "image/png": "PNG", resultType: mark}},
		{"html", map[string]any{"text/plain": "HTML, 10 bytes", "text/html": "<b>一</b>"}},
		{"markdown", map[string]any{"text/plain": "**一**", "text/markdown": "**一**"}},
		{"svg", map[string]any{"text/plain": "SVG drawing, 6 bytes", "image/svg+xml": "<svg/>"}},
		{"png", map[string]any{"text/plain": "PNG picture that cannot be read: png: invalid format: not a PNG file", "image/png": "bm8gcGljdHVyZQ=="}},
		{"image", map[string]any{"text/plain": "PNG picture, 2×3", "image/png": "PNG"}},
		{"clear", map[string]any{"text/plain": "", clearType: true}},
		{"chart", map[string]any{"text/plain": "Vega-Lite chart (bar)", vegaLite: chart}},
	} {
		t.Run(test.cell, func(t *testing.T) {
			want := 1
			if test.want == nil {
				want = 0
			}
			got := run(t, test.cell, "BIRNN_FRONT=1")
			if len(got) != want {
				t.Fatalf("%d displays: %v", len(got), got)
			}
			if want == 0 {
				return
			}
			if picture, ok := got[0]["image/png"].(string); ok && strings.HasPrefix(picture, "iVBOR") {
				got[0]["image/png"] = "PNG"
			}
			if !reflect.DeepEqual(got[0], test.want) {
				t.Errorf("%v, want %v", got[0], test.want)
			}
		})
	}
}

// TestBareGoNB checks that bare GoNB does not get our MIME types, which it would save in the notebook.
func TestBareGoNB(t *testing.T) {
	got := run(t, "result", "BIRNN_FRONT=")
	if want := []map[string]any{{"text/plain": `map["分":1]`}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := run(t, "clear", "BIRNN_FRONT="); len(got) > 0 {
		t.Errorf("cleared by %v", got)
	}
}
