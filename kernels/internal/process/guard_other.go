//go:build !unix

package process

import (
	"fmt"
	"os"
)

// Guard returns an error: it is implemented only for Unix.
func Guard(folder, pid string, name string, args ...string) int {
	fmt.Fprintln(os.Stderr, "the kernel needs a Unix")
	return 1
}
