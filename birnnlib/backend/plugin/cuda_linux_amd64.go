package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/go-xla/installer"
)

// InstallCUDA puts the CUDA plugin and NVIDIA's libraries, some gigabytes from
// PyPI, where go-xla looks (dir, default: [DefaultDir]) with go-xla's own
// installer, which checks their hashes. It returns the plugin's path and does
// nothing when it is there already.
//
// That installer writes to standard output and to the system's folder for
// temporary files, and cannot be cancelled: run InstallCUDA in a process of its
// own, and after killing it call [DiscardCUDA].
func InstallCUDA(ctx context.Context, dir string) (path string, err error) {
	if dir == "" {
		if dir, err = DefaultDir(); err != nil {
			return "", err
		}
	}
	path = filepath.Join(cudaDir(dir), installer.NVIDIAPJRTPluginFileName)
	if Check(path) == nil {
		return path, nil
	}
	unlock, made, err := lockDir(ctx, dir)
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			removeEmpty(made)
		}
		unlock()
	}()
	if Check(path) == nil {
		return path, nil // another process was faster
	}
	if _, err := os.Stat(path); err == nil {
		return "", fmt.Errorf("%s is there but cannot be loaded: remove it and install again", path)
	}
	defer func() {
		if err != nil {
			_, removeErr := removeCUDALibraries(dir, false)
			err = errors.Join(fmt.Errorf("installing the PJRT CUDA plugin into %s: %w; the CPU plugin and %s", dir, err, stillGo), removeErr)
		}
	}()
	if err := installer.CudaInstall("cuda13", "latest", dir, false, installer.Normal); err != nil {
		return "", err
	}
	if err := Check(path); err != nil {
		return "", err
	}
	sum, err := hashFile(path)
	if err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	return path, writeRecord(path, Record{
		File: filepath.Base(path), Source: Release, Package: cudaPackage, SHA256: sum,
		Size: info.Size(), ModTime: info.ModTime(), Installed: true, MadeDirs: madeDirs(dir, made),
	})
}

// DiscardCUDA removes what an [InstallCUDA] that was killed has left in dir: all
// of CUDA's libraries as long as the plugin, which comes last, is not there.
func DiscardCUDA(dir string) error {
	if Check(filepath.Join(cudaDir(dir), installer.NVIDIAPJRTPluginFileName)) == nil {
		return nil
	}
	_, err := removeCUDALibraries(dir, false)
	return err
}
