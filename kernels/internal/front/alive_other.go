//go:build !unix

package front

func alive(int) bool { return true }
