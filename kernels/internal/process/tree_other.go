//go:build !unix

package process

// Descendants is not known where there is no Unix.
func Descendants(int) []int { return nil }

// KillDescendants does nothing where there is no Unix.
func KillDescendants(int) {}

// KillTree does nothing where there is no Unix.
func KillTree(int) {}
