package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"birnn/birnnlib/examples/cmd/internal/cmdtest"
	"birnn/internal/cli"
)

func TestMain(m *testing.M) { cmdtest.Main(m, main) }

// corpus writes a corpus of which the tenth line is the test, and returns its path.
func corpus(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "corpus.txt")
	text := strings.Repeat("他 马上 来 。\n我 在 马 上 下 棋 。\n她 马上 来 。\n你 在 马 上 下 棋 。\n他 在 马 上 。\n", 6)
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// tiny are flags that make a training take a moment on the pure-Go backend.
func tiny(corpus, model string, more ...string) []string {
	return append([]string{"-train", "-backend", "go", "-corpus", corpus, "-model", model, "-hidden", "8", "-embedding", "8", "-bigrams", "0",
		"-batch", "128", "-dropout", "0", "-lr", "0.03"}, more...)
}

func runHere(t *testing.T, stdin string, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, notes bytes.Buffer
	err = run(t.Context(), args, strings.NewReader(stdin), &out, &notes)
	return out.String(), notes.String(), err
}

// TestTrainAndSegment goes through what the help says: train, then segment.
func TestTrainAndSegment(t *testing.T) {
	model := filepath.Join(t.TempDir(), "new", "model")
	_, _, err := runHere(t, "", "-model", model)
	if err == nil || !strings.Contains(err.Error(), "segment -train -model "+model) {
		t.Errorf("without a model: error %v", err)
	}
	stdout, stderr, err := runHere(t, "", tiny(corpus(t), model, "-epochs", "40")...)
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^backend go \(pure Go(, SIMD)?\), device cpu:0\n(epoch \d+, loss \d\.\d{6}, precision [01]\.\d{4}, recall [01]\.\d{4}, F1 [01]\.\d{4}, time \d+\.\d\d sec\n){40}$`)
	if !want.MatchString(stdout) || !strings.Contains(stdout, "epoch 40, ") || !strings.Contains(stderr, "segment -model "+model) {
		t.Errorf("training writes\n%s\nand notes\n%s", stdout, stderr)
	}
	for stdin, want := range map[string]string{
		"她马上来。\n\n我在马上。\n他马上来。": "她|马上|来|。\n\n我|在|马|上|。\n他|马上|来|。",
		"":    "",
		"他\n": "他\n",
		" 她马上来。 \t他马上\u3000来。\r\n": " 她|马上|来|。 \t他|马上\u3000来|。\r\n", // white space stays
	} {
		got, _, err := runHere(t, stdin, "-backend", "go", "-model", model, "-separator", "|")
		if err != nil || got != want {
			t.Errorf("%q becomes %q (%v), want %q", stdin, got, err, want)
		}
	}
}

// TestLineByLine: a line that comes is answered before the next one does, and the model can be used by others meanwhile.
func TestLineByLine(t *testing.T) {
	model := t.TempDir()
	if _, _, err := runHere(t, "", tiny(corpus(t), model, "-epochs", "1")...); err != nil {
		t.Fatal(err)
	}
	stdin, keyboard := io.Pipe()
	read, stdout := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), []string{"-backend", "go", "-model", model, "-separator", ""}, stdin, stdout, io.Discard)
		stdout.Close()
	}()
	lines := bufio.NewReader(read)
	for range 2 {
		if _, err := io.WriteString(keyboard, "他马上来。\n"); err != nil {
			t.Fatal(err)
		}
		if line, err := lines.ReadString('\n'); err != nil || line != "他马上来。\n" {
			t.Fatalf("line %q, %v", line, err)
		}
		if _, _, err := runHere(t, "他", "-backend", "go", "-model", model); err != nil {
			t.Errorf("another process: %v", err)
		}
	}
	keyboard.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestGoingOn(t *testing.T) {
	path, model, other := corpus(t), t.TempDir(), filepath.Join(t.TempDir(), "other.txt")
	if _, _, err := runHere(t, "", tiny(path, model, "-epochs", "3")...); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := runHere(t, "", "-train", "-backend", "go", "-corpus", path, "-model", model)
	if err != nil || strings.Contains(stdout, "epoch") || !strings.Contains(stderr, "3 epochs and 0 mini-batches are done") {
		t.Errorf("a complete training goes on: %s, %s, %v", stdout, stderr, err)
	}
	_, _, err = runHere(t, "", tiny(path, model, "-hidden", "9")...)
	if !cli.IsUsage(err) || !strings.Contains(err.Error(), "hidden sizes 9 instead of 8") {
		t.Errorf("other settings: error %v", err)
	}
	if err := os.WriteFile(other, []byte("他 来\n他 来\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, err = runHere(t, "", "-train", "-backend", "go", "-corpus", other, "-model", model)
	if err == nil || !strings.Contains(err.Error(), other) || !strings.Contains(err.Error(), "other lines") {
		t.Errorf("another corpus: error %v", err)
	}
}

// TestWrongUse: a mistake is reported before a backend is opened.
func TestWrongUse(t *testing.T) {
	model := t.TempDir()
	for _, test := range []struct {
		args  string
		want  string
		usage bool
	}{
		{"file.txt", `"file.txt"`, true},
		{"-epochs 3", "-epochs needs -train", true},
		{"-test -epochs 3", "-epochs needs -train", true},
		{"-corpus x", "-corpus needs -train or -test", true},
		{"-train -test", "choose one", true},
		{"-train -serve :0", "choose one", true},
		{"-serve 8080", "give a port, as in :8080", true},
		{"-serve :0", "no model in " + model, false},
		{"-train -save-every -2s", "-save-every is -2s", true},
		{"-train -hidden 3+", `layer 1 is "3+"`, true},
		{"-train -epochs 0", "0 epochs", true},
		{"-train -dropout 1", "dropout is 1", true},
		{"-train -lr -3", "learning rate is -3", true},
		{"-train -embedding 0", "Embedding is 0", true},
		{"-train -batch 3", "mini-batch of 3", true},
		{"-backend nosuch", `"nosuch"`, true},
		{"-nosuch", "nosuch", true},
		{"-train -corpus no/such/file", "no/such/file", false},
		{"-test", "no model in " + model, false},
		{"", "no model in " + model, false},
		{"-train -corpus -", "standard input", false}, // is empty
	} {
		stdout, _, err := runHere(t, "", append(strings.Fields(test.args), "-model", model)...)
		if test.args == "file.txt" {
			stdout, _, err = runHere(t, "", test.args)
		}
		if err == nil || !strings.Contains(err.Error(), test.want) || cli.IsUsage(err) != test.usage || strings.Contains(err.Error(), "\n") || stdout != "" {
			t.Errorf("%s: error %v, want one line that says %q, of wrong use: %t; standard output %q", test.args, err, test.want, test.usage, stdout)
		}
	}
}

// TestNotUTF8: such text is refused with the remedy, after what came before it; nothing is replaced.
func TestNotUTF8(t *testing.T) {
	model := t.TempDir()
	if _, _, err := runHere(t, "", tiny(corpus(t), model, "-epochs", "1")...); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ stdin, stdout, want string }{
		{"\xcb\xfb\xc2\xed\xc9\xcf\n", "", "line 1 of standard input is not UTF-8: invalid byte 0xcb at byte offset 0: convert it to UTF-8 (Chinese text: iconv -f GB18030"},
		{"\xff\xfeN\x5f\n", "", "iconv -f UTF-16"},
		{"他\n她\n他\xff来\n", "他\n她\n", "line 3"},
		{"\ufeff他 \ufffd", "\ufeff他 \ufffd", ""}, // a byte order mark and a replacement character that are there stay
	} {
		stdout, _, err := runHere(t, test.stdin, "-backend", "go", "-model", model)
		if stdout != test.stdout || (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %q, error %v", test.stdin, stdout, err)
		}
	}
	path := filepath.Join(t.TempDir(), "gbk.txt")
	if err := os.WriteFile(path, []byte("\xcb\xfb \xc2\xed\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := runHere(t, "", tiny(path, t.TempDir())...); err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "iconv -f GB18030") {
		t.Errorf("a corpus in GBK: error %v", err)
	}
}

// TestInterruptReading: Ctrl-C and SIGTERM end the command while it reads standard input, to segment it or as a corpus.
func TestInterruptReading(t *testing.T) {
	model := t.TempDir()
	if _, _, err := runHere(t, "", tiny(corpus(t), model, "-epochs", "1")...); err != nil {
		t.Fatal(err)
	}
	p := cmdtest.Start(t, nil, "-backend", "go", "-model", model)
	if _, err := io.WriteString(p.Stdin, "他马上来。\n"); err != nil {
		t.Fatal(err)
	}
	if !p.Stdout.Await("\n") {
		t.Fatalf("it ended early: %s", p.Stderr)
	}
	p.Signal(syscall.SIGTERM)
	if code := p.Wait(); code != cli.Interrupted || p.Stderr.String() != "" {
		t.Errorf("segmenting: exit code %d, %s", code, p.Stderr)
	}
	for _, mode := range []string{"-train", "-test"} {
		p := cmdtest.Start(t, nil, mode, "-corpus", "-", "-backend", "go", "-model", model)
		if _, err := io.WriteString(p.Stdin, strings.Repeat("他 马上 来 。\n", 20_000)); err != nil { // more than a pipe holds
			t.Fatal(err)
		}
		p.Signal(os.Interrupt)
		if code := p.Wait(); code != cli.Interrupted || p.Stderr.String() != "" {
			t.Errorf("%s: exit code %d, %s", mode, code, p.Stderr)
		}
	}
}

// TestServe: the server answers as the filter does, on this machine only by default, and SIGTERM ends it after the request that is
// running.
func TestServe(t *testing.T) {
	model := t.TempDir()
	if _, _, err := runHere(t, "", tiny(corpus(t), model, "-epochs", "1")...); err != nil {
		t.Fatal(err)
	}
	text := "他马上来。\n我在马上下棋。\n"
	want, _, err := runHere(t, text, "-backend", "go", "-model", model)
	if err != nil {
		t.Fatal(err)
	}
	p := cmdtest.Start(t, nil, "-serve", ":0", "-backend", "go", "-model", model)
	if !p.Stdout.Await(`(?s)^backend go .*\nhttp://127\.0\.0\.1:\d+/\n$`) {
		t.Fatalf("it writes %q, %q", p.Stdout, p.Stderr)
	}
	url := strings.TrimSpace(p.Stdout.String()[strings.Index(p.Stdout.String(), "http"):])
	body, send := io.Pipe()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Expect", "100-continue") // the text is sent when the server asks for it
	client := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	answer := make(chan string, 1)
	go func() {
		response, err := client.Do(request)
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		all, _ := io.ReadAll(response.Body)
		answer <- string(all)
	}()
	if _, err := io.WriteString(send, text[:10]); err != nil { // the request is running
		t.Fatal(err)
	}
	_, _, err = runHere(t, "", "-serve", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"), "-backend", "go", "-model", model)
	if err == nil || cli.IsUsage(err) || !strings.Contains(err.Error(), "in use") {
		t.Errorf("at the same address: error %v", err)
	}
	p.Signal(syscall.SIGTERM)
	p.Await("the end of the listener", func() bool {
		connection, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(url, "http://"), "/"))
		if err == nil {
			connection.Close()
		}
		return err != nil
	})
	if _, err := io.WriteString(send, text[10:]); err != nil {
		t.Fatal(err)
	}
	send.Close()
	if got := <-answer; got != want {
		t.Errorf("answer %q, want %q", got, want)
	}
	if code := p.Wait(); code != cli.Interrupted {
		t.Errorf("exit code %d, %s", code, p.Stderr)
	}
}

