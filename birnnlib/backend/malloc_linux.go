//go:build cgo && linux && (amd64 || arm64)

package backend

/*
#include <malloc.h>
#include <limits.h>

// keep_memory lets the C library keep what XLA frees. XLA's CPU client asks for the memory of a computation anew at every
// call; by default glibc maps so much fresh from the kernel each time, page by page, zeroed.
static void keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, INT_MAX);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, 64 << 20);
	mallopt(M_ARENA_MAX, 1); // other arenas cannot grow as large
#endif
}
*/
import "C"

func init() { keepMemory = func() { C.keep_memory() } }
