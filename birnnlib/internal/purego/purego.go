// Package purego keeps GoMLX's pure-Go backend from hanging.
package purego

import (
	"reflect"

	"github.com/gomlx/compute"
)

// Unbound lets the pure-Go backend run as many operations at once as are ready; any other backend it leaves alone.
//
// By default it runs 2·GOMAXPROCS at once, and each product of matrices then waits for a free place to do its work in:
// when as many products are ready together, as in a network of several layers, all of them wait for ever. The backend's
// own option, parallelism=-1, does the same as this, but also prints a line to standard output; hence the reflection.
// TestUnbound finds out when compute has changed.
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
