//go:build unix

package front

import (
	"errors"
	"fmt"
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
	"birnn/kernels/internal/gonb"
	"birnn/kernels/internal/kernelspec"
	"birnn/kernels/internal/process"
	"birnn/kernels/internal/wire"
)

// TestCells runs cells of all kinds in one kernel.
func TestCells(t *testing.T) {
	t.Parallel()
	k := start(t)
	for i, step := range []struct {
		code                               string
		stdout, stderr, result, err, trace string // what they begin with, or have
	}{
		{code: "import \"fmt\"\nfmt.Println(\"你好\")", stdout: "你好\n"},
		{code: "func f(a int) int { return a + 1 }\ntype P struct{ X, Y int }", stdout: ""},
		{code: "f(3)", result: "4"},
		{code: "%%\nfmt.Println(f(4))", stdout: "5\n"},
		{code: "P{1, 2}", result: "{X:1 Y:2}"},
		{code: "x := 5\nx * 2", result: "10"},
		{code: "x + 1", err: "CompileError", trace: "x was a variable of cell 6's statements"},
		{code: "import . \"strings\""},
		{code: "1 + 1", result: "2"}, // the dot import is not used, and does no harm
		{code: "Repeat(\"分\", 2)", result: "\"分分\""},
		{code: "y :=", err: "SyntaxError", trace: "cell 11, line 1"},
		{code: "func g() {\n\tpanic(\"bad 坏\")\n}\n\ng()", err: "panic", trace: "cell 12, line 2"},
		{code: "os.Stderr.WriteString(\"panic: not one\\n\")\nfmt.Print()", stderr: "panic: not one\n"},
		{code: "log.Fatal(\"gone\")", err: "ExitStatus 1", stderr: "20"},
		{code: "var v = f(1)\nvar w = fmt.Sprint(v)"},
		{code: "w", result: "\"2\""},
		{code: "undefined1()\nundefined2()", err: "CompileError", trace: "undefined: undefined2"},
		{code: "fmt.Sprint(1); fmt.Sprint(2);"},
		{code: "%env LESSON one", stdout: "Set: LESSON=\"one\"\n"},
		{code: "os.Getenv(\"LESSON\")", result: "\"one\""},
		{code: "!echo from the shell", stdout: "from the shell\n"},
		{code: "%%bash\necho 1\necho 2", stdout: "1\n2\n"},
		{code: "%ls", stdout: "import . \"strings\"\nimport \"fmt\"\nfunc  f   (cell 2)\n"},
		{code: "%rm w\n%rm nothing", stdout: "removed w\n", stderr: "nothing is not declared"},
		{code: "w", err: "CompileError", trace: "undefined: w"},
		{code: "%nonsense", err: "UsageError"},
		{code: "%backend nonsense", err: "UsageError"},
		{code: "%test\nimport \"testing\"\nfunc TestA(t *testing.T) { fmt.Println(\"tested\") }", stdout: "=== RUN   TestA\ntested\n"},
		{code: "func main() { fmt.Println(\"main\") }", stdout: "main\n"},
		{code: "%exec hello\nfunc hello() { fmt.Println(\"hello\") }", stdout: "hello\n"},
		{code: "%with_inputs\n!read x; echo got $x", stdout: "got typed\n"},
		{code: "%reset", stdout: "all declarations are dropped"},
		{code: "f(1)", err: "CompileError", trace: "undefined: f"},
		{code: "1 << 100", err: "CompileError", trace: "as int value in the result of the cell"},
		{code: "  \n"},
	} {
		o := k.run(step.code)
		if o.name != step.err {
			t.Errorf("%d %q: error %q %q, want %q\n%s", i+1, step.code, o.name, o.value, step.err, o.traceback)
			continue
		}
		if !strings.HasPrefix(o.stdout, step.stdout) || step.stdout == "" && o.stdout != "" {
			t.Errorf("%d %q: stdout %q, want %q", i+1, step.code, o.stdout, step.stdout)
		}
		if !strings.HasPrefix(o.stderr, step.stderr) || step.stderr == "" && o.stderr != "" {
			t.Errorf("%d %q: stderr %q, want %q", i+1, step.code, o.stderr, step.stderr)
		}
		if got := o.result["text/plain"]; got != step.result {
			t.Errorf("%d %q: result %q, want %q", i+1, step.code, got, step.result)
		}
		if !strings.Contains(o.traceback, step.trace) {
			t.Errorf("%d %q: the traceback has no %q:\n%s", i+1, step.code, step.trace, o.traceback)
		}
	}
}