// interrupter is a standard output that interrupts a training before it writes the line of an epoch.
type interrupter struct{ cancel func() }

func (i interrupter) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("epoch")) {
		i.cancel()
		return 0, context.Canceled
	}
	return len(p), nil
}

// TestTest: a finished model can be tested, also one whose training was interrupted in its only test.
func TestTest(t *testing.T) {
	path, model := corpus(t), t.TempDir()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = run(ctx, tiny("-", model, "-epochs", "1"), bytes.NewReader(text), interrupter{cancel}, io.Discard)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("interrupted: error %v", err)
	}
	if stdout, stderr, err := runHere(t, "", tiny(path, model, "-epochs", "1")...); err != nil || strings.Contains(stdout, "epoch") || !strings.Contains(stderr, "1 epochs and 0 mini-batches are done") {
		t.Fatalf("the training was not complete: %s, %s, %v", stdout, stderr, err)
	}
	for _, from := range []string{path, "-"} {
		stdout, _, err := runHere(t, string(text), "-test", "-backend", "go", "-corpus", from, "-model", model)
		if want := regexp.MustCompile(`^backend go .*\nprecision [01]\.\d{4}, recall [01]\.\d{4}, F1 [01]\.\d{4}\n$`); err != nil || !want.MatchString(stdout) {
			t.Errorf("-test -corpus %s: %q, %v", from, stdout, err)
		}
	}
	if _, _, err := runHere(t, "他 来\n", "-test", "-backend", "go", "-corpus", "-", "-model", model); err == nil || !strings.Contains(err.Error(), "at least 10") {
		t.Errorf("a corpus without a test: error %v", err)
	}
}

