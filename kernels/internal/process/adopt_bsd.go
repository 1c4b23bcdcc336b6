//go:build unix && !linux

package process

// Adopt does nothing: only Linux has it.
func Adopt() {}
