// Package purego keeps GoMLX's pure-Go backend from deadlocking.
package purego

import (
	"reflect"

	"github.com/gomlx/compute"
)

// Unbound lifts the pure-Go backend's limit on operations that run at once; it leaves any other backend alone.
//
// By default the limit is 2·GOMAXPROCS. A matrix product holds one slot while it waits for slots for its parts; if as many
// products are ready as there are slots, as in a network of several layers, they deadlock (compute up to v0.1.6). The
// backend's option parallelism=-1 has the same effect but prints a line to standard output; hence the reflection.
// TestUnbound fails if compute renames what it relies on.
func Unbound(b compute.Backend) {
	v := reflect.Indirect(reflect.ValueOf(b))
	if v.Kind() != reflect.Struct {
		return
	}
	if workers := v.FieldByName("Workers"); workers.IsValid() {
		if w, ok := workers.Interface().(interface{ SetMaxParallelism(int) }); ok {
			w.SetMaxParallelism(-1)
		}
	}
}