// TestLongStackOverflow checks that an endless recursion shows few of its frames.
func TestLongStackOverflow(t *testing.T) {
	testall.Long(t)
	t.Parallel()
	k := start(t)
	o := k.run("func deep(n int) int { return deep(n+1) + 1 }\ndeep(0)")
	if o.name != "fatal error" || o.value != "stack overflow" || strings.Count(o.traceback, "cell 1, line 1") > 4 || !strings.Contains(o.traceback, "frames of the same calls") {
		t.Errorf("%+v", o)
	}
	t.Logf("it took %v", o.took)
}

// TestOrder checks that standard error comes after what was printed before it.
func TestOrder(t *testing.T) {
	t.Parallel()
	k := start(t)
	o := k.run("%%\nfor range 30 {\n\tfmt.Print(\"o\")\n\tfmt.Fprint(os.Stderr, \"e\")\n\ttime.Sleep(20*time.Millisecond)\n}")
	for i := range o.written {
		if before := o.written[:i+1]; strings.Count(before, "e") > strings.Count(before, "o") {
			t.Fatalf("an error comes before what was printed before it: %s", o.written)
		}
	}
	if len(o.written) != 60 {
		t.Errorf("it wrote %q", o.written)
	}
}

// TestAbort checks that cells sent before an error do not run, and those sent after it do.
func TestAbort(t *testing.T) {
	t.Parallel()
	k := start(t)
	now := time.Now()
	first, second, third := k.send("panic(1)"), k.send("println(2)"), k.send("println(3)")
	if o := k.outcome(first, now); o.name != "panic" {
		t.Errorf("the first ended with %q", o.name)
	}
	for _, a := range []*answer{second, third} {
		if o := k.outcome(a, now); o.status != "aborted" {
			t.Errorf("a cell behind the error ended with %q", o.status)
		}
	}
	if o := k.run("println(4)"); o.status != "ok" || o.stderr != "4\n" {
		t.Errorf("the next cell: %+v", o)
	}
}

// TestInterrupt interrupts cells while they are built, while they run, and while they ignore interrupts, and checks
// that no process is left.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	k := start(t)
	if o := k.run("import \"fmt\"\nfmt.Println(1)"); o.status != "ok" {
		t.Fatal(o)
	}
	heavy := "import \"github.com/gomlx/gomlx/core/graph\"\n" + fmt.Sprintf("const unique = %d\n", time.Now().UnixNano()) +
		"%%\nvar g *graph.Graph\n_ = g\nfor i := 0; ; i++ { fmt.Sprint(unique) }"
	loop := "%%\nfmt.Println(\"started\")\nfor { time.Sleep(time.Second) }"
	// Without asynchronous preemption, as in cells built with SIMD instructions, the runtime cannot stop this loop.
	tight := "%env GODEBUG asyncpreemptoff=1\n%%\nfmt.Println(\"started\")\nfor {}"
	tightDeaf := "%env GODEBUG asyncpreemptoff=1\n%%\nsignal.Ignore(os.Interrupt)\nfmt.Println(\"started\")\nfor {}"
	deaf := "%%\nsignal.Ignore(os.Interrupt)\nfmt.Println(\"started\")\nfor { time.Sleep(time.Second) }"
	begun := func(a *answer, _ time.Time) bool { return a.begun() }
	started := func(a *answer, _ time.Time) bool { return a.has("started") }
	builds := func(_ *answer, sent time.Time) bool {
		return slices.ContainsFunc(k.front.gonb.Events(), func(e gonb.Event) bool { return e.Kind == gonb.BuildStarted && e.Time.After(sent) })
	}
	for _, step := range []struct {
		name, code string
		ready      func(a *answer, sent time.Time) bool
	}{
		{"at once", loop, begun}, {"in the build", heavy, builds}, {"in the run", loop, started}, {"deaf", deaf, started},
		{"tight", tight, started}, {"tight and deaf", tightDeaf, started}, {"shell", "!echo started; sleep 100", started},
		{"two shells", "!echo started; sleep 100; echo second\n!sleep 101", started}, {"script", "%%bash\necho started\nsleep 100", started},
		{"descendants", "%%script sh\necho started\n(setsid sleep 100 | cat); sleep 100", started},
		{"shell above a program", "!echo started; sleep 100\nfmt.Println(\"not interrupted\")", started},
	} {
		sent := time.Now()
		a := k.send(step.code)
		eventually(t, step.name+" is ready", func() bool { return step.ready(a, sent) })
		began := time.Now()
		k.ask(k.Sockets.Control, "interrupt_request", map[string]any{})
		if strings.HasSuffix(step.name, "deaf") {
			eventually(t, step.name+" still runs", func() bool { return a.has("interrupt again to kill it") })
			k.ask(k.Sockets.Control, "interrupt_request", map[string]any{})
		}
		o := k.outcome(a, began)
		if o.name != "Interrupted" {
			t.Errorf("%s: it ended with %q: %s", step.name, o.name, o.value)
		}
		if strings.Contains(o.stdout, "not interrupted") {
			t.Errorf("%s: the rest of the cell ran", step.name)
		}
		t.Logf("%s: back after %v", step.name, o.took)
		child, _ := k.front.gonb.Process()
		eventually(t, step.name+" leaves no process", func() bool { return len(process.Descendants(child.PID())) == 0 })
	}
	if o := k.run("fmt.Println(2)"); o.stdout != "2\n" {
		t.Errorf("the next cell: %+v", o)
	}
}

