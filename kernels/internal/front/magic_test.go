//go:build unix

package front

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"birnn/internal/testall"
)

// TestCommands runs commands of which GoNB makes something else, or which it cannot do at all.
func TestCommands(t *testing.T) {
	t.Parallel()
	k := start(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "中文 目录"), 0o755); err != nil {
		t.Fatal(err)
	}
	child, _ := k.front.gonb.Process()
	for i, step := range []struct {
		code           string
		stdout, stderr string // they begin with
		err, has       string // the traceback or the standard error has it
	}{
		{code: "%%time\nfmt.Println(1)", err: "UsageError"},
		{code: "%nonsense\nfmt.Println(1)", err: "UsageError"},
		{code: "%output 1,5MB", err: "UsageError", has: "\"1,5MB\" is not a size"},
		{code: "%output 18EB", err: "UsageError"},
		{code: "%output 2 MB", stdout: "a cell shows up to 2.0 MB of each stream"},
		{code: "%wasm\nfmt.Println(1)", err: "UsageError"},
		{code: "%%\nfmt.Println(1)\n%%\nfmt.Println(2)", err: "SyntaxError", has: "line 3"},
		{code: "%env WHO 世界", stdout: "Set: WHO=\"世界\"\n"},
		{code: "fmt.Println(os.Getenv(\"WHO\"))\n!echo $WHO", stdout: "世界\n世界\n"},
		{code: "%env WHO=ASCII", stdout: "Set: WHO=\"ASCII\"\n"},
		{code: "!echo $WHO", stdout: "ASCII\n"},
		{code: "%% n \"世 界\" é ÿ\nfmt.Println(os.Args[1:])", stdout: "[n 世 界 é ÿ]\n"},
		{code: "%cd " + dir, stdout: "Changed directory"},
		{code: "%cd \"中文 目录\"", stdout: "Changed directory to \"" + dir + "/中文 目录\""},
		{code: "%%writefile 数据.txt\n一\n二", stderr: "Cell contents written to \"数据.txt\".\n"},
		{code: "%%writefile -a 数据.txt\n三", stderr: "Cell contents appended to \"数据.txt\".\n"},
		{code: "!cat ../*/数据.txt", stdout: "一\n二\n三\n"},
		{code: "%%writefile none/a.txt\n1", err: "CommandError"},
		{code: "%%writefile a b c\n1", err: "CommandError"},
		{code: "%cd 没有", err: "CommandError"},
		{code: "%capture 输出.txt\nfmt.Println(1)", stdout: "1\n"},
		{code: "!cat 输出.txt", stdout: "1\n"},
		{code: "%%bash\r\necho 1\r\necho 2\r\n", stdout: "1\n2\n"},
		{code: "%%writefile crlf.txt\r\none\r\ntwo", stderr: "Cell contents written"},
		{code: "!od -An -c crlf.txt | tr -d ' '", stdout: "one\\ntwo\\n\n"},
		{code: "%%script sh -s 参 \"a b\"\necho $1, $2", stdout: "参, a b\n"},
		{code: "%%bash\nexit 3", stderr: "exit status 3\n"},
		{code: "import \"testing\"\nfunc double(n int) int { return 2 * n }\n\nfunc TestDouble(t *testing.T) {\n\tif double(2) != 5 {\n\t\tt.Error(\"wrong\")\n\t}\n}\n\nfunc TestOther(t *testing.T) {}"},
		{code: "%test", stdout: "=== RUN   TestDouble\n    cell %d, line 6: wrong\n--- FAIL: TestDouble", err: "ExitStatus 1"},
		{code: "%test -test.v -test.run Other", stdout: "=== RUN   TestOther\n--- PASS"},
		{code: "func greet() { fmt.Println(\"hello\", flag.Args()) }"},
		{code: "%exec greet a 世", stdout: "hello [a 世]\n"},
		{code: "%exec", err: "UsageError"},
		{code: "%exec greet\nL: for { break L }", err: "SyntaxError", has: "statement beside %exec"},
		{code: "%exec greet\n%%\n", err: "SyntaxError", has: "a second %%"},
		{code: "%%\n%exec greet", err: "SyntaxError", has: "a second %exec"},
		{code: "%exec nothing", err: "CompileError", has: "cell %d, line 1"},
		{code: "%exec greet\nfunc unrelated() int { return 1 }", stdout: "hello []\n"},
		{code: "%%script", err: "UsageError"},
		{code: "//gonb:%%script \necho", err: "UsageError"},
		{code: "%%script \"\"\necho", stderr: "exec: no command"},
		{code: "!*rm go.work && go work init && go work use ."},
		{code: "double(4)"},
		{code: "panic(\"a\\nxmain.go:1:0: b\")", err: "panic"},
		{code: "log.SetFlags(log.LstdFlags | log.Llongfile)\nlog.Print(\"said 00:main.go:3:\")", stderr: "20", has: "cell %d, line 2: said 00:main.go:3:"},
		{code: "func say() {\n\tlog.SetFlags(log.LstdFlags | log.Llongfile)\n\tlog.Print(\"said\")\n}\nsay()", has: "cell %d, line 3: said"},
		{code: "fmt.Println(strings.HasSuffix(os.Args[0], os.Getenv(\"GONB_TMP_DIR\")+\"/\"+filepath.Base(os.Args[0])), filepath.Ext(os.Args[0]))", stdout: "true \n"},
	} {
		o := k.run(step.code)
		number := o.number
		if strings.HasPrefix(step.code, "%test") {
			number--
		}
		want := func(text string) string { return strings.ReplaceAll(text, "%d", fmt.Sprint(number)) }
		if o.name != step.err {
			t.Errorf("%d %q: error %q, want %q: %+v", i+1, step.code, o.name, step.err, o)
			continue
		}
		if !strings.HasPrefix(o.stdout, want(step.stdout)) || step.stdout == "" && o.stdout != "" {
			t.Errorf("%d %q: stdout %q, want %q", i+1, step.code, o.stdout, want(step.stdout))
		}
		if !strings.HasPrefix(o.stderr, step.stderr) || step.stderr == "" && step.has == "" && o.stderr != "" {
			t.Errorf("%d %q: stderr %q, want %q", i+1, step.code, o.stderr, step.stderr)
		}
		if !strings.Contains(o.traceback+o.stderr, want(step.has)) {
			t.Errorf("%d %q: %q is missing in %+v", i+1, step.code, want(step.has), o)
		}
	}
	if o := k.run("%cd 没有"); !strings.Contains(o.value, "没有") || strings.Contains(o.value, "link-") || strings.Contains(o.value, "executing special") {
		t.Errorf("an error with internal names: %+v", o)
	}
	if now, _ := k.front.gonb.Process(); now != child {
		t.Error("GoNB has ended meanwhile")
	}
}

// TestLongRace builds a cell with the race detector and the flags of the kernels.
func TestLongRace(t *testing.T) {
	testall.Long(t)
	alone(t)
	t.Setenv("GOFLAGS", "-buildvcs=false '-ldflags=-libgcc=none -linkmode=internal -s -w'")
	k := start(t)
	o := k.run("%goflags -race\n%%\nx := 0\ndone := make(chan bool)\ngo func() { x++; done <- true }()\nx++\n<-done")
	if !strings.Contains(o.stderr, "DATA RACE") {
		t.Errorf("%+v", o)
	}
}

// TestCursor checks that a cursor far outside the cell counts as its end.
func TestCursor(t *testing.T) {
	t.Parallel()
	for at, want := range map[int]int{-1: 0, 0: 0, 1: 3, 2: 4, 3: 4, 10_000_000_000: 4} {
		if got := (cursor{"世a", at}).offset(); got != want {
			t.Errorf("%d: offset %d, want %d", at, got, want)
		}
	}
}
