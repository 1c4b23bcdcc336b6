//go:build cgo && ((linux && (amd64 || arm64)) || (darwin && arm64))

package main

import _ "github.com/gomlx/go-xla/compute/xla"
