// Package keep lets values outlive the notebook cell that computed them. In GoNB every cell is a program of its own and
// every variable's initialiser runs in each; with
//
//	var params = keep.Value("params", func() (*model.Store, error) { … })
//
// the function runs once, and later cells read what it returned. Outside a notebook it runs once in each program.
//
// A value comes back exactly as it was: nil or empty, what pointers share, every bit of a number and of a tensor. What
// could not come back, like an unexported field, is an error that names it.
package keep

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"reflect"
	"sync"
	"time"

	"birnn/kernels/internal/kept"
)

// Option changes how a value is kept.
type Option func(*entry)

// Lasting keeps the value after the kernel is restarted too, for the notebooks in the same folder; outside a notebook,
// for the programs that are run in the same folder.
func Lasting(e *entry) { e.lasting = true }

// Value returns the value kept under name; if there is none, it computes it by f and keeps it. If f returns an error,
// Value panics with it and keeps nothing. A second call in the same program returns the same value, the same pointer too.
//
// T can be nearly everything: numbers, strings, structs, slices, maps, pointers, interfaces (see [Types]), *tensors.Tensor
// and *model.Store alone or within the others, and types that encode themselves by GobEncode and GobDecode or
// MarshalBinary and UnmarshalBinary, like time.Time. Where a channel, a function or an unexported field is reached Value
// panics before it calls f, and after that if an interface holds such a thing. What is kept is the value as f returned it,
// whatever the cell does with it later. Slices that overlap are apart in later cells.
//
// If the definition of T has changed since, or what was kept cannot be read, the value is computed anew. If it passes the
// folder's limit it is returned, but not kept. A line on standard error says so.
//
// Session values are in the folder $BIRNN_KEEP, on bare GoNB in $GONB_TMP_DIR/keep; lasting ones in $BIRNN_KEEP_LASTING,
// else in the user's cache directory.
func Value[T any](name string, f func() (T, error), options ...Option) T {
	e := enter(name, reflect.TypeFor[*T](), options)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.value != nil {
		return *e.value.(*T)
	}
	dir, err := e.folder()
	if err == nil {
		err = keepable(name, reflect.TypeFor[T]())
	}
	if err != nil {
		panic(fmt.Errorf("keep.Value(%q): %w", name, err))
	}
	value := new(T)
	if dir == "" || !load(dir, name, value) {
		begin := time.Now()
		if *value, err = f(); err != nil {
			panic(fmt.Errorf("keep.Value(%q): computing it: %w", name, err))
		}
		if dir != "" {
			if err := store(dir, name, value, begin); err != nil {
				panic(fmt.Errorf("keep.Value(%q): %w", name, err))
			}
		}
	}
	e.value = value
	return *value
}

// Drop removes what is kept under name, for this session and lasting, so that the next cell computes it anew.
func Drop(name string) error {
	for _, lasting := range []bool{false, true} {
		dir, err := (&entry{lasting: lasting}).folder()
		if err == nil && dir != "" {
			err = kept.Drop(dir, name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// entry is a name in this program.
type entry struct {
	mu      sync.Mutex
	value   any // a pointer to the value; nil before it is there
	pointer reflect.Type
	lasting bool
}

var (
	mu      sync.Mutex
	entries = map[string]*entry{}
)

func enter(name string, pointer reflect.Type, options []Option) *entry {
	asked := &entry{pointer: pointer}
	for _, option := range options {
		option(asked)
	}
	mu.Lock()
	defer mu.Unlock()
	e, ok := entries[name]
	switch {
	case !ok:
		e = asked
		entries[name] = e
	case e.pointer != pointer:
		panic(fmt.Errorf("keep.Value(%q): the name stands for a %v already, and here for a %v: give one of them another name",
			name, e.pointer.Elem(), pointer.Elem()))
	case e.lasting != asked.lasting:
		panic(fmt.Errorf("keep.Value(%q): once with and once without keep.Lasting: give one of them another name", name))
	}
	return e
}

// folder returns where the value is kept; empty for a session value outside a notebook.
func (e *entry) folder() (string, error) {
	if e.lasting {
		return kept.LastingFolder()
	}
	return kept.SessionFolder(), nil
}

// keepable returns an error if a t cannot be kept under name.
func keepable(name string, t reflect.Type) error {
	if name == "" {
		return errors.New("the name is empty")
	}
	seen := map[reflect.Type]bool{}
	if f := whole(t, seen); f != nil {
		return fmt.Errorf("a %v cannot be kept: %w", t, f)
	}
	for t := range seen {
		inInterfaces.Store(signature(t), t)
	}
	return nil
}

// load sets what value points to to what is kept under name and tells whether there was something of use.
func load(dir, name string, value any) bool {
	info, file, err := kept.Open(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	to := reflect.ValueOf(value).Elem()
	if err == nil {
		defer file.Close()
		if info.Signature != signature(to.Type()) {
			say("%q was kept as a %s that was defined otherwise: computing it anew", name, info.Type)
			return false
		}
		err = decode(file, info.Size, to)
	}
	if err != nil {
		say("%q was kept, but cannot be read: computing it anew (%v)", name, err)
		to.SetZero()
	}
	return err == nil
}

// store keeps what value points to, or says that there is no room.
func store(dir, name string, value any, begin time.Time) error {
	took := time.Since(begin)
	fingerprints, err := kept.Fingerprints(kept.SessionFolder())
	if err != nil {
		say("%v", err)
	}
	v := reflect.ValueOf(value).Elem()
	err = kept.Put(dir, kept.Info{
		Name: name, Type: v.Type().String(), Signature: signature(v.Type()),
		Computed: begin.Add(took).Round(0), Took: took, Fingerprint: fingerprints[name],
	}, func(w io.Writer) error { return encode(w, v) })
	var full *kept.FullError
	var f *flaw
	switch {
	case errors.As(err, &full):
		say("no room to keep %q: %v; make room with %s", name, full, room(dir, name, full.Limit))
		return nil
	case errors.As(err, &f):
		return fmt.Errorf("this %v cannot be kept: %w", v.Type(), f)
	}
	return err
}

// room says how to make room for a value in dir.
func room(dir, name string, limit int64) string {
	largest := kept.Info{Name: "NAME"}
	infos, _ := kept.List(dir) // what is damaged cannot be named
	for _, info := range infos {
		if info.Size > largest.Size && info.Name != name {
			largest = info
		}
	}
	if os.Getenv(kept.SessionEnv) == "" {
		return fmt.Sprintf("keep.Drop(%q)", largest.Name)
	}
	return fmt.Sprintf("%%keep drop %s or %%keep limit %dGB", largest.Name, max(1, 2*limit/1e9))
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "keep: "+format+"\n", args...)
}
