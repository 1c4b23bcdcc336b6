package keep

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"birnn/kernels/internal/kept"
)

// session makes an empty directory for kept values and returns it.
func session(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "keep")
	t.Setenv(kept.SessionEnv, dir)
	t.Setenv(kept.LastingEnv, filepath.Join(t.TempDir(), "lasting"))
	nextCell()
	return dir
}

// nextCell resets the memory to that of the next cell's program.
func nextCell() {
	mu.Lock()
	defer mu.Unlock()
	entries = map[string]*entry{}
	inInterfaces.Range(func(name, t any) bool {
		if !always[name] {
			inInterfaces.Delete(name)
		}
		return true
	})
}

// always has the types that every program knows in interfaces.
var always = map[any]bool{}

func init() {
	inInterfaces.Range(func(name, _ any) bool {
		always[name] = true
		return true
	})
}

// said returns what do writes to standard error.
func said(t *testing.T, do func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	old := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = old }()
	do()
	text, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// panicOf returns the error with which do panics.
func panicOf(t *testing.T, do func()) (err error) {
	t.Helper()
	defer func() {
		if r := recover(); r != nil {
			err = r.(error)
		}
	}()
	do()
	return nil
}

func give[T any](value T) func() (T, error) { return func() (T, error) { return value, nil } }

// never fails the test if it is called, for values that must be kept already.
func never[T any](t *testing.T) func() (T, error) {
	return func() (v T, err error) {
		t.Helper()
		t.Error("computed again")
		return v, nil
	}
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
}

func TestOnce(t *testing.T) {
	for _, where := range []string{"session", "bare GoNB", "lasting", "program"} {
		t.Run(where, func(t *testing.T) {
			dir := session(t)
			var options []Option
			switch where {
			case "bare GoNB":
				t.Setenv(kept.SessionEnv, "")
				t.Setenv("GONB_TMP_DIR", t.TempDir())
				dir = filepath.Join(os.Getenv("GONB_TMP_DIR"), "keep")
			case "lasting":
				dir = os.Getenv(kept.LastingEnv)
				options = []Option{Lasting}
			case "program":
				t.Setenv(kept.SessionEnv, "")
				dir = ""
			}
			calls := 0
			f := func() (*[]string, error) {
				calls++
				time.Sleep(2 * time.Millisecond)
				return &[]string{"语言", "model"}, nil
			}
			begin := time.Now()
			first := Value("名字", f, options...)
			if second := Value("名字", f, options...); second != first || calls != 1 {
				t.Errorf("%d calls, the same pointer: %t", calls, second == first)
			}
			nextCell()
			third := Value("名字", f, options...)
			if len(*third) != 2 || (*third)[0] != "语言" || (*third)[1] != "model" {
				t.Errorf("the next cell has %q", *third)
			}
			if want := map[bool]int{true: 1, false: 2}[dir != ""]; calls != want {
				t.Errorf("%d calls with a next cell, want %d", calls, want)
			}
			if dir == "" {
				return
			}
			infos, err := kept.List(dir)
			if err != nil || len(infos) != 1 {
				t.Fatal(infos, err)
			}
			info := infos[0]
			if info.Name != "名字" || info.Type != "*[]string" || info.Took < 2*time.Millisecond || info.Took > time.Since(begin) ||
				info.Computed.Before(begin.Round(0)) || info.Computed.After(time.Now()) || info.Fingerprint != "" {
				t.Errorf("kept as %+v", info)
			}
			if err := Drop("名字"); err != nil {
				t.Error(err)
			}
			if infos, err := kept.List(dir); err != nil || len(infos) != 0 {
				t.Errorf("dropped, and there: %v (%v)", infos, err)
			}
		})
	}
}

func TestLastingFolder(t *testing.T) {
	session(t)
	t.Setenv(kept.LastingEnv, "")
	cache := t.TempDir()
	for _, env := range []string{"XDG_CACHE_HOME", "HOME", "LocalAppData"} {
		t.Setenv(env, cache)
	}
	for _, notebooks := range []string{"甲", "乙"} {
		t.Setenv("GONB_DIR", filepath.Join(cache, notebooks))
		nextCell()
		Value("x", give(notebooks), Lasting)
	}
	for _, notebooks := range []string{"甲", "乙"} {
		t.Setenv("GONB_DIR", filepath.Join(cache, notebooks))
		nextCell()
		if got := Value("x", never[string](t), Lasting); got != notebooks {
			t.Errorf("%q keeps %q", notebooks, got)
		}
	}
}

