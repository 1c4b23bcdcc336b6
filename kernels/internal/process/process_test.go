package process

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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

// TestCancel checks that the grandchildren end with the child: a file that they
// would write stays unwritten.
func TestCancel(t *testing.T) {
	needsShell(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	started := filepath.Join(dir, "started")
	go func() {
		for range 1000 {
			if _, err := os.Stat(started); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		cancel()
	}()
	// The first ignores the polite request, so it takes the impolite one.
	_, err := Run(ctx, Options{Dir: dir, Grace: 100 * time.Millisecond}, "sh", "-c",
		"trap '' TERM; (trap '' TERM; touch started; sleep 2; touch survived) & wait")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got error %v, want that it was cancelled", err)
	}
	time.Sleep(2200 * time.Millisecond)
	if _, err := os.Stat(filepath.Join(dir, "survived")); err == nil {
		t.Error("a grandchild lived on")
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

// TestKillTree checks that processes which start others all the time end with
// the first.
func TestKillTree(t *testing.T) {
	needsShell(t)
	dir := t.TempDir()
	cmd := exec.Command("sh", "-c", `while true; do sleep 60 & sleep 0.01; done`)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	family := Descendants(cmd.Process.Pid)
	KillTree(cmd.Process.Pid)
	cmd.Wait()
	if len(family) < 5 {
		t.Skipf("only %d processes were seen", len(family))
	}
	for i := 0; ; i++ {
		left := livingIn(dir)
		if len(left) == 0 {
			break
		}
		if i == 100 {
			t.Fatalf("%d processes live on: %v", len(left), left)
		}
		time.Sleep(10 * time.Millisecond) // they were killed, and are about to end
	}
}

// livingIn returns the processes that work in a folder.
func livingIn(dir string) (pids []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range links {
		if target, err := os.Readlink(link); err == nil && target == dir {
			pids = append(pids, link)
		}
	}
	return pids
}
