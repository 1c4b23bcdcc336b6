//go:build !(linux && amd64)

package plugin

import (
	"context"
	"fmt"
	"runtime"
)

// InstallCUDA is for linux/amd64, the one platform with a CUDA plugin.
func InstallCUDA(context.Context, string) (string, error) {
	return "", fmt.Errorf("there is no CUDA plugin for %s/%s", runtime.GOOS, runtime.GOARCH)
}

// DiscardCUDA has nothing to remove where nothing was installed.
func DiscardCUDA(string) error { return nil }
