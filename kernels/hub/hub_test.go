//go:build linux

// Package hub tests JupyterHub for a class, installed as README.md says.
package hub

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLongClass has two students work at the same time with a shared installation.
func TestLongClass(t *testing.T) {
	c := newClass(t)
	c.install()
	a, b := c.add("a"), c.add("b")
	before := listing(c.shared, shared...)
	c.start()

	if a.login(t, "not"+a.password) {
		t.Error("the hub takes a wrong password")
	}
	for _, s := range []*student{a, b} {
		if !s.login(t, s.password) {
			t.Fatalf("the hub does not take the password of %s", s.name)
		}
	}
	both := func(do func(t *testing.T, s, other *student)) func(*testing.T) {
		return func(t *testing.T) {
			for _, pair := range [][2]*student{{a, b}, {b, a}} {
				t.Run(pair[0].name, func(t *testing.T) {
					t.Parallel()
					do(t, pair[0], pair[1])
				})
			}
		}
	}
	t.Run("servers", both(func(t *testing.T, s, _ *student) { s.spawn(t) }))
	t.Run("XLA", both(func(t *testing.T, s, other *student) { s.compute(t, other, "birnn-xla", "xla:cpu") }))
	t.Run("pure Go", both(func(t *testing.T, s, other *student) { s.compute(t, other, "birnn-go", "go") }))
	t.Run("what is shared", both(func(t *testing.T, s, other *student) { s.writeNothing(t, other) }))
	t.Run("memory", func(t *testing.T) { testMemory(t, a, b) })
	if !slices.Equal(before, listing(c.shared, shared...)) {
		t.Error("what is shared has changed")
	}

	c.stop()
	for _, s := range []*student{a, b} {
		waitFor(t, "the end of all processes of "+s.name, func() bool { return len(s.processes()) == 0 })
	}
	waitFor(t, "the end of the hub's processes", func() bool {
		return len(running(func(dir string) bool {
			line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
			return strings.Contains(string(line), c.shared)
		})) == 0
	})
}

// shared are the directories that all read and only root may change.
var shared = []string{"bin", "build", "jupyter", "kernels", "modules", "plugin", "proxy", "src"}

// compute runs cells of a student.
func (s *student) compute(t *testing.T, other *student, kernel, backend string) {
	begin := time.Now()
	k := s.kernel(t, kernel)
	ready := time.Since(begin)
	first := k.execute(t, strings.ReplaceAll(cellDot, "@UID", fmt.Sprint(s.uid)))
	if want := fmt.Sprintf("%s float32(%d)\n", backend, 32+s.uid); first.Text != want {
		t.Errorf("got %+v, want %q", first, want)
	}
	// Each student waits for the other.
	meet := strings.NewReplacer("@MINE", filepath.Join(s.meeting, kernel+s.name), "@OTHER", filepath.Join(s.meeting, kernel+other.name))
	second := k.execute(t, meet.Replace(cellMeet))
	if second.Text != "met\n" {
		t.Errorf("the two do not run at the same time: %+v", second)
	}
	// The package is not in the shared cache: the first cell builds it, the second finds it in the student's cache.
	third, fourth := k.execute(t, cellNew), k.execute(t, cellNew)
	if want := "Ada\n"; third.Text != want || fourth.Text != want {
		t.Errorf("a package that nobody has used before: %+v, then %+v", third, fourth)
	}
	t.Logf("kernel after %v; cells %v, %v, %v, %v", ready.Round(10*time.Millisecond), first.Time, second.Time, third.Time, fourth.Time)
}

