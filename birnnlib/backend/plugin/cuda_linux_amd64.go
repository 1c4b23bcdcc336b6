package plugin

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gomlx/go-xla/installer"
)

// InstallCUDA installs the CUDA plugin and NVIDIA's libraries, some gigabytes from PyPI, into dir (default:
// [DefaultDir]) with go-xla's installer, which checks their hashes. It returns the plugin's path. If the plugin exists
// already, it does nothing else.
//
// The installer writes to standard output and to the system's temporary directory and cannot be cancelled: run
// InstallCUDA in a separate process, and after killing that, call [DiscardCUDA].
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
		return path, nil // installed by another process meanwhile
	}
	if _, err := os.Stat(path); err == nil {
		return "", fmt.Errorf("%s exists but cannot be loaded: remove it and install again", path)
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

// DiscardCUDA removes what a killed [InstallCUDA] left in dir: all of CUDA's libraries, if the plugin, which comes
// last, is missing.
func DiscardCUDA(dir string) error {
	if Check(filepath.Join(cudaDir(dir), installer.NVIDIAPJRTPluginFileName)) == nil {
		return nil
	}
	_, err := removeCUDALibraries(dir, false)
	return err
}
