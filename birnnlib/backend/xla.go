//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64) || (windows && amd64))

package backend

import "github.com/gomlx/go-xla/compute/xla"

// go-xla needs cgo; without it this file is left out and XLA is reported as not built in.
func init() {
	builtWithXLA = true
	// This package decides what is installed, and when: opening a backend must never download by itself.
	xla.EnableAutoInstall(false)
}