const (
	cellDot = `import (
	"context"
	"birnn/birnnlib/backend"
	. "github.com/gomlx/gomlx/core/graph"
)
func dot(a, b *Node) *Node { return Dot(a, b).Product() }
%%
b, err := backend.Open(context.Background(), backend.Options{})
if err != nil {
	panic(err)
}
fmt.Println(b.Config, MustNewExec(b.Backend, dot).MustCall([]float32{1, 2, 3, 1}, []float32{4, 5, 6, @UID})[0])`

	cellMeet = `%%
if err := os.WriteFile("@MINE", nil, 0o644); err != nil {
	panic(err)
}
for range 600 {
	if _, err := os.Stat("@OTHER"); err == nil {
		fmt.Println("met")
		break
	}
	time.Sleep(100 * time.Millisecond)
}`

	cellNew = `import "net/mail"
%%
a, err := mail.ParseAddress("Ada <ada@example.org>")
if err != nil {
	panic(err)
}
fmt.Println(a.Name)`

	cellWrite = `import (
	"io/fs"
	"path/filepath"
	"syscall"
)
%%
seen := 0
for _, name := range []string{@NAMES} {
	filepath.WalkDir(filepath.Join("@SHARED", name), func(path string, d fs.DirEntry, err error) error {
		seen++
		if err != nil {
			fmt.Println("cannot read", err)
		} else if syscall.Access(path, 2) == nil {
			fmt.Println("can write", path)
		}
		return nil
	})
}
for _, dir := range []string{"@SHARED/state", "@OTHER"} {
	if _, err := os.ReadDir(dir); err == nil {
		fmt.Println("can read", dir)
	}
}
fmt.Println(seen > 1000)`

	cellWait = `%%
fmt.Println("waiting")
for range 1200 {
	if _, err := os.Stat("@OTHER"); err == nil {
		fmt.Println("still here")
		break
	}
	time.Sleep(100 * time.Millisecond)
}`

	cellEat = `%%
var all [][]byte
for range 64 {
	all = append(all, make([]byte, 64<<20)) // 4 GiB in all, twice the limit
}
fmt.Println(len(all))`
)

// writeNothing checks that a student can change nothing shared and see nothing private.
func (s *student) writeNothing(t *testing.T, other *student) {
	names := fmt.Sprintf("%q", shared)
	in := strings.NewReplacer("@NAMES", strings.ReplaceAll(strings.Trim(names, "[]"), " ", ", "), "@SHARED", s.shared, "@OTHER", other.home)
	if r := s.kernel(t, "birnn-go").execute(t, in.Replace(cellWrite)); r.Text != "true\n" {
		t.Errorf("%+v", r)
	}
	if status := s.call(t, http.MethodGet, "/user/"+other.name+"/api/contents", nil, nil); status != http.StatusForbidden && status != http.StatusNotFound {
		t.Errorf("status %d from the server of %s", status, other.name)
	}
	var lessons struct{ Content []struct{ Name string } }
	if status := s.call(t, http.MethodGet, "/user/"+s.name+"/api/contents/lessons/en", nil, &lessons); status != http.StatusOK || len(lessons.Content) == 0 {
		t.Errorf("there are no lessons: status %d", status)
	}
	// The directory of the history of these cells.
	own := filepath.Join(s.home, ".local", "share", "birnn-projects")
	if info, err := os.Stat(own); err != nil || int(info.Sys().(*syscall.Stat_t).Uid) != s.uid {
		t.Errorf("the kernel does not keep its history with the student's own data: %v", err)
	}
}

// testMemory has a cell of one student exceed its memory limit while a cell of the other runs.
func testMemory(t *testing.T, a, b *student) {
	over := filepath.Join(a.meeting, "over")
	waiting := make(chan ran)
	bs := b.kernel(t, "birnn-go")
	go func() { waiting <- bs.execute(t, strings.ReplaceAll(cellWait, "@OTHER", over)) }()
	as := a.kernel(t, "birnn-go")
	r := as.execute(t, cellEat)
	// Go's runtime reports "out of memory", or crashes if its garbage collector runs out first.
	if !slices.Contains([]string{"fatal error", "SIGSEGV"}, r.Error) || strings.HasSuffix(r.Text, "64\n") {
		t.Errorf("a cell that takes too much memory: %+v", r)
	}
	if err := os.WriteFile(over, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := <-waiting; r.Text != "waiting\nstill here\n" {
		t.Errorf("meanwhile, for the other: %+v", r)
	}
	if r := as.execute(t, "%%\nfmt.Println(\"goes on\")"); r.Text != "goes on\n" {
		t.Errorf("the cell after that: %+v", r)
	}
}
