//go:build unix

package front

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"birnn/internal/testall"
)

// pieces are what random cells consist of: valid Go, invalid Go, commands, and text that is neither.
var pieces = []string{
	// declarations
	"var a = 1", "var a, b = 2, \"b\"", "const c = iota", "const (\n\tc = iota\n\td\n)", "var e = d + len(b)", "var _ = a", "var _ = f(3)",
	"func f(n int) int { return n + a }", "func f() string { return b }", "func g() { fmt.Println(\"g\", a) }", "func init() { fmt.Println(\"init\") }",
	"func init_a() { fmt.Println(\"init_a\") }", "func init() { panic(\"early\") }", "func _() { g() }",
	"type T struct{ A, B int }", "type T []string", "func (t T) M() int { return t.A }", "func (t *T) N() { t.A++ }", "type I interface{ M() int }", "var _ I = T{}",
	"type P[K comparable, V any] struct {\n\tk K\n\tv V\n}", "func (p P[K, V]) Key() K { return p.k }", "func main() { fmt.Println(\"main\") }", "package main", "package other",
	// names that have a meaning already
	"func len(x string) int { return 7 }", "type int string", "type error struct{}", "const true = false", "var nil = 3", "var fmt = \"fmt\"", "func println(...any) {}",
	"type any = string", "func recover() {}", "var main1, init1 = 1, 2", "func birnn_1() {}", "var show = 1", "type string = []byte", "var os, panic = 1, 2",
	// imports
	"import \"strings\"", "import . \"strings\"", "import fmt \"strings\"", "import _ \"embed\"", "import show \"strconv\"", "import birnnshow \"fmt\"", "import \"birnn.invalid/x\"", "import \"C\"",
	"import (\n\t\"os\"\n\to \"os\"\n)",
	// statements
	"x := 5", "x, y := 5, a", "fmt.Println(x)", "fmt.Println(f(2))", "g()", "T{1, 2}.M()", "P[int, string]{1, \"k\"}.Key()", "for i := range 3 { fmt.Print(i) }", "if a > 1 { x := a; _ = x }",
	"panic(\"late\")", "panic(\"a\\nmain.go:1:0: b\")", "os.Exit(3)", "os.Stderr.WriteString(\"panic: no\\nexit status 1\\n\")", "defer fmt.Println(\"deferred\")", "go func() { panic(1) }()", "L: for { break L }",
	"goto L", "return", "a", "x", "1 +", "\"text\"", "`raw\n%%\n!echo no\n`", "[]byte{65, 200}", "func() int { return 1 }()", "<-time.After(1)", "var ch chan int\n_ = ch", "log.Fatal(\"fatal\")",
	"strings.Repeat(\"x\", 3000)", "fmt.Print(strings.Repeat(\"二\", 100000))", "fmt.Println(\"2026/12/01 10:00:00 main.go:3: said\")", "var s fmt.Stringer\ns.String()",
	// commands
	"%%", "%% -x=1 a", "%main", "%args 1 2", "%exec g", "%exec", "%test", "%ls", "%rm a", "%rm T f", "%reset", "%rm _", "%timing", "%trace", "%help", "%keep", "%modules", "%output", "%nonsense", "%",
	"%env RANDOM_A b", "%env RANDOM_A", "%env", "%goflags", "%capture", "%version", "%graph g", "%track", "!echo shell", "!exit 3", "!*pwd", "!echo a \\\n b", "!", "%%bash\necho bash", "%%bash", "%%script", "%%writefile",
	"//gonb:%%", "//gonb:%env RANDOM_B c", "func TestA(t *testing.T) { t.Log(a) }", "func BenchmarkA(b *testing.B) {}",
	// neither
	"", " ", "\t", "// comment", "/* comment", "/* a */ /* b */", "{", "}", "(", ")", "`", "\"", "'", ";", ";;", "\x00", "\ufeff", "\r\n", "世界 := 1", "世界", "🙂", "\\", "#", "?", "a?", "fmt.Println?", "$x", "@", "\u2028", "\xff\xfe", "-- a --", "// main.go:1:2",
	"<html>", "{\"json\": 1}", "x = = 1", "func", "func (", "type", "import", "import \"", "var", "const (", "case 1:", "else {", "package", "go", "defer", "switch {", "select {}  //",
}

