//go:build !(linux && amd64)

package plugin

import (
	"context"
	"fmt"
	"runtime"
)

// InstallCUDA returns an error: CUDA plugins exist only for linux/amd64.
func InstallCUDA(context.Context, string) (string, error) {
	return "", fmt.Errorf("no CUDA plugin for %s/%s, only for linux/amd64; use the CPU plugin", runtime.GOOS, runtime.GOARCH)
}

// DiscardCUDA does nothing.
func DiscardCUDA(string) error { return nil }
