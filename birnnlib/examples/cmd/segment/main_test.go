package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

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
	path, model, other := corpus(t), t.TempDir(), t.TempDir()
	if _, _, err := runHere(t, "", tiny(path, model, "-epochs", "3")...); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := runHere(t, "", "-train", "-backend", "go", "-corpus", path, "-model", model)
	if err != nil || strings.Contains(stdout, "epoch") || !strings.Contains(stderr, "3 epochs and 0 mini-batches are done") {
		t.Errorf("a complete training goes on: %s, %s, %v", stdout, stderr, err)
	}
	_, _, err = runHere(t, "", tiny(path, model, "-hidden", "9")...)
	var usage usageError
	if !errors.As(err, &usage) || !strings.Contains(err.Error(), "hidden sizes 9 instead of 8") {
		t.Errorf("other settings: error %v", err)
	}
	_, _, err = runHere(t, "", tiny(path, other, "-batch", "3")...)
	if err == nil || !strings.Contains(err.Error(), "mini-batch of 3") {
		t.Errorf("a batch that is too small: error %v", err)
	}
}

func TestWrongUse(t *testing.T) {
	for _, test := range []struct {
		args  []string
		want  string
		usage bool
	}{
		{[]string{"file.txt"}, `"file.txt"`, true},
		{[]string{"-epochs", "3"}, "-epochs says how to train", true},
		{[]string{"-train", "-save-every", "-2s"}, "-save-every is -2s", true},
		{[]string{"-train", "-hidden", "3+"}, `layer 1 is "3+"`, true},
		{[]string{"-nosuch"}, "nosuch", true},
		{[]string{"-train", "-corpus", "no/such/file"}, "no/such/file", false},
	} {
		_, _, err := runHere(t, "", test.args...)
		var usage usageError
		if err == nil || !strings.Contains(err.Error(), test.want) || errors.As(err, &usage) != test.usage {
			t.Errorf("%q: error %v, want one that says %q, of wrong use: %t", test.args, err, test.want, test.usage)
		}
	}
}

// TestInterruptAndKill starts a training of many epochs, which is interrupted as Ctrl-C does, then killed, and each time
// goes on from where it was; what it says is compared with a training that was left alone.
func TestInterruptAndKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("processes are interrupted otherwise on Windows")
	}
	binary := filepath.Join(t.TempDir(), "segment")
	if out, err := exec.Command("go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	path, model := corpus(t), t.TempDir()
	args := tiny(path, model, "-epochs", "200", "-save-every", "0")
	epochs := regexp.MustCompile(`(?m)^(epoch \d+, .*), time .*$`)
	seen := map[string]bool{}
	for _, signal := range []os.Signal{os.Interrupt, os.Kill, os.Interrupt, os.Kill} {
		var stdout, stderr bytes.Buffer
		cmd := exec.Command(binary, args...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(1500 * time.Millisecond)
		if err := cmd.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); signal == os.Interrupt && code != 130 && code != 0 {
			t.Fatalf("exit code %d after an interrupt; %s", code, stderr.String())
		} else if code == 130 && !strings.Contains(stderr.String(), "to go on, repeat the command") {
			t.Errorf("it does not tell how to go on: %s", stderr.String())
		}
		for _, m := range epochs.FindAllStringSubmatch(stdout.String(), -1) {
			seen[m[1]] = true
		}
	}
	if len(seen) == 0 || len(seen) == 200 {
		t.Fatalf("%d epochs before the last start; the kills came too early or too late", len(seen))
	}
	stdout, stderr, err := runHere(t, "", args...)
	if err != nil || !strings.Contains(stderr, "going on from") {
		t.Fatalf("going on: %v, %s", err, stderr)
	}
	for _, m := range epochs.FindAllStringSubmatch(stdout, -1) {
		seen[m[1]] = true
	}
	whole, _, err := runHere(t, "", tiny(path, t.TempDir(), "-epochs", "200")...)
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
