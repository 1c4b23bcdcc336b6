// Package purego keeps GoMLX's pure-Go backend from deadlocking.
package purego

import (
	"reflect"
	"runtime"

	"github.com/gomlx/compute"
)

// Unbound lifts the pure-Go backend's default limit on operations that run at once. It leaves a limit that differs from the
// default alone, since somebody set it with the backend's option parallelism, and any other backend.
//
// The default is 2·GOMAXPROCS. A matrix product holds one slot while it waits for slots for its parts; if as many products
// are ready as there are slots, as in a network of several layers, they deadlock (compute up to v0.1.6). The option
// parallelism=-1 has the same effect but prints a line to standard output; hence the reflection. TestUnbound fails if
// compute renames what it relies on.
func Unbound(b compute.Backend) {
	v := reflect.Indirect(reflect.ValueOf(b))
	if v.Kind() != reflect.Struct {
		return
	}
	if workers := v.FieldByName("Workers"); workers.IsValid() {
		type pool interface {
			MaxParallelism() int
			SetMaxParallelism(int)
		}
		if w, ok := workers.Interface().(pool); ok && w.MaxParallelism() == 2*runtime.GOMAXPROCS(0) {
			w.SetMaxParallelism(-1)
		}
	}
}
