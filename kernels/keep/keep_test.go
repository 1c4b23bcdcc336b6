package keep

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
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
	t.Setenv(kept.Env, dir)
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

func put[T any](t *testing.T, name string, value T) {
	t.Helper()
	if err := Put(name, value); err != nil {
		t.Fatal(err)
	}
}

func TestPutGet(t *testing.T) {
	for _, env := range []string{kept.Env, "GONB_TMP_DIR"} {
		session(t)
		t.Setenv(kept.Env, "")
		t.Setenv(env, t.TempDir())
		if _, err := Get[int]("losses"); err == nil {
			t.Error("got what was never kept")
		} else {
			contains(t, err.Error(), `keep.Get("losses")`, `first run the cell that calls keep.Put("losses", …)`)
		}
		for _, losses := range [][]float64{{0.9, 0.4}, {0.8}} { // the second replaces the first
			put(t, "losses", losses)
			kept := fmt.Sprint(losses)
			losses[0] = 0 // after Put
			if got, err := Get[[]float64]("losses"); err != nil || fmt.Sprint(got) != kept {
				t.Errorf("kept %s, got back %v (%v)", kept, got, err)
			}
		}
		put(t, "losses", "of another type")
		if got, err := Get[string]("losses"); err != nil || got != "of another type" {
			t.Errorf("%q (%v)", got, err)
		}
		if got, err := Get[[]float64]("losses"); got != nil || err == nil {
			t.Errorf("got a string as %v", got)
		} else {
			contains(t, err.Error(), "what is kept is a string, not a []float64")
		}
		if err := errors.Join(Drop("losses"), Drop("losses")); err != nil {
			t.Error(err)
		}
		if _, err := Get[string]("losses"); err == nil {
			t.Error("got what was dropped")
		}
		contains(t, Put("", 1).Error(), "the name is empty")
	}
}

func TestOutsideNotebook(t *testing.T) {
	t.Setenv(kept.Env, "")
	t.Setenv("GONB_TMP_DIR", "")
	_, err := Get[int]("x")
	for _, err := range []error{Put("x", 1), err, Drop("x")} {
		if err == nil {
			t.Fatal("no error")
		}
		contains(t, err.Error(), `("x")`, "only in a cell of a notebook")
	}
	nextCell()
	for range 2 {
		if got := Value("x", give(3)); got != 3 {
			t.Errorf("%d", got)
		}
	}
}

func TestOnce(t *testing.T) {
	dir := session(t)
	calls := 0
	f := func() (*[]string, error) {
		calls++
		time.Sleep(2 * time.Millisecond)
		return &[]string{"语言", "model"}, nil
	}
	begin := time.Now()
	first := Value("名字", f)
	if second := Value("名字", f); second != first || calls != 1 {
		t.Errorf("%d calls, the same pointer: %t", calls, second == first)
	}
	nextCell()
	third := Value("名字", f)
	if got, err := Get[*[]string]("名字"); calls != 1 || err != nil || !reflect.DeepEqual(third, first) || !reflect.DeepEqual(got, first) {
		t.Errorf("after %d calls, the next cell has %q and gets %q (%v)", calls, *third, got, err)
	}
	infos, err := kept.List(dir)
	if err != nil || len(infos) != 1 {
		t.Fatal(infos, err)
	}
	info := infos[0]
	if info.Name != "名字" || info.Type != "*[]string" || info.Took < 2*time.Millisecond || info.Took > time.Since(begin) ||
		info.Kept.Before(begin.Round(0)) || info.Kept.After(time.Now()) {
		t.Errorf("kept as %+v", info)
	}
	put(t, "名字", &[]string{"other"})
	nextCell()
	if got := Value("名字", never[*[]string](t)); (*got)[0] != "other" {
		t.Errorf("the cell after Put has %q", *got)
	}
	if err := Drop("名字"); err != nil {
		t.Error(err)
	}
	nextCell()
	if Value("名字", f); calls != 2 {
		t.Errorf("%d calls after Drop, want 2", calls)
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
	if _, err := Get[model]("model"); err == nil {
		t.Error("got a value of the old type")
	} else {
		contains(t, err.Error(), "the definition of keep.model has changed since")
	}
	text := said(t, func() {
		if got := Value("model", give(model{[]layer{{4, true}}})); got.Layers[0].Size != 4 {
			t.Errorf("the old value %v", got)
		}
	})
	contains(t, text, `"model" is computed again`, "the definition of keep.model has changed since")
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

// TestUnwritable keeps values where nothing can be written, as on a full disk.
func TestUnwritable(t *testing.T) {
	dir := session(t)
	if err := os.WriteFile(dir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Put("x", 1); err == nil {
		t.Error("kept in a file")
	}
	text := said(t, func() {
		if got := Value("x", give(7)); got != 7 {
			t.Errorf("%d", got)
		}
	})
	contains(t, text, `"x" is not kept`)
}

// TestDamaged cuts the file of a value.
func TestDamaged(t *testing.T) {
	dir := session(t)
	put(t, "x", []string{"a", "b"})
	paths, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(paths) != 1 {
		t.Fatal(paths, err)
	}
	whole, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range []int{len(whole) - 1, 30, 0} {
		if err := os.WriteFile(paths[0], whole[:size], 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := Get[[]string]("x"); got != nil || err == nil {
			t.Errorf("cut to %d bytes: got %q", size, got)
		}
		nextCell()
		text := said(t, func() {
			if got := Value("x", give([]string{"c"})); len(got) != 1 {
				t.Errorf("cut to %d bytes: %q", size, got)
			}
		})
		contains(t, text, `"x" is computed again`)
		nextCell()
		Value("x", never[[]string](t))
	}
}
