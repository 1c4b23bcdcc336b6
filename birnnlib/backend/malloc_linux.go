//go:build cgo && linux && (amd64 || arm64)

package backend

/*
#include <malloc.h>
#include <limits.h>

// keep_memory lets the C library keep what XLA frees. XLA's CPU client asks for the memory of a computation anew at every
// call; by default glibc maps so much fresh from the kernel each time, page by page, zeroed.
//
// Blocks above 512 MiB still go back to the kernel: glibc before 2.39 does not always find the room of a freed aligned
// block for the next one of its size (its bug 30723), and then keeps several.
static void keep_memory(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 512 << 20);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, 64 << 20);
	mallopt(M_ARENA_MAX, 1); // other arenas cannot grow as large
#endif
}
*/
import "C"

func init() { keepMemory = func() { C.keep_memory() } }
