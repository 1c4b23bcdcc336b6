// Package keep lets values outlive the notebook cell that computed them. GoNB runs every cell as a separate program, in
// which all variables are initialized again. With
//
//	err := keep.Put("network", params)
//
// a cell keeps a value, whatever earlier run of a cell kept one under the same name, and with
//
//	params, err := keep.Get[*model.Store]("network")
//
// later cells get it. Values live until the kernel ends. [Value] computes a variable that later cells share.
//
// Values may contain numbers, strings, structs, slices, maps, pointers, *tensors.Tensor, *model.Store, and types that
// encode themselves with GobEncode and GobDecode or MarshalBinary and UnmarshalBinary, like time.Time. Interfaces may
// hold predeclared types, slices of them, maps of them with string keys, and types that the value's type mentions.
//
// A value is restored exactly: whether a slice is nil or empty, what pointers share, every bit of a number or tensor;
// only overlapping slices no longer overlap. Whatever cannot be restored, such as a channel or an unexported field, is
// an error that names it.
package keep

import (
	"bufio"
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

// Put keeps the value under name, as it is now, and replaces what was kept under that name.
func Put[T any](name string, value T) error {
	dir, err := folder()
	if err == nil {
		err = store(dir, name, &value, 0)
	}
	if err != nil {
		return fmt.Errorf("keep.Put(%q): %w", name, err)
	}
	return nil
}

// Get returns the value kept under name. T is the type with which it was kept. The error of a name under which nothing
// is kept says which cell to run first.
func Get[T any](name string) (value T, err error) {
	dir, err := folder()
	if err == nil {
		err = load(dir, name, &value)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("nothing is kept under this name: first run the cell that calls keep.Put(%q, …)", name)
	}
	if err != nil {
		return value, fmt.Errorf("keep.Get(%q): %w", name, err)
	}
	return value, nil
}

// Value returns the value kept under name. If none is kept, or one of another type, it computes the value with f and
// keeps it. It is for variables outside functions:
//
//	var params = keep.Value("params", func() (*model.Store, error) { … })
//
// Later cells have the variable too, but f runs once. When f has changed, [Drop] the value first. Outside a notebook, f
// runs once in each program. A second call in the same program returns the identical value, the same pointer included.
//
// If f returns an error, or the value cannot be restored, Value panics. Value keeps the value that f returns; later
// changes by the cell are not kept.
func Value[T any](name string, f func() (T, error)) T {
	e := enter(name, reflect.TypeFor[*T]())
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.value == nil {
		value := new(T)
		if err := restore(name, value, func() (err error) { *value, err = f(); return err }); err != nil {
			panic(fmt.Errorf("keep.Value(%q): %w", name, err))
		}
		e.value = value
	}
	return *e.value.(*T)
}

// Drop removes the value kept under name, if any.
func Drop(name string) error {
	dir, err := folder()
	if err == nil {
		err = kept.Drop(dir, name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("keep.Drop(%q): %w", name, err)
	}
	return nil
}

func folder() (string, error) {
	dir := kept.Folder()
	if dir == "" {
		return "", errors.New("it works only in a cell of a notebook (GONB_TMP_DIR is not set)")
	}
	return dir, nil
}

// entry is a value of [Value] in this program.
type entry struct {
	mu      sync.Mutex
	value   any // a pointer to the value; nil until it is known
	pointer reflect.Type
}

var (
	mu      sync.Mutex
	entries = map[string]*entry{}
)

func enter(name string, pointer reflect.Type) *entry {
	mu.Lock()
	defer mu.Unlock()
	e, ok := entries[name]
	if !ok {
		e = &entry{pointer: pointer}
		entries[name] = e
	}
	if e.pointer != pointer {
		panic(fmt.Errorf("keep.Value(%q): the name is used for a %v and for a %v: rename one", name, e.pointer.Elem(), pointer.Elem()))
	}
	return e
}

// restore sets *value to the value kept under name, or computes and keeps it.
func restore(name string, value any, compute func() error) error {
	dir := kept.Folder()
	if err := keepable(name, reflect.TypeOf(value).Elem()); err != nil {
		return err
	}
	if dir != "" {
		err := load(dir, name, value)
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			say("%q is computed again: %v", name, err)
		}
	}
	begin := time.Now()
	if err := compute(); err != nil {
		return fmt.Errorf("computing it: %w", err)
	}
	if dir == "" {
		return nil
	}
	err := store(dir, name, value, time.Since(begin))
	var f *flaw
	if err != nil && !errors.As(err, &f) {
		say("%q is not kept: %v", name, err) // the disk may be full
		return nil
	}
	return err
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
		mayHold(t)
	}
	return nil
}

// load sets *value to the value kept under name. If none is kept, the error wraps fs.ErrNotExist.
func load(dir, name string, value any) error {
	to := reflect.ValueOf(value).Elem()
	if err := keepable(name, to.Type()); err != nil {
		return err
	}
	err := kept.Get(dir, name, func(info kept.Info, r *bufio.Reader) error {
		switch t := to.Type().String(); {
		case info.Type != t:
			return fmt.Errorf("what is kept is a %s, not a %s", info.Type, t)
		case info.Signature != signature(to.Type()):
			return fmt.Errorf("the definition of %s has changed since the value was kept", t)
		}
		return decode(r, to)
	})
	if err != nil {
		to.SetZero()
	}
	return err
}

// store keeps *value, which took some time to compute.
func store(dir, name string, value any, took time.Duration) error {
	v := reflect.ValueOf(value).Elem()
	if err := keepable(name, v.Type()); err != nil {
		return err
	}
	err := kept.Put(dir, kept.Info{
		Name: name, Type: v.Type().String(), Signature: signature(v.Type()), Kept: time.Now().Round(0), Took: took,
	}, func(w io.Writer) error { return encode(w, v) })
	var f *flaw
	if errors.As(err, &f) {
		return fmt.Errorf("this %v cannot be kept: %w", v.Type(), f)
	}
	return err
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "keep: "+format+"\n", args...)
}
