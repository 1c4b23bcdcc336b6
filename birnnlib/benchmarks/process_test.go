package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// playEnv makes this test's program play another one.
const playEnv = "BIRNN_BENCHMARKS_PLAY"

func TestMain(m *testing.M) {
	switch os.Getenv(playEnv) {
	case "":
		os.Exit(m.Run())
	case "python":
		playPython()
	case "contender":
		playContender(os.Args[1:])
	}
}

// playContender answers every request with what follows in args, and then ends.
func playContender(args []string) {
	in := bufio.NewScanner(os.Stdin)
	for i, line := range args {
		if i > 0 && !in.Scan() {
			return
		}
		switch what, rest, _ := strings.Cut(line, " "); what {
		case "die":
			fmt.Fprintln(os.Stderr, rest)
			os.Exit(3)
		case "sleep":
			time.Sleep(time.Minute)
		case "cpus":
			fmt.Printf(`{"ready":"%d, OMP %s"}`+"\n", runtime.NumCPU(), os.Getenv("OMP_NUM_THREADS"))
		case "log": // appends the request to a file, and answers
			name, _, _ := strings.Cut(rest, " ")
			f, err := os.OpenFile(filepath.Join(os.Getenv("LOG"), "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
			if err != nil {
				panic(err)
			}
			fmt.Fprintln(f, name, in.Text())
			f.Close()
			fmt.Println(`{"seconds":0.8,"loss":1}`)
		default:
			fmt.Println(line)
		}
	}
	for in.Scan() { // until there are no more requests
	}
}

func startFake(t *testing.T, ctx context.Context, answers ...string) (*process, error) {
	t.Helper()
	t.Setenv(playEnv, "contender")
	p, err := start(ctx, runtime.NumCPU(), "the fake", nil, os.Args[0], answers...)
	if err == nil {
		t.Cleanup(p.stop)
	}
	return p, err
}

func TestAsk(t *testing.T) {
	p, err := startFake(t, t.Context(), `{"ready":"fake 1.0"}`, `{"seconds":0.5,"loss":7}`, `{"seconds":0.25}`, `{"error":"cannot"}`, `{"seconds":0}`, "nonsense",
		"die panic: no memory\n\ngoroutine 1 [running]:\nmain.main()")
	if err != nil {
		t.Fatal(err)
	}
	if p.ready != "fake 1.0" {
		t.Errorf("ready: %q", p.ready)
	}
	if a, err := p.ask(request{Steps: 8}); err != nil || a.Seconds != 0.5 || a.Loss != 7 {
		t.Errorf("answer %+v, error %v", a, err)
	}
	if a, err := p.ask(request{Matmul: 8}); err != nil || a.Seconds != 0.25 {
		t.Errorf("answer %+v, error %v", a, err)
	}
	for _, want := range []string{
		"the fake: cannot",
		`the fake: it reported 0 seconds for {"steps":8}; expected a positive time`,
		`the fake: it wrote "nonsense\n" instead of a line of JSON`,
		"the fake: the process ended: panic: no memory",
	} {
		if _, err := p.ask(request{Steps: 8}); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func TestStartFails(t *testing.T) {
	for _, test := range []struct {
		hello, want string
		unavailable bool
	}{
		{`{"error":"no such backend"}`, "the fake: no such backend", true},
		{"die Traceback (most recent call last):\nImportError: no jax\n", "the fake: the process ended: ImportError: no jax", false},
	} {
		_, err := startFake(t, t.Context(), test.hello)
		if err == nil || err.Error() != test.want {
			t.Errorf("error %v, want %s", err, test.want)
		}
		var cannot unavailable
		if errors.As(err, &cannot) != test.unavailable {
			t.Errorf("%v: is it that it cannot take part? want %v", err, test.unavailable)
		}
	}
	if _, err := start(t.Context(), runtime.NumCPU(), "the fake", nil, filepath.Join(t.TempDir(), "nothing")); err == nil {
		t.Error("a program that is not there starts")
	}
}

// TestCancel ends a contender in the middle of a request.
func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	p, err := startFake(t, ctx, `{"ready":"fake 1.0"}`, "sleep")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := p.ask(request{Steps: 8}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want that the context was cancelled", err)
	}
	p.stop()
	if p.cmd.ProcessState == nil {
		t.Error("the process goes on")
	}
}

// TestCPUs gives a contender one CPU, and sees that this process keeps all.
func TestCPUs(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Setenv(playEnv, "contender")
		if _, err := start(t.Context(), runtime.NumCPU()+1, "the fake", nil, os.Args[0], "cpus"); err == nil {
			t.Error("more CPUs than there are: no error")
		}
		return
	}
	t.Setenv(playEnv, "contender")
	for _, n := range []int{1, runtime.NumCPU()} {
		p, err := start(t.Context(), n, "the fake", nil, os.Args[0], "cpus")
		if err != nil {
			t.Fatal(err)
		}
		if want := fmt.Sprintf("%d, OMP %d", n, n); p.ready != want {
			t.Errorf("asked for %d CPUs, it finds %s; want %s", n, p.ready, want)
		}
		p.stop()
	}
}

// TestRounds checks whose turn it is, and what counts.
func TestRounds(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LOG", dir)
	var field []*running
	for _, name := range []string{"A", "B", "C"} {
		log := "log " + name
		p, err := startFake(t, t.Context(), append([]string{`{"ready":"fake"}`}, strings.Split(strings.Repeat(log+",", 9)+log, ",")...)...)
		if err != nil {
			t.Fatal(err)
		}
		field = append(field, &running{contender: contender{key: name, matmul: name == "B", once: name == "C"}, process: p, result: &result{}})
	}
	var notes []string
	if err := rounds(8, 2, field, func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }); err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	warm := "A {\"steps\":6}\nB {\"steps\":6}\nB {\"matmul\":2048}\n"
	once := "C {\"steps\":6}\n"
	eight := strings.NewReplacer("6", "8").Replace
	if got, want := string(log), warm+once+eight(warm)+eight(once)+eight(warm); got != want {
		t.Errorf("the requests were\n%swant\n%s", got, want)
	}
	for i, c := range field {
		if len(c.Steps) != []int{2, 2, 1}[i] || c.Steps[0] != 0.1 || len(c.Matmul) != []int{0, 3, 0}[i] {
			t.Errorf("%s: steps %v, products %v", c.key, c.Steps, c.Matmul)
		}
		if (c.Memory > 0) != (runtime.GOOS == "linux") {
			t.Errorf("%s: its peak memory is %d bytes", c.key, c.Memory)
		}
	}
	if want := "round 2 of 2, ms a step: A 100.0 B 100.0"; len(notes) != 3 || notes[2] != want {
		t.Errorf("the notes are %q; want 3, the last one %q", notes, want)
	}
}

// TestRoundsInTime: without a number, turns that take next to no time are as many as there may be; a turn of two steps is
// not warmed up any more.
func TestRoundsInTime(t *testing.T) {
	t.Setenv("LOG", t.TempDir())
	p, err := startFake(t, t.Context(), append([]string{`{"ready":"fake"}`}, slices.Repeat([]string{"log A"}, manyRounds)...)...)
	if err != nil {
		t.Fatal(err)
	}
	field := []*running{{contender: contender{key: "A"}, process: p, result: &result{}}}
	if err := rounds(2, 0, field, func(string, ...any) {}); err != nil {
		t.Fatal(err)
	}
	if len(field[0].Steps) != manyRounds {
		t.Errorf("%d rounds, want %d", len(field[0].Steps), manyRounds)
	}
}
