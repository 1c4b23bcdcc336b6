package cli

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestReport(t *testing.T) {
	failed := errors.New("disk full")
	for _, test := range []struct {
		err  error
		code int
		want string
	}{
		{nil, 0, ""},
		{flag.ErrHelp, 0, ""},
		{failed, Failed, "cmd: disk full\n"},
		{fmt.Errorf("cmd: %w", failed), Failed, "cmd: disk full\n"},
		{Usage("-n is %d", 3), WrongUse, "cmd: -n is 3 (cmd -h lists the flags)\n"},
		{fmt.Errorf("more: %w", Usage("-n is %d", 3)), WrongUse, "cmd: more: -n is 3 (cmd -h lists the flags)\n"},
		{context.Canceled, Interrupted, ""},
		{fmt.Errorf("reading: %w", context.Canceled), Interrupted, ""},
		{errors.Join(context.Canceled, nil), Interrupted, ""},
		{errors.Join(context.Canceled, failed), Failed, "cmd: disk full\n"}, // what failed on the way out is told
		{errors.Join(errors.Join(context.Canceled, failed), nil), Failed, "cmd: disk full\n"},
		{errors.Join(failed, failed), Failed, "cmd: disk full\ndisk full\n"},
	} {
		var stderr bytes.Buffer
		if code := Report(&stderr, "cmd", test.err); code != test.code || stderr.String() != test.want {
			t.Errorf("%v: exit code %d and %q, want %d and %q", test.err, code, stderr.String(), test.code, test.want)
		}
	}
}

func TestParse(t *testing.T) {
	newFlags := func() (*flag.FlagSet, *int) {
		f := flag.NewFlagSet("cmd", flag.ContinueOnError)
		f.Usage = func() { fmt.Fprintln(f.Output(), "cmd does this.") }
		return f, f.Int("n", 1, "")
	}
	for _, test := range []struct {
		args           string
		stdout, stderr string // stderr: as Report writes it
		n              int
	}{
		{"-n 2", "", "", 2},
		{"-h", "cmd does this.\n", "", 1},
		{"-n x", "", "cmd: invalid value \"x\" for flag -n: parse error (cmd -h lists the flags)\n", 1},
		{"-nosuch", "", "cmd: flag provided but not defined: -nosuch (cmd -h lists the flags)\n", 1},
	} {
		f, n := newFlags()
		var stdout, stderr bytes.Buffer
		Report(&stderr, "cmd", Parse(f, strings.Fields(test.args), &stdout))
		if stdout.String() != test.stdout || stderr.String() != test.stderr || *n != test.n && test.stderr == "" {
			t.Errorf("%s: stdout %q, stderr %q, n %d", test.args, stdout.String(), stderr.String(), *n)
		}
	}
	if IsUsage(errors.New("x")) || !IsUsage(Usage("x")) {
		t.Error("IsUsage does not tell the two apart")
	}
}

// TestAwait: a call that never returns is left alone when the context is cancelled.
func TestAwait(t *testing.T) {
	if v, err := Await(t.Context(), func() (int, error) { return 3, io.EOF }); v != 3 || err != io.EOF {
		t.Errorf("%d, %v", v, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	never := make(chan int)
	started := make(chan bool)
	go func() { <-started; cancel() }()
	if _, err := Await(ctx, func() (int, error) { close(started); return <-never, nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// TestReader: data and end pass through; a blocked Read ends with the context.
func TestReader(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	if data, err := io.ReadAll(Reader(ctx, strings.NewReader("abc"))); err != nil || string(data) != "abc" {
		t.Errorf("%q, %v", data, err)
	}
	blocked, _ := io.Pipe()
	time.AfterFunc(10*time.Millisecond, cancel)
	if n, err := Reader(ctx, blocked).Read(make([]byte, 9)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Errorf("%d, %v", n, err)
	}
}

// TestWriter: a write that can be done is, even after the context is cancelled; one that cannot ends.
func TestWriter(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out bytes.Buffer
	if n, err := Writer(ctx, &out).Write([]byte("abc")); n != 3 || err != nil || out.String() != "abc" {
		t.Errorf("%d, %v, %q", n, err, out.String())
	}
	_, blocked := io.Pipe()
	if _, err := Writer(ctx, blocked).Write([]byte("abc")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

const childEnv = "BIRNN_CLI_TEST"

// TestMain makes this test a command that stops on Ctrl-C, or does not.
func TestMain(m *testing.M) {
	switch os.Getenv(childEnv) {
	case "":
		os.Exit(m.Run())
	case "reads":
		Main("cmd", func(_ context.Context, _ []string, stdin io.Reader, stdout, _ io.Writer) error {
			fmt.Fprintln(stdout, "ready")
			_, err := io.ReadAll(stdin)
			return err
		})
	case "stuck":
		Main("cmd", func(_ context.Context, _ []string, _ io.Reader, stdout, _ io.Writer) error {
			fmt.Fprintln(stdout, "ready")
			select {}
		})
	}
}

// TestSignals: one signal ends a command that reads standard input, the second one that does not stop.
func TestSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be sent Ctrl-C on Windows")
	}
	for mode, signals := range map[string]int{"reads": 1, "stuck": 2} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+mode)
		stdin, err := cmd.StdinPipe() // stays open
		if err != nil {
			t.Fatal(err)
		}
		defer stdin.Close()
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := stdout.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- cmd.Wait() }()
		for range signals {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			time.Sleep(patience / 10) // two signals at once could be one
		}
		<-ended
		if code := cmd.ProcessState.ExitCode(); code != Interrupted || stderr.Len() > 0 {
			t.Errorf("%s: exit code %d, %s", mode, code, stderr.String())
		}
	}
}