// randomCell returns a cell of random pieces, sometimes with a rune changed.
func randomCell(rng *rand.Rand) string {
	var parts []string
	for range 1 + rng.IntN(4) {
		parts = append(parts, pieces[rng.IntN(len(pieces))])
	}
	text := []rune(strings.Join(parts, "\n"))
	if len(text) > 0 && rng.IntN(4) == 0 {
		const others = "(){}[]`'\"\\;:=.,/*\n\r\t \x00世%1a"
		at := rng.IntN(len(text))
		text[at] = []rune(others)[rng.IntN(len([]rune(others)))]
	}
	return string(text)
}

// TestRandomCells runs random cells: each ends, and the next cell has its result.
func TestRandomCells(t *testing.T) {
	t.Parallel()
	randomCells(t, 1, 12)
}

func TestLongRandomCells(t *testing.T) {
	testall.Long(t)
	for seed := range uint64(8) {
		randomCells(t, 100+seed, 60)
	}
}

// startApart starts a kernel whose cells run in a folder of their own, without a network.
func startApart(t *testing.T) *kernel {
	t.Helper()
	k := startIn(t, t.TempDir(), func(c *Config) { c.Proxy = "off" })
	if o := k.run("%cd " + t.TempDir()); o.status != "ok" {
		t.Fatalf("%+v", o)
	}
	return k
}

func randomCells(t *testing.T, seed uint64, n int) {
	k := startApart(t)
	rng := rand.New(rand.NewPCG(seed, 0))
	var before []string
	for range n {
		code := randomCell(rng)
		before = append(before, code)
		o := k.run(code)
		if o.name == "KernelError" {
			t.Errorf("seed %d: GoNB ends: %+v\nafter %q", seed, o, code)
		}
		if o := k.run("40 + 2"); o.result["text/plain"] != "42" {
			t.Fatalf("seed %d: the cell after %q: %+v\nall before: %q", seed, code, o, before)
		}
	}
}

// TestReset checks that cells after %reset show what they show in a new session.
func TestReset(t *testing.T) {
	t.Parallel()
	resets(t, 1, 8)
}

func TestLongReset(t *testing.T) {
	testall.Long(t)
	for seed := range uint64(8) {
		resets(t, 100+seed, 20)
	}
}

// cellNumber matches what differs between sessions.
var cellNumber = regexp.MustCompile(`\b[Cc]ell \d+\b|0x[0-9a-f]+|gonb_[0-9a-f]+|birnn-kernel-\d+|\d{4}/\d\d/\d\d \d\d:\d\d:\d\d|\d+\.\d+ ?s\b`)

func resets(t *testing.T, seed uint64, n int) {
	rng := rand.New(rand.NewPCG(seed, 0))
	// Settings last, some commands show the session as such, and benchmarks, goroutines and times differ from run to run.
	left := regexp.MustCompile(`%env|%timing|%trace|%output|\?|Benchmark|go func|time\.After`)
	cells := func() (all []string) {
		for len(all) < n {
			if code := randomCell(rng); !left.MatchString(code) {
				all = append(all, code)
			}
		}
		return all
	}
	earlier, later := cells(), cells()
	used, fresh := startApart(t), startApart(t)
	for _, code := range earlier {
		used.run(code)
	}
	used.run("%reset")
	for i, code := range append(later, "%ls", "%modules") {
		want, got := fresh.run(code), used.run(code)
		for _, o := range []*outcome{&want, &got} {
			for _, text := range []*string{&o.value, &o.traceback, &o.stdout, &o.stderr, &o.written} {
				*text = cellNumber.ReplaceAllString(*text, "N")
			}
			o.took, o.number, o.payload = time.Duration(0), 0, ""
		}
		same := got.status == want.status && got.name == want.name && got.value == want.value && got.traceback == want.traceback && got.stdout == want.stdout && got.stderr == want.stderr &&
			got.result["text/plain"] == want.result["text/plain"] && got.displays == want.displays
		if !same {
			t.Fatalf("seed %d: %q after\n%q\nthen %%reset and\n%q\ngives %+v,\nin a new session %+v", seed, code, earlier, slices.Clone(later[:min(i, len(later))]), got, want)
		}
	}
}
