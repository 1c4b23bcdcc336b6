//go:build unix

package gopls

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"birnn/kernels/internal/process"
)

// gone waits until a process group has ended.
func gone(t *testing.T, pid int) {
	t.Helper()
	eventually(t, fmt.Sprintf("process group %d ends", pid), func() bool { return errors.Is(syscall.Kill(-pid, 0), syscall.ESRCH) })
}

// eventually waits until so returns true, for a minute at most.
func eventually(t *testing.T, what string, so func() bool) {
	t.Helper()
	for begin := time.Now(); !so(); time.Sleep(time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

func (c *Client) pid() int { return c.session.cmd.Process.Pid }

// requests returns how many requests gopls got.
func (c *Client) requests() uint64 {
	c.session.mu.Lock()
	defer c.session.mu.Unlock()
	return c.session.last
}

func complete(ctx context.Context, c *Client) error {
	text := program("", "pla")
	matches, _, _, err := c.Complete(ctx, "main.go", text, strings.LastIndex(text, "pla")+len("pla"))
	if err == nil && len(matches) == 0 {
		err = errors.New("no completions")
	}
	return err
}

func TestCancel(t *testing.T) {
	c := start(t, options(t, true))
	syscall.Kill(c.pid(), syscall.SIGSTOP) // so that it does not answer
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := complete(ctx, c); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("while loading: %v", err)
	}
	syscall.Kill(c.pid(), syscall.SIGCONT)
	if err := complete(within(t), c); err != nil {
		t.Error("after a cancelled call:", err)
	}
	cancelled := 0
	for range queued { // each sends a request and its cancellation: more than the queue holds if gopls did not read them
		ctx, cancel := context.WithTimeout(t.Context(), 500*time.Microsecond)
		err := complete(ctx, c)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
			cancelled++
		case err != nil:
			t.Fatal("when loaded:", err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	t.Logf("%d of %d calls cancelled", cancelled, queued)
	if err := complete(within(t), c); err != nil {
		t.Error("after many cancelled calls:", err)
	}
}

func TestKilled(t *testing.T) {
	for _, loaded := range []bool{false, true} {
		t.Run(fmt.Sprintf("loaded=%v", loaded), func(t *testing.T) {
			c := start(t, options(t, false))
			if loaded {
				if err := complete(within(t), c); err != nil {
					t.Fatal(err)
				}
			}
			pid := c.pid()
			syscall.Kill(pid, syscall.SIGSTOP) // so that it does not answer before it is killed
			before := c.requests()
			result := make(chan error)
			go func() { result <- complete(within(t), c) }()
			if loaded {
				eventually(t, "the request is sent", func() bool { return c.requests() > before })
			} else { // then no request is sent, and nothing shows that the call waits
				time.Sleep(50 * time.Millisecond)
			}
			syscall.Kill(pid, syscall.SIGKILL)
			if err := <-result; !errors.Is(err, errEnded) {
				t.Errorf("error %v, want %v", err, errEnded)
			}
			gone(t, pid)
			<-c.session.done
			if c.Ready() {
				t.Error("dead and ready")
			}
			if err := complete(within(t), c); err != nil {
				t.Error("it was not started again:", err)
			}
			if c.pid() == pid {
				t.Error("the same process")
			}
		})
	}
}

// TestStopped stops gopls: no call outlasts its context, and the queue of messages is bounded.
func TestStopped(t *testing.T) {
	c := start(t, options(t, false))
	if err := complete(within(t), c); err != nil {
		t.Fatal(err)
	}
	pid := c.pid()
	syscall.Kill(pid, syscall.SIGSTOP)
	var stuck bool
	for i := range 1000 { // more than the queue and the pipe hold
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		text := program("", strings.Repeat("x", 5000)+strconv.Itoa(i))
		_, _, _, err := c.Complete(ctx, "main.go", text, 0)
		cancel()
		if stuck = stuck || errors.Is(err, errStuck); !errors.Is(err, errStuck) && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
	}
	if !stuck {
		t.Error("all requests are queued")
	}
	c.Close()
	gone(t, pid)
}

func TestClose(t *testing.T) {
	for _, wait := range []time.Duration{0, 50 * time.Millisecond, 150 * time.Millisecond, time.Minute} {
		t.Run(wait.String(), func(t *testing.T) {
			temp := t.TempDir()
			t.Setenv("TMPDIR", temp)
			c := start(t, options(t, true))
			if wait == time.Minute {
				if err := complete(within(t), c); err != nil {
					t.Fatal(err)
				}
			} else {
				time.Sleep(wait)
			}
			pid, begin := c.pid(), time.Now()
			c.Close()
			t.Logf("closed after %v", time.Since(begin))
			if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("gopls lives on: %v", err)
			}
			gone(t, pid) // its children are killed and end soon
			c.Close()    // does nothing
			if err := complete(t.Context(), c); !errors.Is(err, errClosed) {
				t.Errorf("a call to a closed client: %v", err)
			}
			if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
				t.Errorf("it left %v, %v", left, err)
			}
		})
	}
}

// TestContext ends gopls with the context of Start.
func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c, err := Start(ctx, options(t, true))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	gone(t, c.pid())
	if err := complete(within(t), c); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a call after the end: %v, want another error at once", err)
	}
	c.Close()
}

// TestParentKilled kills a process with a client, which is this test run again: gopls ends, too.
func TestParentKilled(t *testing.T) {
	const env = "BIRNN_TEST_GOPLS_PARENT"
	if os.Getenv(env) != "" {
		c := start(t, options(t, true))
		fmt.Println("gopls", c.pid())
		time.Sleep(time.Hour)
		return
	}
	command(t)
	cmd := exec.Command(os.Args[0], "-test.run=^TestParentKilled$")
	cmd.Env = append(os.Environ(), env+"=1", "TMPDIR="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	pid := 0
	for lines := bufio.NewScanner(stdout); pid == 0 && lines.Scan(); {
		fmt.Sscanf(lines.Text(), "gopls %d", &pid)
	}
	if pid == 0 {
		t.Fatal("the other process did not start gopls")
	}
	eventually(t, "gopls loads packages by the go command", func() bool { return len(process.Descendants(pid)) > 0 })
	cmd.Process.Kill()
	gone(t, pid)
}

// TestNoTelemetry checks that gopls starts no telemetry process, which would be outside its process group.
func TestNoTelemetry(t *testing.T) {
	c := start(t, options(t, false))
	if err := complete(within(t), c); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("ps", "-A", "-o", "ppid=,args=").Output()
	if err != nil {
		t.Skip("no ps:", err)
	}
	for line := range strings.Lines(string(out)) {
		if parent, args, _ := strings.Cut(strings.TrimSpace(line), " "); parent == strconv.Itoa(c.pid()) && strings.Contains(args, "telemetry") {
			t.Error("gopls has started", args)
		}
	}
}
