//go:build !unix

// Command shim wraps the programs that GoNB runs; it is implemented only for Unix.
package main

func main() {}
