//go:build !unix

package home

import (
	"context"
	"errors"
)

func lock(context.Context, string, func()) (func(), error) {
	return nil, errors.New("the Go kernel needs a Unix")
}
