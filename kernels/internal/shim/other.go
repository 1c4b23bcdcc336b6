//go:build !unix

// Command shim stands between GoNB and what it runs; there is no GoNB here.
package main

func main() {}
