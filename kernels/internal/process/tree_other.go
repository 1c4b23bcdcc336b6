//go:build !unix

package process

// Descendants returns nil: it is implemented only for Unix.
func Descendants(int) []int { return nil }

// KillDescendants does nothing: it is implemented only for Unix.
func KillDescendants(int) {}

// KillTree does nothing: it is implemented only for Unix.
func KillTree(int) {}