// TestInterruptAndKill starts a training of many epochs, interrupts it as Ctrl-C does and kills it, each time after some
// lines more, and each time it goes on from where it was; what it says is compared with a training that was left alone.
func TestInterruptAndKill(t *testing.T) {
	path, model := corpus(t), t.TempDir()
	const total = 30
	args := tiny(path, model, "-epochs", fmt.Sprint(total), "-save-every", "0")
	epochs := regexp.MustCompile(`(?m)^(epoch \d+, .*), time .*$`)
	seen := map[string]bool{}
	for i, signal := range []os.Signal{os.Interrupt, os.Kill, syscall.SIGTERM, os.Kill} {
		p := cmdtest.Start(t, nil, args...)
		if !p.Stdout.Await(fmt.Sprintf(`(epoch \d+, .*\s+){%d}`, 2+i%2)) {
			t.Fatalf("start %d ended early: %s", i+1, p.Stderr)
		}
		p.Signal(signal)
		code := p.Wait()
		if signal != os.Kill && (code != cli.Interrupted || !strings.Contains(p.Stderr.String(), "going on") && i > 0) {
			t.Fatalf("start %d: exit code %d, %s", i+1, code, p.Stderr)
		}
		for _, m := range epochs.FindAllStringSubmatch(p.Stdout.String(), -1) {
			seen[m[1]] = true
		}
	}
	stdout, stderr, err := runHere(t, "", args...)
	if err != nil || !strings.Contains(stderr, "going on from") {
		t.Fatalf("going on: %v, %s", err, stderr)
	}
	last := epochs.FindAllStringSubmatch(stdout, -1)
	if len(seen) < 4 || len(last) == 0 {
		t.Fatalf("%d epochs before the last start, and %d after it", len(seen), len(last))
	}
	for _, m := range last {
		seen[m[1]] = true
	}
	whole, _, err := runHere(t, "", tiny(path, t.TempDir(), "-epochs", fmt.Sprint(total))...)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range epochs.FindAllStringSubmatch(whole, -1) {
		delete(seen, m[1])
	}
	if len(seen) != 0 {
		t.Errorf("lines of the interrupted training that one without interruption does not have: %v", seen)
	}
}