// TestInterruptHandled interrupts a program that handles it: it has time to end, and its children end with it.
func TestInterruptHandled(t *testing.T) {
	t.Parallel()
	k := start(t)
	a := k.send(`%%
c := make(chan os.Signal, 1)
signal.Notify(c, os.Interrupt)
child := exec.Command("setsid", "sleep", "1000")
child.Start()
fmt.Println("started")
<-c
time.Sleep(2 * time.Second)
fmt.Println("saved")`)
	next := k.send("fmt.Println(\"next\")")
	eventually(t, "the program runs", func() bool { return a.has("started") })
	k.ask(k.Sockets.Control, "interrupt_request", map[string]any{})
	if o := k.outcome(a, time.Now()); o.status != "ok" || o.stdout != "started\nsaved\n" {
		t.Errorf("it ended with %+v", o)
	}
	if o := k.outcome(next, time.Now()); o.stdout != "next\n" {
		t.Errorf("the next cell: %+v", o)
	}
	child, _ := k.front.gonb.Process()
	eventually(t, "no process is left", func() bool { return len(process.Descendants(child.Guard())) == 1 })
}

// TestLeftBehind starts processes that outlive the cell and have its output: the cell does not wait for them, they can
// still write, and they end with the kernel, as start checks.
func TestLeftBehind(t *testing.T) {
	t.Parallel()
	k := start(t)
	dir := t.TempDir()
	script := func(name string) string {
		return fmt.Sprintf("echo first; touch %[1]s/begun-%[2]s; while [ ! -e %[1]s/go ]; do sleep 0.05; done; echo second; echo third; touch %[1]s/%[2]s; sleep 1000", dir, name)
	}
	begun := func(name string) string {
		return fmt.Sprintf("while [ ! -e %s/begun-%s ]; do sleep 0.05; done", dir, name)
	}
	for _, code := range []string{
		fmt.Sprintf("child := exec.Command(\"bash\", \"-c\", %q)\nchild.Stdout, child.Stderr = os.Stdout, os.Stderr\nchild.Start()\nexec.Command(\"bash\", \"-c\", %q).Run();", script("program"), begun("program")),
		"!(" + script("shell") + ") & " + begun("shell"),
		"%%bash\n(" + script("bash") + ") & " + begun("bash"),
	} {
		if o := k.run(code); o.status != "ok" || o.stdout != "first\n" {
			t.Errorf("%s: %+v", code, o)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"program", "shell", "bash"} {
		eventually(t, name+" can still write", func() bool { _, err := os.Stat(filepath.Join(dir, name)); return err == nil })
	}
}

// TestBackend switches to a backend whose kernel uses another Go. Later cells are built by that Go, and declarations
// survive.
func TestBackend(t *testing.T) {
	alone(t)
	const slow = "without SIMD instructions, several times slower: a test"
	goCommand, err := exec.LookPath("go")
	if err != nil {
		t.Skip(err)
	}
	other := filepath.Join(t.TempDir(), "bin", "go")
	if err := errors.Join(os.Mkdir(filepath.Dir(other), 0o755), os.Symlink(goCommand, other)); err != nil {
		t.Fatal(err)
	}
	k := startIn(t, t.TempDir(), func(c *Config) {
		c.Kernels = t.TempDir()
		spec := kernelspec.Spec{Name: kernelspec.Go, Color: "#000000", JSON: kernelspec.JSON{
			Argv: []string{filepath.Join(bin(t), "birnn-kernels")},
			Env:  map[string]string{"PATH": filepath.Dir(other) + ":${PATH}", "GODEBUG": "asyncpreemptoff=1", kernelspec.PureGo: slow},
		}}
		if err := spec.Write(c.Kernels); err != nil {
			t.Fatal(err)
		}
	})
	if o := k.run("func twice(n int) int { return 2 * n }\ntwice(2)"); o.result["text/plain"] != "4" || o.stderr != "" {
		t.Fatalf("before: %+v", o)
	}
	before, _ := k.front.gonb.Process()
	if o := k.run("%backend go"); !strings.Contains(o.stdout, "go, from here on; pure Go "+slow) {
		t.Errorf("it says %+v", o)
	}
	if now, _ := k.front.gonb.Process(); now == before {
		t.Error("GoNB was not started again")
	}
	if o := k.run("fmt.Println(os.Getenv(\"BIRNN_GO\"), os.Getenv(\"GODEBUG\"), twice(3))"); o.stdout != other+" asyncpreemptoff=1 6\n" {
		t.Errorf("after it: %+v", o)
	}
	before, _ = k.front.gonb.Process()
	if o := k.run("%backend go\ntwice(4)"); o.result["text/plain"] != "8" {
		t.Errorf("once more: %+v", o)
	}
	if now, _ := k.front.gonb.Process(); now != before {
		t.Error("GoNB was started again for the same Go")
	}
}

// TestWarning checks that a slow kernel says so, once, and in its banner.
func TestWarning(t *testing.T) {
	alone(t)
	if runtime.GOARCH != "amd64" {
		t.Skip("only amd64 has SIMD instructions to go without")
	}
	const slow = "without SIMD instructions, several times slower: a test"
	k := startIn(t, t.TempDir(), func(*Config) { t.Setenv(kernelspec.PureGo, slow) })
	for i, want := range []string{"Pure Go " + slow + "\n", ""} {
		if o := k.run("fmt.Println(1)"); o.stdout != "1\n" || o.stderr != want {
			t.Errorf("cell %d: %+v, want %q", i+1, o, want)
		}
	}
	var info struct {
		Banner string `json:"banner"`
	}
	if k.request("kernel_info_request", map[string]any{}, &info); !strings.HasSuffix(info.Banner, "\nPure Go "+slow+".") {
		t.Errorf("the banner is %q", info.Banner)
	}
}

// TestChildKilled checks that a killed GoNB is restarted with the declarations and settings.
func TestChildKilled(t *testing.T) {
	t.Parallel()
	k := start(t)
	if o := k.run("%env A b\nfunc f() string { return os.Getenv(\"A\") }"); o.status != "ok" {
		t.Fatal(o)
	}
	child, _ := k.front.gonb.Process()
	a := k.send("%%\nprintln(1)\nfor {}")
	eventually(t, "the program runs", func() bool { return a.has("1") })
	if err := syscall.Kill(child.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if o := k.outcome(a, time.Now()); o.name != "KernelError" {
		t.Errorf("the cell ended with %+v", o)
	}
	if o := k.run("f()"); o.result["text/plain"] != "\"b\"" {
		t.Errorf("the next cell: %+v", o)
	}
}

// TestShutdown checks that no process is left, even of a running cell.
func TestShutdown(t *testing.T) {
	t.Parallel()
	k := start(t)
	k.run("println(0)")
	child, _ := k.front.gonb.Process()
	running := k.send("%%\nprintln(1)\nfor {}")
	eventually(t, "the program runs", func() bool { return running.has("1") })
	guard := child.Guard()
	family := process.Descendants(guard)
	run := k.front.run
	a := k.ask(k.Sockets.Control, "shutdown_request", map[string]any{"restart": false})
	select {
	case <-a.Reply:
	case <-time.After(time.Minute):
		t.Fatal("no reply")
	}
	if err := <-k.done; err != nil {
		t.Error(err)
	}
	if len(family) < 2 {
		t.Errorf("only %v ran", family)
	}
	for _, pid := range append(family, guard) {
		eventually(t, fmt.Sprintf("process %d ends", pid), func() bool { return syscall.Kill(pid, 0) != nil })
	}
	if _, err := os.Stat(run); err == nil {
		t.Errorf("%s is left", run)
	}
}

// TestQuestions sends the other requests of clients while a cell runs.
func TestQuestions(t *testing.T) {
	t.Parallel()
	project := t.TempDir()
	k := startIn(t, project)
	k.run("func 你好() {}\nfunc helper(n int) string { return \"\" }")
	answered := filepath.Join(project, "answered")
	running := k.send(fmt.Sprintf("%%%%\nfor {\n\tif _, err := os.Stat(%q); err == nil {\n\t\tbreak\n\t}\n\ttime.Sleep(10 * time.Millisecond)\n}", answered))

	var complete struct{ Status, Indent string }
	k.request("is_complete_request", map[string]string{"code": "for {"}, &complete)
	if complete.Status != "incomplete" || complete.Indent != "\t" {
		t.Errorf("is_complete: %+v", complete)
	}
	var info struct {
		Language struct {
			Lexer     string `json:"pygments_lexer"`
			Extension string `json:"file_extension"`
		} `json:"language_info"`
	}
	k.request("kernel_info_request", map[string]any{}, &info)
	if info.Language.Lexer != "go" || info.Language.Extension != ".go" {
		t.Errorf("kernel_info: %+v", info)
	}
	var comms struct{ Comms map[string]any }
	k.request("comm_info_request", map[string]any{}, &comms)
	if comms.Comms == nil {
		t.Error("comm_info has no comms")
	}
	var found struct{ History [][]any }
	k.request("history_request", map[string]any{"hist_access_type": "tail", "n": 2, "output": false, "raw": true}, &found)
	if len(found.History) != 2 || !strings.HasPrefix(found.History[0][2].(string), "func 你好") {
		t.Errorf("history: %+v", found)
	}
	var matches struct {
		Matches    []string
		Start, End int
	}
	// There is an answer with and without gopls.
	k.request("complete_request", map[string]any{"code": "x := \"你好\"; hel", "cursor_pos": 14}, &matches)
	if len(matches.Matches) == 0 || matches.Matches[0] != "helper" {
		t.Errorf("complete: %+v", matches)
	}
	select {
	case <-running.Reply:
		t.Error("the cell ended before the questions were answered")
	default:
	}
	if err := os.WriteFile(answered, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if o := k.outcome(running, time.Now()); o.status != "ok" {
		t.Errorf("the cell: %+v", o)
	}

	// A message with a wrong signature is dropped, and the kernel goes on.
	k.Sockets.Shell.WithKey("wrong").SendMessage(wire.New(k.Session, "execute_request", nil, map[string]any{"code": "println(1)"}))
	if o := k.run("println(2)"); o.number != 3 {
		t.Errorf("a forged cell ran: this one has number %d", o.number)
	}
}

// TestOutput checks that Chinese text arrives undamaged, and that huge output does not.
func TestOutput(t *testing.T) {
	t.Parallel()
	k := start(t)
	if o := k.run("for range 20000 { fmt.Println(\"一二三四五\") }"); o.stdout != strings.Repeat("一二三四五\n", 20000) {
		t.Errorf("%d bytes arrived", len(o.stdout))
	}
	o := k.run("for range 200000 { fmt.Println(\"一二三四五\") }")
	if len(o.stdout) > outputLimit+1000 || !strings.Contains(o.stdout, "all of it goes to ") {
		t.Errorf("%d bytes arrived, the last %q", len(o.stdout), o.stdout[len(o.stdout)-100:])
	}
	file := strings.Fields(o.stdout[strings.Index(o.stdout, "all of it goes to ")+len("all of it goes to "):])[0]
	if info, err := os.Stat(file); err != nil || info.Size() != 200000*16 {
		t.Errorf("the file: %v %v", info, err)
	}
	if o := k.run("!for i in $(seq 20000); do echo 一二三四五; done"); o.stdout != strings.Repeat("一二三四五\n", 20000) {
		t.Errorf("%d bytes arrived from the shell", len(o.stdout))
	}
	if o := k.run("for i := range 3000 { fmt.Print(\"\\r\", i); time.Sleep(100 * time.Microsecond) }\nfmt.Println()"); len(o.stdout) > 4000 || !strings.HasSuffix(o.stdout, "2999\n") {
		t.Errorf("a progress bar put out %d bytes, the last %q", len(o.stdout), o.stdout[max(0, len(o.stdout)-20):])
	}
}
