//go:build unix

package front

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"birnn/internal/testall"
	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// TestFaults kills, stops and interrupts processes at random moments of a cell with much output: each cell ends, the
// next one has its complete result, and the history and a kept value are undamaged.
func TestFaults(t *testing.T) { faults(t, 4) }

func TestLongFaults(t *testing.T) {
	testall.Long(t)
	faults(t, 16)
}

func faults(t *testing.T, rounds int) {
	project := t.TempDir()
	k := startIn(t, project)
	rng := rand.New(rand.NewPCG(1, 2))
	if o := k.run("import \"birnn/kernels/keep\"\nkept := keep.Value(\"kept\", func() ([]string, error) { return []string{\"分\", \"开\"}, nil })"); o.status != "ok" {
		t.Fatalf("%+v", o)
	}
	cells := 1
	for round := range rounds {
		cells++
		a := k.send(fmt.Sprintf("%%%%\nfmt.Println(\"started\", %d)\nfor { fmt.Println(strings.Repeat(\"洪水\", 1000)); time.Sleep(time.Millisecond) }", round))
		time.Sleep(time.Duration(rng.IntN(1500)) * time.Millisecond)
		child, _ := k.front.gonb.Process()
		fault := round % 5
		switch fault {
		case 0: // GoNB is killed
			syscall.Kill(child.PID(), syscall.SIGKILL)
		case 1: // its guard is killed
			syscall.Kill(child.Guard(), syscall.SIGKILL)
		case 2: // its descendants are killed
			process.KillDescendants(child.PID())
		case 3: // gopls is killed
			for _, pid := range process.Descendants(os.Getpid()) {
				if line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); strings.Contains(string(line), "gopls") {
					syscall.Kill(pid, syscall.SIGKILL)
				}
			}
		case 4: // GoNB is stopped and continues too late
			pid := child.PID()
			syscall.Kill(pid, syscall.SIGSTOP)
			time.AfterFunc(10*time.Second, func() { syscall.Kill(pid, syscall.SIGCONT) })
		}
		for i := 0; ; i++ { // until the cell ends: the killed process may not have started yet
			k.ask(k.Sockets.Control, "interrupt_request", map[string]any{})
			select {
			case <-a.Idle:
			case <-time.After(4 * time.Second):
				if i < 30 {
					continue
				}
				t.Fatalf("round %d, fault %d: the cell hangs", round, fault)
			}
			break
		}
		cells++
		if o := k.run("kept"); o.result["text/plain"] != `["分" "开"]` && o.name != "KernelError" && o.name != "Interrupted" {
			t.Fatalf("round %d, fault %d: the next cell: %+v", round, fault, o)
		}
	}
	cells++
	if o := k.run("kept"); o.result["text/plain"] != `["分" "开"]` {
		t.Errorf("after all: %+v", o)
	}
	var found struct{ History [][]any }
	k.request("history_request", map[string]any{"hist_access_type": "range", "session": 0, "start": 0}, &found)
	if len(found.History) != cells {
		t.Errorf("the history has %d cells, want %d", len(found.History), cells)
	}
	h, err := openHistory(filepath.Join(project, "history.jsonl"), 1000)
	if err != nil {
		t.Fatal(err)
	}
	defer h.close()
	if got := len(h.find(historyQuery{Type: "tail"})); got != cells {
		t.Errorf("its file has %d cells, want %d", got, cells)
	}
}

// TestFrontKilled kills the kernel and its process group at random moments, as Jupyter, a user or the OOM killer may, and
// checks that no process and no folder is left.
func TestFrontKilled(t *testing.T) { frontKilled(t, 2) }

func TestLongFrontKilled(t *testing.T) {
	testall.Long(t)
	frontKilled(t, 8)
}

// buildKernel builds the command of the kernels, and returns how it starts a kernel with the connection file
// "{connection_file}".
func buildKernel(t *testing.T) (argv []string) {
	t.Helper()
	dir := bin(t)
	program := filepath.Join(dir, "kernels")
	build := exec.Command("go", "build", "-o", program, "birnn/kernels")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return []string{program, "kernel", "-f", "{connection_file}", "-root", root(t), "-bin", dir, "-dir", t.TempDir()}
}

