//go:build !unix

package home

import (
	"context"
	"errors"
)

func lock(context.Context, string, func()) (func(), error) {
	return nil, errors.New("the kernels need Linux or macOS")
}
