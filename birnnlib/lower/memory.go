package lower

import (
	"reflect"

	"github.com/gomlx/compute"
)

// PlannedMemory returns the bytes that XLA plans to take for what it computes in between, beyond inputs and outputs; 0 for
// another backend. go-xla knows them, but only logs them; hence the reflection. TestPlannedMemory finds out when go-xla has
// changed.
func PlannedMemory(e compute.Executable) int64 {
	v := reflect.ValueOf(e)
	for _, field := range []string{"exec", "OnDeviceMemoryUsageStats", "Temporary"} {
		if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
			return 0
		}
		v = v.FieldByName(field)
	}
	if !v.CanInt() {
		return 0
	}
	return v.Int()
}
