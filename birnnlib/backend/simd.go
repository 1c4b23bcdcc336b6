//go:build goexperiment.simd && amd64

package backend

func init() { builtWithSIMD = true }
