// Package keep lets values outlive the notebook cell that computed them. GoNB runs every cell as a separate program, in
// which all variables are initialized again. With
//
//	var params = keep.Value("params", func() (*model.Store, error) { … })
//
// the function runs once, and later cells read its result. Outside a notebook it runs once in each program.
//
// A value is restored exactly: whether a slice is nil or empty, what pointers share, every bit of a number or tensor.
// Whatever cannot be restored, such as an unexported field, is an error that names it.
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

// Option is an option of [Value].
type Option func(*entry)

// Lasting keeps the value beyond the end of the kernel, for the notebooks in the same directory; outside a notebook,
// for the programs run in the same directory.
func Lasting(e *entry) { e.lasting = true }

// Value returns the value kept under name. If none is kept, it computes the value with f and keeps it; if f returns an
// error, Value panics with that error and keeps nothing. A second call in the same program returns the identical value,
// the same pointer included.
//
// T may contain numbers, strings, structs, slices, maps, pointers, interfaces (see [Types]), *tensors.Tensor,
// *model.Store, and types that encode themselves with GobEncode and GobDecode or MarshalBinary and UnmarshalBinary,
// like time.Time. If T contains a channel, a function or an unexported field, Value panics before it calls f; if an
// interface holds one, it panics after. Value keeps the value that f returns; later changes by the cell are not kept.
// Overlapping slices no longer overlap in later cells.
//
// If the definition of T has changed or the kept value cannot be read, Value computes it again. If the value exceeds
// the limit of the directory, Value returns it without keeping it. In both cases it writes a line to standard error.
//
// Values are kept in the directory $BIRNN_KEEP, with bare GoNB in $GONB_TMP_DIR/keep; lasting values in
// $BIRNN_KEEP_LASTING, if set, or the user's cache directory.
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

// Drop removes the values kept under name, lasting or not, so that the next cell computes the value again.
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

// entry is a kept value in this program.
type entry struct {
	mu      sync.Mutex
	value   any // a pointer to the value; nil until it is known
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
		panic(fmt.Errorf("keep.Value(%q): the name is used for a %v and for a %v: rename one",
			name, e.pointer.Elem(), pointer.Elem()))
	case e.lasting != asked.lasting:
		panic(fmt.Errorf("keep.Value(%q): the name is used with and without keep.Lasting: rename one", name))
	}
	return e
}

// folder returns the directory of the value; it is empty for a value that is not lasting, outside a notebook.
func (e *entry) folder() (string, error) {
	if e.lasting {
		return kept.LastingFolder()
	}
	return kept.SessionFolder(), nil
}

// keepable returns an error if values of type t cannot be kept under name.
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

// load sets *value to the value kept under name and reports whether it could.
func load(dir, name string, value any) bool {
	info, file, err := kept.Open(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	to := reflect.ValueOf(value).Elem()
	if err == nil {
		defer file.Close()
		if info.Signature != signature(to.Type()) {
			say("%q was kept with another definition of %s: computing it again", name, info.Type)
			return false
		}
		err = decode(file, info.Size, to)
	}
	if err != nil {
		say("the kept %q cannot be read: computing it again (%v)", name, err)
		to.SetZero()
	}
	return err == nil
}

// store keeps *value, or says that the limit is exceeded.
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
		say("%q is not kept: %v; make room with %s", name, full, room(dir, name, full.Limit))
		return nil
	case errors.As(err, &f):
		return fmt.Errorf("this %v cannot be kept: %w", v.Type(), f)
	}
	return err
}

// room returns the command that makes room for a value in dir.
func room(dir, name string, limit int64) string {
	largest := kept.Info{Name: "NAME"}
	infos, _ := kept.List(dir) // damaged values have no name
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
