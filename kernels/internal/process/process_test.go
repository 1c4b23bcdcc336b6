package process

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEnviron(t *testing.T) {
	got := Environ([]string{"A=1", "B=2", "BB=3"}, []string{"B", "A=x y", "C="})
	if want := []string{"BB=3", "A=x y", "C="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func needsShell(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a Unix shell")
	}
}

func TestRun(t *testing.T) {
	needsShell(t)
	var log strings.Builder
	out, err := Run(t.Context(), Options{Env: []string{"WORD=hello"}, Log: &log}, "sh", "-c", "echo $WORD; echo bad >&2")
	if err != nil || out != "hello\nbad\n" || !strings.HasSuffix(log.String(), out) {
		t.Errorf("out %q, log %q, %v", out, log.String(), err)
	}
	_, err = Run(t.Context(), Options{}, "sh", "-c", "for i in $(seq 30); do echo line $i; done; exit 3")
	failed, ok := errors.AsType[*Error](err)
	if !ok || strings.Contains(err.Error(), "line 10\n") || !strings.Contains(err.Error(), "line 30") {
		t.Errorf("got error %v, want the last lines", err)
	}
	if exit, ok := errors.AsType[*exec.ExitError](failed); !ok || exit.ExitCode() != 3 {
		t.Errorf("the exit status is lost: %v", err)
	}
}

// TestCancel checks that the grandchildren end with the child: then the pipe that all of them hold is closed.
func TestCancel(t *testing.T) {
	needsShell(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		lines := bufio.NewReader(r)
		_, err := lines.ReadString('\n')
		cancel()
		_, readErr := io.Copy(io.Discard, lines)
		ended <- errors.Join(err, readErr)
	}()
	// They ignore SIGTERM, so Run has to use SIGKILL.
	_, err = Run(ctx, Options{Stdout: w, Grace: 100 * time.Millisecond}, "sh", "-c",
		"trap '' TERM; (trap '' TERM; echo started; sleep 10000) & wait")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want context.Canceled", err)
	}
	w.Close()
	r.SetReadDeadline(time.Now().Add(time.Minute))
	if err := <-ended; err != nil {
		t.Errorf("a grandchild lives on: %v", err)
	}
}

func TestIsNetwork(t *testing.T) {
	for out, want := range map[string]bool{
		"go: x@v1: Get \"https://host\": dial tcp: lookup host: no such host": true,
		"./main.go:3:1: syntax error":                                         false,
	} {
		if got := IsNetwork(&Error{Name: "go", Err: errors.New("exit status 1"), Output: out}); got != want {
			t.Errorf("IsNetwork(%q) = %v", out, got)
		}
	}
}

// TestKillTree checks that processes which keep starting others end with the first. All of them hold a pipe open.
func TestKillTree(t *testing.T) {
	needsShell(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("sh", "-c", `while true; do sleep 10000 & sleep 0.01; done`)
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	for len(Descendants(cmd.Process.Pid)) < 5 {
		time.Sleep(10 * time.Millisecond)
	}
	KillTree(cmd.Process.Pid)
	cmd.Wait()
	r.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("processes live on: %v, %v", Descendants(os.Getpid()), err)
	}
}
