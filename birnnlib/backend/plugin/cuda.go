package plugin

import (
	"os"
	"path/filepath"
	"strings"
)

// cudaPackage is the package in the record of the CUDA plugin.
const cudaPackage = "jax-cuda13-pjrt"

// cudaDir is the directory of the CUDA plugin and NVIDIA's libraries within go-xla's directory.
func cudaDir(dir string) string { return filepath.Join(dir, "nvidia") }

// cudaLinks returns the links that go-xla's installer makes in the parent of its directory, for libraries that NVIDIA's
// loader would not find otherwise.
func cudaLinks(dir string) []string {
	var ours []string
	links, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), "libcublas*.so.*"))
	for _, link := range links {
		to, err := os.Readlink(link)
		if err == nil && strings.HasPrefix(filepath.Clean(to), filepath.Join(filepath.Base(dir), "nvidia")+string(filepath.Separator)) {
			ours = append(ours, link)
		}
	}
	return ours
}

// removeCUDALibraries removes what go-xla's installer made for CUDA in dir and its parent, or, if dry, only lists it.
func removeCUDALibraries(dir string, dry bool) (removed []string, err error) {
	if dry {
		return append(cudaLinks(dir), cudaDir(dir)), nil
	}
	for _, link := range cudaLinks(dir) {
		if err := os.Remove(link); err != nil {
			return removed, err
		}
		removed = append(removed, link)
	}
	if err := os.RemoveAll(cudaDir(dir)); err != nil {
		return removed, err
	}
	return append(removed, cudaDir(dir)), nil
}
