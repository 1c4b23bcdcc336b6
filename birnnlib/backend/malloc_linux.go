//go:build cgo && linux && (amd64 || arm64)

package backend

/*
#include <malloc.h>
#include <limits.h>

// tune_malloc makes the C library keep what XLA frees. XLA's CPU client allocates the memory of a computation at every
// call, and by default glibc maps large blocks from the kernel each time, page by page, zeroed. A training step of LSTMs at
// T = 35 (37 MiB) takes a third of the page faults in this way. Large blocks gain only with glibc 2.39 or later: earlier
// ones often do not find the room of a freed aligned block for the next one of its size (their bug 30723). Blocks above
// 512 MiB go back to the kernel, lest glibc keeps several of them.
static void tune_malloc(void) {
#ifdef __GLIBC__
	mallopt(M_MMAP_THRESHOLD, 512 << 20);
	mallopt(M_TRIM_THRESHOLD, INT_MAX);
	mallopt(M_TOP_PAD, 64 << 20);
	mallopt(M_ARENA_MAX, 1); // other arenas cannot grow as large
#endif
}
*/
import "C"

func init() { tuneMalloc = func() { C.tune_malloc() } }