func TestFailure(t *testing.T) {
	dir := session(t)
	failure := errors.New("the corpus is empty")
	err := panicOf(t, func() { Value("corpus", func() (int, error) { return 7, failure }) })
	if !errors.Is(err, failure) {
		t.Fatal(err)
	}
	contains(t, err.Error(), `"corpus"`, "the corpus is empty")
	if infos, _ := kept.List(dir); len(infos) > 0 {
		t.Errorf("kept: %v", infos)
	}
	if got := Value("corpus", give(8)); got != 8 {
		t.Errorf("then %d", got)
	}
	contains(t, panicOf(t, func() { Value("", give(1)) }).Error(), "empty")
}

func TestOneNameTwice(t *testing.T) {
	session(t)
	Value("x", give(1))
	contains(t, panicOf(t, func() { Value("x", give("1")) }).Error(), `"x"`, "int", "string", "rename one")
	contains(t, panicOf(t, func() { Value("x", give(1), Lasting) }).Error(), `"x"`, "keep.Lasting")
}

func TestTogether(t *testing.T) {
	session(t)
	var group sync.WaitGroup
	calls := make([]int, 3)
	got := make([][]*int, 3)
	for i := range 3 {
		got[i] = make([]*int, 8)
		for j := range 8 {
			group.Go(func() {
				got[i][j] = Value(fmt.Sprint(i), func() (*int, error) {
					calls[i]++
					n := i + 1
					return &n, nil
				})
			})
		}
	}
	group.Wait()
	for i := range 3 {
		for j := range 8 {
			if calls[i] != 1 || got[i][j] != got[i][0] || *got[i][j] != i+1 {
				t.Errorf("value %d: %d calls, %v", i, calls[i], got[i])
			}
		}
	}
}

func TestChangedType(t *testing.T) {
	session(t)
	old := func() {
		type layer struct{ Size int }
		type model struct{ Layers []layer }
		Value("model", give(model{[]layer{{3}}}))
	}
	old()
	nextCell()
	if text := said(t, old); text != "" {
		t.Errorf("unchanged: %s", text)
	}
	nextCell()
	type layer struct {
		Size int
		Bias bool
	}
	type model struct{ Layers []layer }
	text := said(t, func() {
		if got := Value("model", give(model{[]layer{{4, true}}})); got.Layers[0].Size != 4 {
			t.Errorf("the old value %v", got)
		}
	})
	contains(t, text, `"model"`, "keep.model", "computing it again")
	if strings.Count(text, "\n") != 1 {
		t.Errorf("more than a line: %q", text)
	}
	nextCell()
	Value("model", never[model](t))
}

func TestSignature(t *testing.T) {
	type node struct {
		Next *node
		M    map[string][]int
	}
	seen := map[string]string{}
	for name, value := range map[string]any{
		"int": 0, "string": "", "[]int": []int{}, "[2]int": [2]int{}, "[3]int": [3]int{}, "map": map[string]int{}, "map of": map[int]string{},
		"pointer": new(int), "node": node{}, "named": time.Duration(0), "json": json.Number(""), "A": struct{ A int }{}, "B": struct{ B int }{},
		"order": struct{ A, B int }{}, "order'": struct{ B, A int }{},
		"deep": struct{ C []struct{ A int } }{}, "deep'": struct{ C []struct{ A int8 } }{},
	} {
		s := signature(reflect.TypeOf(value))
		if other := seen[s]; other != "" {
			t.Errorf("%s and %s have one signature", name, other)
		}
		seen[s] = name
	}
}

func TestFingerprint(t *testing.T) {
	for _, options := range [][]Option{nil, {Lasting}} {
		dir := session(t)
		if err := kept.SetFingerprints(dir, map[string]string{"x": "first", "y": "other"}); err != nil {
			t.Fatal(err)
		}
		Value("x", give(1), options...)
		nextCell()
		if err := kept.SetFingerprints(dir, map[string]string{"x": "second"}); err != nil {
			t.Fatal(err)
		}
		if got := Value("x", never[int](t), options...); got != 1 { // stale; the kernel says so
			t.Errorf("%d", got)
		}
		if len(options) > 0 {
			dir = os.Getenv(kept.LastingEnv)
		}
		if infos, err := kept.List(dir); err != nil || len(infos) != 1 || infos[0].Fingerprint != "first" {
			t.Errorf("%+v (%v)", infos, err)
		}
	}
}