func frontKilled(t *testing.T, rounds int) {
	argv := buildKernel(t)
	rng := rand.New(rand.NewPCG(3, 4))
	for round := range rounds {
		temp := t.TempDir()
		connection, err := wire.Loopback()
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(temp, "kernel-1.json")
		if err := connection.Write(file); err != nil {
			t.Fatal(err)
		}
		argv[slices.Index(argv, "-f")+1] = file
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "GOMLX_BACKEND=go", "CGO_ENABLED=0", "GOPROXY=off", "GOFLAGS=-buildvcs=false", "TMPDIR="+temp)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			cmd.Wait()
			close(ended)
		}()
		if round%3 > 0 {
			c, err := wire.Connect(t.Context(), connection, ended, nil, nil, func(string, ...any) {})
			if err != nil {
				t.Fatal(err)
			}
			c.Begin(c.Sockets.Shell, "execute_request", map[string]any{"code": "%%\nfor {}", "silent": false, "store_history": true}, nil)
			eventually(t, "the guard runs", func() bool {
				pids, _ := filepath.Glob(filepath.Join(temp, "birnn-kernel-*", "gonb-*", "pid"))
				return len(pids) > 0
			})
			time.Sleep(time.Duration(rng.IntN(2000)) * time.Millisecond)
			c.Close()
		} else {
			time.Sleep(time.Duration(rng.IntN(500)) * time.Millisecond)
		}
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		nothingMentions(t, temp)
		if round%3 > 0 { // else it may not have started its guard yet
			if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 1 {
				t.Errorf("left are %q", left)
			}
		}
	}
}

// nothingMentions waits until no process has dir in its environment.
func nothingMentions(t testing.TB, dir string) {
	t.Helper()
	var left []string
	for range 600 {
		if left = mentioning(dir); len(left) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("left are\n%s", strings.Join(left, "\n"))
}

// mentioning returns the processes with dir in their environment.
func mentioning(dir string) (all []string) {
	files, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, file := range files {
		environ, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(environ), dir) {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			all = append(all, filepath.Dir(file)+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return all
}

// TestManyCells checks that the memory of the kernel does not grow with the number of cells.
func TestManyCells(t *testing.T) { manyCells(t, 20) }

func TestLongManyCells(t *testing.T) {
	testall.Long(t)
	manyCells(t, 100)
}

func manyCells(t *testing.T, n int) {
	k := start(t)
	inUse := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	var before uint64
	for i := range n {
		if o := k.run(fmt.Sprintf("func f() int { return %d }\nfmt.Println(f(), strings.Repeat(\"x\", 10000))", i)); o.status != "ok" {
			t.Fatalf("cell %d: %+v", i, o)
		}
		if i == n/5 {
			before = inUse()
		}
	}
	after := inUse()
	t.Logf("%d KiB after %d cells, %d KiB after %d", before>>10, n/5, after>>10, n)
	if after > before+4<<20 {
		t.Errorf("the memory grew from %d to %d bytes", before, after)
	}
}

// TestRunAllTwice runs a notebook twice without a restart: the outputs must be the same.
func TestRunAllTwice(t *testing.T) {
	t.Parallel()
	k := start(t)
	notebook := []string{
		"import \"fmt\"\nvar table = build()\nfunc build() []int { fmt.Println(\"building\"); return []int{1, 2} }",
		"table",
		"func f() int { return 1 }\nf()",
		"func f() int { return 2 }\ntype T struct{ A int }",
		"T{f()}",
		"import . \"strings\"\nRepeat(\"a\", 2)",
		"fmt.Println(\"no dot import here\")",
	}
	var first []outcome
	for range 2 {
		for i, code := range notebook {
			o := k.run(code)
			o.took, o.number = 0, 0
			if len(first) <= i {
				first = append(first, o)
				continue
			}
			if o.stdout != first[i].stdout || o.result["text/plain"] != first[i].result["text/plain"] || o.status != first[i].status {
				t.Errorf("cell %d: first %+v, then %+v", i+1, first[i], o)
			}
		}
	}
}