func TestLimit(t *testing.T) {
	dir := session(t)
	if err := kept.SetLimit(dir, 3000); err != nil {
		t.Fatal(err)
	}
	text := said(t, func() {
		Value("小", give(make([]byte, 1000)))
		Value("small", give(1))
	})
	if text != "" {
		t.Error(text)
	}
	calls := 0
	large := func() {
		if got := Value("large", func() ([]byte, error) { calls++; return make([]byte, 2500), nil }); len(got) != 2500 {
			t.Errorf("%d bytes", len(got))
		}
	}
	text = said(t, large)
	contains(t, text, `"large"`, "%keep drop 小", "%keep limit 1GB", "3.0 kB")
	if strings.Count(text, "\n") != 1 {
		t.Errorf("more than a line: %q", text)
	}
	large()
	nextCell()
	said(t, large)
	if calls != 2 {
		t.Errorf("%d calls", calls)
	}
	t.Setenv("GONB_TMP_DIR", filepath.Dir(dir))
	t.Setenv(kept.SessionEnv, "")
	nextCell()
	contains(t, said(t, large), `keep.Drop("小")`)
	if err := Drop("小"); err != nil {
		t.Fatal(err)
	}
	nextCell()
	large()
	nextCell()
	Value("large", never[[]byte](t))
}

func TestDamaged(t *testing.T) {
	for _, test := range []struct {
		pattern string
		cut     int64
	}{{"*.data", 5}, {"x-*.json", 30}, {"x-*.json", 0}} {
		dir := session(t)
		Value("x", give([]string{"a", "b"}))
		paths, err := filepath.Glob(filepath.Join(dir, test.pattern))
		if err != nil || len(paths) != 1 {
			t.Fatal(paths, err)
		}
		if err := os.Truncate(paths[0], test.cut); err != nil {
			t.Fatal(err)
		}
		nextCell()
		text := said(t, func() {
			if got := Value("x", give([]string{"c"})); len(got) != 1 {
				t.Errorf("%q", got)
			}
		})
		contains(t, text, `"x"`, "computing it again", "damaged")
		nextCell()
		Value("x", never[[]string](t))
	}
}

const killed = "KEEP_TEST_KILLED"

// They have different signatures, so that each replaces the other.
type (
	even struct{ Numbers []int }
	odd  struct{ Numbers []int }
)

var seed = flag.Uint64("seed", rand.Uint64(), "seed of the kills at random moments")

// TestMain runs the tests, or the program that TestKilled kills: it keeps values and prints a line for each.
func TestMain(m *testing.M) {
	s, err := strconv.ParseUint(os.Getenv(killed), 10, 64)
	if err != nil {
		os.Exit(m.Run())
	}
	rng := rand.New(rand.NewPCG(s, 1))
	os.Stderr = nil
	for i := 0; ; i++ {
		numbers := make([]int, 1+rng.IntN(20_000))
		for j := range numbers {
			numbers[j] = i
		}
		if i%2 == 0 {
			Value("数", give(even{numbers}))
		} else {
			Value("数", give(odd{numbers}))
		}
		nextCell()
		fmt.Println(i)
	}
}

func TestKilled(t *testing.T) {
	dir := session(t)
	found := map[string]int{}
	rng := rand.New(rand.NewPCG(*seed, 0))
	t.Logf("-seed %d", *seed)
	for round := range 20 {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", killed, rng.Uint64()))
		out, err := command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		values := bufio.NewScanner(out)
		for range 1 + rng.IntN(4) {
			values.Scan()
		}
		time.Sleep(time.Duration(rng.IntN(5_000)) * time.Microsecond)
		command.Process.Kill()
		if command.Wait(); command.ProcessState.Exited() {
			t.Fatalf("round %d: it ended by itself: %v", round, command.ProcessState)
		}
		infos, err := kept.List(dir)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if len(infos) != 1 {
			t.Fatalf("round %d: %d values are kept, want 1", round, len(infos))
		}
		var numbers []int
		nextCell()
		if found[infos[0].Type]++; infos[0].Type == "keep.even" {
			numbers = Value("数", never[even](t)).Numbers
		} else {
			numbers = Value("数", never[odd](t)).Numbers
		}
		for _, n := range numbers {
			if n != numbers[0] || n%2 != map[string]int{"keep.even": 0, "keep.odd": 1}[infos[0].Type] {
				t.Fatalf("round %d: %d and %d in a %s", round, n, numbers[0], infos[0].Type)
			}
		}
	}
	t.Logf("found %v", found)
}
